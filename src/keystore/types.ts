/**
 * The contract between the program and its keystores. A keystore is a plugin, chosen by the scheme
 * of a {@link KeystoreUri}. To add one, implement {@link Keystore}. The other interfaces here are
 * optional capabilities.
 *
 * @module
 */
import type { Certificate } from "../x509/certificate.ts";
import type { NonEmpty } from "../x509/chain.ts";
import type { PublicKey } from "../x509/public_key.ts";
import type { Digest } from "../x509/verify_signature.ts";
import type { InputSource, KeystoreUri } from "./uri.ts";

/** Open private key with the certificates from the same source. */
export interface Signer extends AsyncDisposable {
  readonly publicKey: PublicKey;
  /**
   * True if the key is in this process's memory. The caller may then cache the signer until it opens
   * a newer one, and disposes of it afterwards.
   */
  readonly inMemory?: true;
  /** Certificates from the key's source, in their order. Empty if the source has none. */
  readonly certificates: readonly Certificate[];
  /**
   * Signs `message`. Returns PKCS#1 v1.5 for RSA and DER `SEQUENCE { r, s }` for EC, both over the
   * digest. ML-DSA (empty context) signs the message itself and ignores `digest`.
   */
  sign(message: Uint8Array, digest: Digest): Promise<Uint8Array>;
}

/** Result of `openKey` if the key belongs to another keystore, such as a TPM key in a PEM file. */
export interface KeyReference {
  readonly target: KeystoreUri;
  /** Certificates from this source, in their order. They precede those of the target's signer. */
  readonly certificates?: readonly Certificate[];
}

/** Result of `openKey` if the keystore stores whole keys, such as a key sealed in a TPM. */
export interface SoftwareKey {
  /** One private key, PEM or DER. The {@link SoftwareKeyOpener} wipes it. */
  readonly softwareKey: Uint8Array<ArrayBuffer>;
  /** Certificates from this source, in their order. */
  readonly certificates?: readonly Certificate[];
  /** As in {@link Signer}. Absent if the keystore must authorize every use. */
  readonly inMemory?: true;
  /** Resource that the signer uses. It is disposed of with the signer. */
  readonly resource?: AsyncDisposable;
}

/** Native library that a keystore calls, for `doctor`. */
export interface NativeLibrary {
  /** Name in messages, such as "the TPM library". */
  readonly title: string;
  /** File name for the system's loader; absent if the keystore is a {@link LibraryReporter}. */
  readonly name?: string;
  /** Advice for a library that is missing. */
  readonly advice?: string;
}

/** Keystore plugin: opens keys and reads certificates of one URI scheme. */
export interface Keystore {
  /** The library that `doctor` looks for; absent if the keystore calls none. */
  readonly library?: NativeLibrary;

  /**
   * Opens the private key at `uri`.
   *
   * `certificate` is the end-entity certificate if it comes from another source. It selects the
   * matching key of several. The caller checks that the opened key matches it.
   *
   * Throws `HelperError` with a `key-…`, `certificate-…`, `secret-source` or `keystore-unavailable`
   * code.
   */
  openKey(
    uri: KeystoreUri,
    context: KeystoreContext,
    certificate?: Certificate,
  ): Promise<Signer | KeyReference | SoftwareKey>;

  /**
   * Reads all certificates at `uri`, in their order. Does not use a private key.
   *
   * Throws `HelperError` if there is none, or with a code that `openKey` throws.
   */
  readCertificates(uri: KeystoreUri, context: KeystoreContext): Promise<NonEmpty<Certificate>>;
}

/**
 * Optional capability, implemented by `file:`: opens a private key that another keystore stores.
 */
export interface SoftwareKeyOpener {
  /**
   * Opens the private key in `contents` and wipes `contents`. Messages use `displayName`.
   *
   * Throws as `openKey` does, and `key-format` if `contents` is not exactly one private key.
   */
  openSoftwareKey(
    contents: Uint8Array<ArrayBuffer>,
    displayName: string,
    context: KeystoreContext,
  ): Promise<Signer>;
}

/** Returns true if the keystore can open keys of other keystores. */
export function isSoftwareKeyOpener(
  keystore: Keystore,
): keystore is Keystore & SoftwareKeyOpener {
  return "openSoftwareKey" in keystore;
}

/** Optional capability: reads a bundle that may be empty. */
export interface BundleReader {
  /**
   * Reads all certificates at `uri`, in their order. Throws as `readCertificates`, except for none.
   */
  readBundle(uri: KeystoreUri, context: KeystoreContext): Promise<readonly Certificate[]>;
}

/** Returns true if the keystore can read bundles. */
export function isBundleReader(keystore: Keystore): keystore is Keystore & BundleReader {
  return "readBundle" in keystore;
}

/** Certificate on a token or in a store, for the list of `read-certificate-data`. */
export interface ListedCertificate {
  readonly certificate: Certificate;
  /** URI of exactly this certificate, if the keystore has URIs. */
  readonly uri?: string;
  /** `--cert-selector` value of exactly this certificate, if the keystore is an OS store. */
  readonly selector?: string;
}

/** Optional capability: lists the certificates that match a URI. */
export interface CertificateLister {
  /**
   * Lists the matching certificates in a stable order. An empty list is not an error. Does not use
   * a private key.
   */
  listCertificates(
    uri: KeystoreUri,
    context: KeystoreContext,
  ): Promise<readonly ListedCertificate[]>;
}

/** Returns true if the keystore can list certificates. */
export function isCertificateLister(keystore: Keystore): keystore is Keystore & CertificateLister {
  return "listCertificates" in keystore;
}

/** Result of a keystore's own check, for `doctor`. */
export interface Diagnosis {
  readonly level: "ok" | "note" | "warning" | "problem";
  /** One sentence; never a secret. */
  readonly message: string;
}

/** Optional capability: checks an identity for what only the keystore knows. */
export interface Diagnoser {
  /** Checks the identity at `uri`. Throws as `openKey` does. */
  diagnose(uri: KeystoreUri, context: KeystoreContext): Promise<readonly Diagnosis[]>;
}

/** Returns true if the keystore checks identities. */
export function isDiagnoser(keystore: Keystore): keystore is Keystore & Diagnoser {
  return "diagnose" in keystore;
}

/** Native library of a keystore, for `doctor`. */
export interface LibraryReport {
  readonly path: string;
  /** Name and version, as the library reports them. */
  readonly version: string;
}

/** Optional capability: reports the native library and its version. */
export interface LibraryReporter {
  /** Returns the library that would be used. Throws `keystore-unavailable` if there is none. */
  reportLibrary(context: KeystoreContext): Promise<LibraryReport>;
}

/** Returns true if the keystore can report its library. */
export function isLibraryReporter(keystore: Keystore): keystore is Keystore & LibraryReporter {
  return "reportLibrary" in keystore;
}

/** Secrets of keystores, by the name of their flag. */
export type SecretName =
  | "pkcs8-password"
  | "context-pin"
  | "tpm-key-password"
  | "tpm-parent-password"
  | "keychain-password";

/** Secret from a flag or variable. */
export interface GivenSecret {
  readonly text: string;
  /** For messages: the flag or variable that the user set, such as `--pkcs8-password`. */
  readonly source: string;
  /** For messages: the place that the source names, such as `env:NAME`. Absent for the secret itself. */
  readonly origin?: string;
}

/** Text settings of keystores, by the name of their flag. */
export type SettingName = "pkcs11-lib" | "system-store-name" | "system-store-location";

/** Boolean settings of keystores, by the name of their flag. */
export type SwitchName = "reuse-pin" | "no-tpm-key-password" | "use-latest-expiring-certificate";

/** Access to flags, environment, terminal and clocks. The command line passes it to keystores. */
export interface KeystoreContext {
  /** Returns the secret from its flag or environment variable; undefined if there is none. */
  secret(name: SecretName): Promise<GivenSecret | undefined>;
  /**
   * Returns the setting from its flag, environment variable or default. With `given`, uses only the
   * flag or this program's own variable. Ignores variables of other programs, and the default.
   */
  setting(name: SettingName, only?: "given"): string | undefined;
  /** Returns true if the switch is on. */
  isOn(name: SwitchName): boolean;
  /** Returns an environment variable. */
  environment(name: string): string | undefined;
  /**
   * Returns a copy of an input, which is read once. The caller wipes the copy.
   *
   * Throws `SourceError`.
   */
  readInput(input: InputSource): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Identifies a long-running command, which opens its sources repeatedly. Keystores then do long
   * work in another thread, and may cache its result for the lifetime of this object.
   */
  readonly lifetime?: object;
  /**
   * Prompts on the controlling terminal without echo. Returns undefined if there is no terminal.
   */
  prompt(question: string): Promise<string | undefined>;
  /** Logs a message for the user to stderr. Never pass a secret. */
  info(message: string): void;
  /** Logs a message if `--debug` is on. Never pass a secret. */
  debug(message: string): void;
  /** Returns the wall-clock time. */
  now(): Date;
  /** Returns monotonic milliseconds, with an arbitrary origin. */
  monotonic(): number;
  sleep(milliseconds: number): Promise<void>;
  /**
   * Holds signals: until the result is disposed, SIGINT and SIGTERM do not end the process but
   * abort `signal`. The abort reason is an `interrupted` error. Use it for work that must be
   * undone: check the signal between steps, undo, throw its reason.
   */
  holdSignals(): SignalHold;
}

/** Result of {@link KeystoreContext.holdSignals}. */
export interface SignalHold extends Disposable {
  readonly signal: AbortSignal;
}
