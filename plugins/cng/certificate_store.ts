/**
 * Certificate store of Windows: its certificates and their issuers.
 *
 * @module
 */
import { HelperError } from "../../src/errors.ts";
import { MAX_CHAIN_LENGTH } from "../../src/keystore/open_identity.ts";
import { parseStored } from "../../src/keystore/os_store/certificates.ts";
import type { Certificate } from "../../src/x509/certificate.ts";
import { withoutRoot } from "../../src/x509/without_root.ts";
import { chainParameters, readCertificateContext, readChainContext, wide } from "./layout.ts";
import { windowsError } from "./status.ts";
import type { Windows } from "./libraries.ts";

/** Owner of the store. */
export type StoreLocation = "user" | "machine";

/** `CERT_STORE_PROV_SYSTEM_W`. */
const SYSTEM_STORE_PROVIDER = 10n;
/** `CERT_STORE_READONLY_FLAG | CERT_STORE_OPEN_EXISTING_FLAG`. */
const READ_EXISTING = 0x8000 | 0x4000;
/** `CERT_SYSTEM_STORE_…` and the chain engine, `HCCE_…`, of each location. */
const LOCATIONS = {
  user: { store: 0x1_0000, engine: 0n },
  machine: { store: 0x2_0000, engine: 1n },
} as const satisfies Record<StoreLocation, { store: number; engine: bigint }>;
/**
 * `CERT_CHAIN_CACHE_ONLY_URL_RETRIEVAL | CERT_CHAIN_DISABLE_AUTH_ROOT_AUTO_UPDATE`: no downloads.
 * Without a revocation flag, revocation is not checked.
 */
const OFFLINE = 0x4 | 0x100;
/** Properties of a private key: CERT_KEY_PROV_INFO, CERT_KEY_CONTEXT, CERT_NCRYPT_KEY_HANDLE. */
const KEY_PROPERTIES = [2, 5, 78];
/** ERROR_FILE_NOT_FOUND: the store does not exist. */
const NOT_FOUND = 2;
/** ERROR_ACCESS_DENIED and E_ACCESSDENIED. */
const ACCESS_DENIED = [5, 0x8007_0005];

/** Certificate of the store with its Windows context. */
export interface StoredCertificate {
  readonly certificate: Certificate;
  /** `PCCERT_CONTEXT`, valid until the store is disposed. */
  readonly context: Deno.PointerObject;
}

/** Open store. Its contexts are valid until it is disposed. */
export class CertificateStore implements Disposable {
  /** Readable certificates, in the store's order. */
  readonly certificates: readonly StoredCertificate[];
  readonly #windows: Windows;
  readonly #store: Deno.PointerObject;
  readonly #location: StoreLocation;
  readonly #owned = new DisposableStack();

  /**
   * Opens the store `name`. Throws `key-not-found` if it does not exist, and `key-unreadable` if it
   * cannot be opened.
   */
  constructor(
    windows: Windows,
    name: string,
    location: StoreLocation,
    debug: (message: string) => void,
  ) {
    this.#windows = windows;
    this.#location = location;
    const { result, code } = windows.attempt(() =>
      windows.crypt32.CertOpenStore(
        SYSTEM_STORE_PROVIDER,
        0,
        0n,
        LOCATIONS[location].store | READ_EXISTING,
        wide(name),
      )
    );
    if (!result) throw storeOpenError(name, location, code);
    this.#store = result;
    this.#owned.defer(() => windows.crypt32.CertCloseStore(result, 0));
    try {
      this.certificates = this.#enumerate(debug);
      debug(`store ${name} of the ${location}: ${this.certificates.length} certificates`);
    } catch (thrown) {
      this[Symbol.dispose]();
      throw thrown;
    }
  }

  #enumerate(debug: (message: string) => void): StoredCertificate[] {
    const { crypt32 } = this.#windows;
    const found: StoredCertificate[] = [];
    let current: Deno.PointerValue = null;
    try {
      // Each call frees its input context, so a duplicate is kept.
      while ((current = crypt32.CertEnumCertificatesInStore(this.#store, current)) !== null) {
        const certificate = parseStored(readCertificateContext(current), debug);
        const context = certificate && crypt32.CertDuplicateCertificateContext(current);
        if (!context) continue;
        this.#owned.defer(() => crypt32.CertFreeCertificateContext(context));
        found.push({ certificate, context });
      }
    } finally {
      if (current) crypt32.CertFreeCertificateContext(current);
    }
    return found;
  }

  /** Returns true if the store has a private key for the certificate. */
  hasPrivateKey({ context }: StoredCertificate): boolean {
    const { CertGetCertificateContextProperty } = this.#windows.crypt32;
    return KEY_PROPERTIES.some((property) =>
      CertGetCertificateContextProperty(context, property, null, new Uint32Array(1)) !== 0
    );
  }

  /**
   * Returns the issuers that Windows finds on this machine. Excludes the certificate itself and a
   * self-signed root, which is the service's trust anchor.
   */
  issuersOf({ context }: StoredCertificate, debug: (message: string) => void): Certificate[] {
    const { crypt32 } = this.#windows;
    const { engine } = LOCATIONS[this.#location];
    const chain = new BigUint64Array(1);
    const { result, code } = this.#windows.attempt(() =>
      // deno-fmt-ignore
      crypt32.CertGetCertificateChain(
        engine, context, null, this.#store, chainParameters(), OFFLINE, null, chain,
      )
    );
    const found = Deno.UnsafePointer.create(chain[0] ?? 0n);
    if (!result || !found) {
      debug(windowsError("the certificate is sent without its issuers", code).message);
      return [];
    }
    try {
      const [, ...issuers] = readChainContext(found);
      const parsed = issuers.flatMap((encoded) => parseStored(encoded, debug) ?? []);
      return withoutRoot(parsed).slice(0, MAX_CHAIN_LENGTH);
    } finally {
      crypt32.CertFreeCertificateChain(found);
    }
  }

  [Symbol.dispose](): void {
    this.#owned.dispose();
  }
}

function storeOpenError(name: string, location: StoreLocation, code: number): HelperError {
  const store = `the certificate store "${name}" of the ${location}`;
  if (ACCESS_DENIED.includes(code)) {
    return new HelperError("key-unreadable", `${store} may not be read by this account`);
  }
  if (code !== NOT_FOUND) return windowsError(`${store} cannot be opened`, code);
  return new HelperError(
    "key-not-found",
    `${store} does not exist; check --system-store-name and --system-store-location`,
  );
}
