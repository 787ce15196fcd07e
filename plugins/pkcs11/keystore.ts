/**
 * The `pkcs11:` keystore. It finds objects by the rules of "Recommendations for applications using
 * X.509 client certificates" (draft-woodhouse-cert-best-practice, section 8). It searches first
 * without a login, then with a login if exactly one token matches.
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
import { formatCertificateUris, searchCertificates } from "./search/certificates.ts";
import { withErrorMessages } from "./error_messages.ts";
import { chooseCertificate } from "./search/identity.ts";
import { isLoginError, Login } from "./login/login.ts";
import type { Module } from "./module/module.ts";
import { ModuleRegistry, type Pkcs11Options } from "./module/registry.ts";
import { NoObjectError, noObjectError, noTokenError } from "./search/errors.ts";
import { openTokenKey } from "./open_key.ts";
import { PinCache } from "./login/pin_cache.ts";
import { hasUserPin } from "./login/pin_sources.ts";
import { LoginDeferredError, type SearchContext } from "./search/context.ts";
import { findMatchingTokens, matchesType } from "./uri/match.ts";
import { SessionPool, type Token } from "./module/session_pool.ts";

/** Result of a search. */
interface Outcome<T> {
  readonly value: T;
  /** True if `value` uses the session pool and will close it. */
  readonly keepsPoolOpen?: boolean;
}

/** The keystore of PKCS#11 tokens. */
export class Pkcs11Keystore implements Keystore, CertificateLister, LibraryReporter {
  /** See {@link Keystore}. */
  readonly library = { title: "the PKCS#11 module" };
  readonly #modules: ModuleRegistry;
  readonly #pinCache = new PinCache();

  constructor(options: Pkcs11Options) {
    this.#modules = new ModuleRegistry(options);
  }

  /** See {@link Keystore}. A certificate's URI also names its key. */
  async openKey(
    uri: KeystoreUri,
    context: KeystoreContext,
    certificate?: Certificate,
  ): Promise<Signer> {
    const signer = await this.#search(uri, context, async (search) => ({
      value: await openTokenKey(search, certificate),
      keepsPoolOpen: true,
    }));
    return signer.value;
  }

  /** See {@link Keystore}: returns the end-entity certificate and its issuers on the token. */
  async readCertificates(
    uri: KeystoreUri,
    context: KeystoreContext,
  ): Promise<NonEmpty<Certificate>> {
    const certificates = await this.#search(uri, context, async (search) => {
      const found = await searchCertificates(search);
      if (found.length === 0) throw noObjectError(search, "certificate");
      return { value: await chooseCertificate(found, search) };
    });
    return certificates.value;
  }

  /** See {@link LibraryReporter}: calls C_GetInfo of the first module that loads. Uses no token. */
  async reportLibrary(context: KeystoreContext): Promise<LibraryReport> {
    const uri = parseKeystoreUri("pkcs11:", "pkcs11:");
    const report = await this.#modules.firstResult(
      uri,
      context,
      (module) => withErrorMessages("pkcs11:", module.path, () => readLibraryReport(module)),
    );
    if (report) return report;
    throw new HelperError("keystore-unavailable", "no PKCS#11 module reported its version");
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
        if (found.length === 0) throw noObjectError(search, "certificate");
        const uris = await formatCertificateUris(found, search);
        return { value: found.map(({ certificate }, i) => ({ certificate, uri: uris[i] ?? "" })) };
      } catch (thrown) {
        if (!isLoginError(thrown) || hasUserPin(uri)) throw thrown;
        context.info(`certificates that require a login are not listed: ${thrown.message}`);
        return nothing;
      }
    }, nothing);
    return listed.value;
  }

  /** Unloads all modules. No signer may be open. */
  unload(): void {
    this.#modules.unload();
  }

  /**
   * Returns the result of `work` for the tokens that match the URI. Throws `key-not-found` if there
   * are none, unless there is a `fallback` and no module or token failed.
   */
  async #search<T>(
    uri: KeystoreUri,
    context: KeystoreContext,
    work: (search: SearchContext) => Promise<Outcome<T>>,
    fallback?: Outcome<T>,
  ): Promise<Outcome<T>> {
    for (const name of uri.query.keys()) {
      if (isVendorQueryAttribute(name)) {
        context.debug(`ignoring the unknown URI attribute "${name}"`);
      }
    }
    const attempt = { uri, context, work, warnings: [] as string[] };
    const first = await this.#searchModules(attempt, false);
    const { found, notFoundError } = first.found || !first.isDeferred
      ? first
      : await this.#searchModules(attempt, true);
    if (found) return found;
    if (fallback && (notFoundError || attempt.warnings.length === 0)) return fallback;
    throw notFoundError ?? noTokenError(uri, attempt.warnings);
  }

  /**
   * Searches the modules in order until one has the object. A module that was named, or is the only
   * one, may log in at once. Otherwise `mayLogIn` decides: all modules are searched without a login
   * first.
   */
  async #searchModules<T>(attempt: Attempt<T>, mayLogIn: boolean): Promise<Searched<T>> {
    const { uri, context, warnings } = attempt;
    let notFoundError: NoObjectError | undefined;
    let isDeferred = false;
    const found = await this.#modules.firstResult(uri, context, async (module, isOnly) => {
      try {
        return await module.runExclusive(() =>
          this.#searchModule(module, attempt, { isOnly, mayLogIn: mayLogIn || isOnly })
        );
      } catch (thrown) {
        if (thrown instanceof NoObjectError) notFoundError ??= thrown;
        else if (isOnly) throw thrown;
        else if (thrown instanceof LoginDeferredError) isDeferred = true;
        else if (thrown instanceof HelperError && thrown.code === "keystore-unavailable") {
          warnings.push(thrown.message);
        } else throw thrown;
        return undefined;
      }
    });
    return { isDeferred, ...(found ? { found } : {}), ...(notFoundError ? { notFoundError } : {}) };
  }

  async #searchModule<T>(
    module: Module,
    { uri, context, work, warnings }: Attempt<T>,
    { isOnly, mayLogIn }: { isOnly: boolean; mayLogIn: boolean },
  ): Promise<Outcome<T> | undefined> {
    return await withErrorMessages(uri.displayName, module.path, async () => {
      const pool = await SessionPool.open(module, context);
      let keeps = false;
      try {
        const tokens = await findTokens(pool, uri, isOnly);
        warnings.push(...pool.warnings);
        if (tokens.length === 0) return undefined;
        const login = new Login(uri, this.#pinCache, context);
        const now = context.now();
        const useLatest = context.isOn("use-latest-expiring-certificate");
        const outcome = await work({ uri, tokens, login, pool, mayLogIn, now, useLatest });
        keeps = outcome.keepsPoolOpen ?? false;
        return outcome;
      } finally {
        if (!keeps) await pool[Symbol.asyncDispose]();
      }
    });
  }
}

/** Parameters of a search through the modules. */
interface Attempt<T> {
  readonly uri: KeystoreUri;
  readonly context: KeystoreContext;
  readonly work: (search: SearchContext) => Promise<Outcome<T>>;
  /** Failures of modules and tokens that were skipped, for the error if nothing is found. */
  readonly warnings: string[];
}

/** Result of a search through the modules. */
interface Searched<T> {
  readonly found?: Outcome<T>;
  /** The first module's error that it does not have the object. */
  readonly notFoundError?: NoObjectError;
  /** True if a module could be searched further with a login. */
  readonly isDeferred: boolean;
}

/**
 * Returns the matching tokens. If one of several modules cannot list its slots, adds a warning and
 * returns none.
 */
async function findTokens(pool: SessionPool, uri: KeystoreUri, isOnly: boolean): Promise<Token[]> {
  if (isOnly) return await findMatchingTokens(pool, uri);
  return await pool.skipFailingToken(pool.module.path, () => findMatchingTokens(pool, uri)) ?? [];
}

async function readLibraryReport(module: Module): Promise<LibraryReport> {
  return await module.runExclusive(async () => {
    await module.acquire();
    try {
      const { description, major, minor } = await module.cryptoki.getInfo();
      const name = printable(new TextDecoder().decode(description), 80);
      return { path: module.path, version: `${name} ${major}.${minor}`.trim() };
    } finally {
      await module.release();
    }
  });
}
