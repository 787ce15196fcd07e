/**
 * What the `pkcs11:` keystore does for its callers. Objects are found as "Recommendations for
 * applications using X.509 client certificates" (draft-woodhouse-cert-best-practice, section 8) has
 * it: without a login first, with one only where exactly one token can be meant.
 *
 * @module
 */
import { HelperError, printable } from "../../src/errors.ts";
import type {
  CertificateLister,
  Keystore,
  KeystoreContext,
  LibraryReport,
  LibraryReporter,
  ListedCertificate,
  Signer,
} from "../../src/keystore/types.ts";
import { isVendorQueryAttribute } from "../../src/keystore/pkcs11_attributes.ts";
import { type KeystoreUri, parseKeystoreUri } from "../../src/keystore/uri.ts";
import type { Certificate } from "../../src/x509/certificate.ts";
import type { NonEmpty } from "../../src/x509/chain.ts";
import { certificateUris, searchCertificates } from "./search/certificates.ts";
import { explained } from "./error_messages.ts";
import { chooseCertificate } from "./search/identity.ts";
import { isLoginError, Login } from "./login/login.ts";
import type { Module } from "./module/module.ts";
import { ModuleRegistry, type Pkcs11Options } from "./module/registry.ts";
import { noObject, NoObjectError, noToken } from "./search/errors.ts";
import { openKeyOf } from "./open_key.ts";
import { PinMemory } from "./login/pin_cache.ts";
import { hasUserPin } from "./login/pin_sources.ts";
import { LoginDeferredError, type Search } from "./search/context.ts";
import { matchesType, matchingTokens } from "./uri/match.ts";
import { SessionPool, type Token } from "./module/session_pool.ts";

/** What a search gives, and whether the visit goes on in it. */
interface Outcome<T> {
  readonly value: T;
  readonly keepsVisit?: boolean;
}

/** The keystore of PKCS#11 tokens. */
export class Pkcs11Keystore implements Keystore, CertificateLister, LibraryReporter {
  /** See {@link Keystore}. */
  readonly library = { title: "the PKCS#11 module" };
  readonly #modules: ModuleRegistry;
  readonly #memory = new PinMemory();

  constructor(setup: Pkcs11Options) {
    this.#modules = new ModuleRegistry(setup);
  }

  /** See {@link Keystore}. A URI of a certificate names its key too. */
  async openKey(
    uri: KeystoreUri,
    context: KeystoreContext,
    certificate?: Certificate,
  ): Promise<Signer> {
    const signer = await this.#search(uri, context, async (search) => ({
      value: await openKeyOf(search, certificate),
      keepsVisit: true,
    }));
    return signer.value;
  }

  /** See {@link Keystore}: the end-entity certificate and the issuers that the token holds. */
  async readCertificates(
    uri: KeystoreUri,
    context: KeystoreContext,
  ): Promise<NonEmpty<Certificate>> {
    const certificates = await this.#search(uri, context, async (search) => {
      const found = await searchCertificates(search);
      if (found.length === 0) throw noObject(search, "certificate");
      return { value: await chooseCertificate(found, search) };
    });
    return certificates.value;
  }

  /** See {@link LibraryReporter}: the first module that loads, by C_GetInfo. No token is touched. */
  async reportLibrary(context: KeystoreContext): Promise<LibraryReport> {
    const uri = parseKeystoreUri("pkcs11:", "pkcs11:");
    const report = await this.#modules.first(
      uri,
      context,
      (module) => explained("pkcs11:", module.path, () => reportOf(module)),
    );
    if (report) return report;
    throw new HelperError("keystore-unavailable", "no PKCS#11 module tells what it is");
  }

  /** See {@link CertificateLister}. */
  async listCertificates(
    uri: KeystoreUri,
    context: KeystoreContext,
  ): Promise<readonly ListedCertificate[]> {
    if (!matchesType(uri, "cert")) return [];
    const nothing: Outcome<readonly ListedCertificate[]> = { value: [] };
    const listed = await this.#search(uri, context, async (search) => {
      try {
        const found = await searchCertificates(search);
        if (found.length === 0) throw noObject(search, "certificate");
        const uris = await certificateUris(found, search);
        return { value: found.map(({ certificate }, i) => ({ certificate, uri: uris[i] ?? "" })) };
      } catch (thrown) {
        if (!isLoginError(thrown) || hasUserPin(uri)) throw thrown;
        context.say(`certificates that only a login shows are not listed: ${thrown.message}`);
        return nothing;
      }
    }, nothing);
    return listed.value;
  }

  /** Unloads all modules; for programs that go on without them. No signer may be open. */
  unload(): void {
    this.#modules.unload();
  }

  /**
   * What `work` gives for the tokens that the URI asks for. Throws `key-not-found` when there are
   * none, unless `otherwise` is given and nothing went wrong.
   */
  async #search<T>(
    uri: KeystoreUri,
    context: KeystoreContext,
    work: (search: Search) => Promise<Outcome<T>>,
    otherwise?: Outcome<T>,
  ): Promise<Outcome<T>> {
    for (const name of uri.query.keys()) {
      if (isVendorQueryAttribute(name)) context.debug(`"${name}" in the URI is not known; ignored`);
    }
    const attempt = { uri, context, work, notes: [] as string[] };
    const first = await this.#searchModules(attempt, false);
    const { found, absence } = first.found || !first.isDeferred
      ? first
      : await this.#searchModules(attempt, true);
    if (found) return found;
    if (otherwise && (absence || attempt.notes.length === 0)) return otherwise;
    throw absence ?? noToken(uri, attempt.notes);
  }

  /**
   * Searches one module after the other, until one has the object. A module that was named, and one
   * that is the only one, may log in at once; others only if `mayLogIn`, when all have been searched
   * without.
   */
  async #searchModules<T>(attempt: Attempt<T>, mayLogIn: boolean): Promise<Searched<T>> {
    const { uri, context, notes } = attempt;
    let absence: NoObjectError | undefined;
    let isDeferred = false;
    const found = await this.#modules.first(uri, context, async (module, isOnly) => {
      try {
        return await module.runExclusive(() =>
          this.#visit(module, attempt, { isOnly, mayLogIn: mayLogIn || isOnly })
        );
      } catch (thrown) {
        if (thrown instanceof NoObjectError) absence ??= thrown;
        else if (isOnly) throw thrown;
        else if (thrown instanceof LoginDeferredError) isDeferred = true;
        else if (thrown instanceof HelperError && thrown.code === "keystore-unavailable") {
          notes.push(thrown.message);
        } else throw thrown;
        return undefined;
      }
    });
    return { isDeferred, ...(found ? { found } : {}), ...(absence ? { absence } : {}) };
  }

  async #visit<T>(
    module: Module,
    { uri, context, work, notes }: Attempt<T>,
    { isOnly, mayLogIn }: { isOnly: boolean; mayLogIn: boolean },
  ): Promise<Outcome<T> | undefined> {
    return await explained(uri.displayName, module.path, async () => {
      const visit = await SessionPool.begin(module, context);
      let keeps = false;
      try {
        const tokens = await tokensOf(visit, uri, isOnly);
        notes.push(...visit.notes);
        if (tokens.length === 0) return undefined;
        const login = new Login(uri, this.#memory, context);
        const now = context.now();
        const useLatest = context.isOn("use-latest-expiring-certificate");
        const outcome = await work({ uri, tokens, login, visit, mayLogIn, now, useLatest });
        keeps = outcome.keepsVisit ?? false;
        return outcome;
      } finally {
        if (!keeps) await visit[Symbol.asyncDispose]();
      }
    });
  }
}

/** A search through the modules. */
interface Attempt<T> {
  readonly uri: KeystoreUri;
  readonly context: KeystoreContext;
  readonly work: (search: Search) => Promise<Outcome<T>>;
  /** Failures of modules and tokens that were skipped, for the error if nothing is found. */
  readonly notes: string[];
}

/** The result of a search through the modules. */
interface Searched<T> {
  readonly found?: Outcome<T>;
  /** The first module's error that it does not have the object. */
  readonly absence?: NoObjectError;
  /** True if a module could be searched further with a login. */
  readonly isDeferred: boolean;
}

/** Returns the tokens that match; none, with a note, if one of several modules cannot list its slots. */
async function tokensOf(visit: SessionPool, uri: KeystoreUri, isOnly: boolean): Promise<Token[]> {
  if (isOnly) return await matchingTokens(visit, uri);
  return await visit.skipFailingToken(visit.module.path, () => matchingTokens(visit, uri)) ?? [];
}

async function reportOf(module: Module): Promise<LibraryReport> {
  return await module.runExclusive(async () => {
    await module.enter();
    try {
      const { description, major, minor } = await module.cryptoki.info();
      const name = printable(new TextDecoder().decode(description), 80);
      return { path: module.path, version: `${name} ${major}.${minor}`.trim() };
    } finally {
      await module.leave();
    }
  });
}
