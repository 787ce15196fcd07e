/**
 * The contract between the program and its keystores. A keystore is a plugin, chosen by the scheme
 * of a {@link KeystoreUri}; whoever adds one implements {@link Keystore} and nothing else.
 *
 * @module
 */
import type { Certificate } from "../x509/certificate.ts";
import type { NonEmpty } from "../x509/chain.ts";
import type { PublicKey } from "../x509/public_key.ts";
import type { KeystoreUri } from "./uri.ts";

/** The hash functions a message may be signed with, by their WebCrypto names. */
export type Digest = "SHA-256" | "SHA-384" | "SHA-512";

/** A private key that is ready to sign, and what stands with it. */
export interface Signer extends AsyncDisposable {
  readonly publicKey: PublicKey;
  /** The key lies in this process's memory and nothing else is held: it may be kept between uses. */
  readonly inMemory?: true;
  /** The certificates that stand with the key, in their order; empty when they stand elsewhere. */
  readonly certificates: readonly Certificate[];
  /**
   * The signature over `message`: PKCS#1 v1.5 for RSA, DER `r, s` for EC, both over the digest;
   * ML-DSA (empty context) over the message itself, whatever the digest.
   */
  sign(message: Uint8Array, digest: Digest): Promise<Uint8Array>;
}

/** Said by a keystore whose source turned out to belong to another one (a TPM key in a PEM file). */
export interface KeyReference {
  readonly belongsTo: KeystoreUri;
  /** The certificates that stand in the source, in their order; they count as the signer's own. */
  readonly certificates?: readonly Certificate[];
}

/** Said by a keystore that keeps keys whole (sealed in a TPM), for {@link SoftwareKeyOpener}. */
export interface SoftwareKey {
  /** One private key, PEM or DER; whoever opens it wipes it. */
  readonly softwareKey: Uint8Array<ArrayBuffer>;
}

/** The native library that a keystore calls, for `doctor`. */
export interface NativeLibrary {
  /** Name in messages, such as "the TPM library". */
  readonly title: string;
  /** File name for the system's loader; absent if the keystore is a {@link LibraryReporter}. */
  readonly name?: string;
  /** Advice for a library that is missing. */
  readonly advice?: string;
}

/** A plugin: opens keys and reads certificates where its scheme points. */
export interface Keystore {
  /** The library that `doctor` looks for; absent if the keystore calls none. */
  readonly library?: NativeLibrary;

  /**
   * Opens the private key at `uri`.
   *
   * `certificate` is the end-entity certificate when that stands elsewhere: of several keys, it tells
   * which is meant. Whether the one that is opened belongs to it is checked by the caller.
   *
   * Throws `HelperError` with a `key-…`, `certificate-…`, `secret-source` or
   * `keystore-unavailable` code.
   */
  openKey(
    uri: KeystoreUri,
    context: KeystoreContext,
    certificate?: Certificate,
  ): Promise<Signer | KeyReference | SoftwareKey>;

  /** All certificates at `uri`, at least one, in their order, without touching a key. */
  readCertificates(uri: KeystoreUri, context: KeystoreContext): Promise<NonEmpty<Certificate>>;
}

/** What the keystore of files can do besides: open a private key that another keystore kept. */
export interface SoftwareKeyOpener {
  /**
   * Opens the key that `contents` are and wipes them. Messages name it by `label`.
   *
   * Throws as `openKey` does; `key-format` when they are not exactly one private key.
   */
  openSoftwareKey(
    contents: Uint8Array<ArrayBuffer>,
    label: string,
    context: KeystoreContext,
  ): Promise<Signer>;
}

/** Whether a keystore can open keys that others kept. */
export function isSoftwareKeyOpener(
  keystore: Keystore,
): keystore is Keystore & SoftwareKeyOpener {
  return "openSoftwareKey" in keystore;
}

/** An optional capability of a keystore: reads a bundle that may hold no certificates. */
export interface BundleReader {
  /** Returns all certificates at `uri`, in their order. Throws as `readCertificates` otherwise. */
  readBundle(uri: KeystoreUri, context: KeystoreContext): Promise<readonly Certificate[]>;
}

/** Returns true for a keystore that can read bundles. */
export function isBundleReader(keystore: Keystore): keystore is Keystore & BundleReader {
  return "readBundle" in keystore;
}

/** A certificate that a token or store holds, as `read-certificate-data` lists it. */
export interface ListedCertificate {
  readonly certificate: Certificate;
  /** A URI that names exactly this certificate, where the keystore has URIs. */
  readonly uri?: string;
  /** What `--cert-selector` takes for exactly this certificate, where the keystore is a store. */
  readonly selector?: string;
}

/** What a keystore of many certificates can do besides: list those that a URI matches. */
export interface CertificateLister {
  /** The matching certificates, in a stable order; none is no error. Touches no key. */
  listCertificates(
    uri: KeystoreUri,
    context: KeystoreContext,
  ): Promise<readonly ListedCertificate[]>;
}

/** Whether a keystore can list what matches. */
export function isLister(keystore: Keystore): keystore is Keystore & CertificateLister {
  return "listCertificates" in keystore;
}

/** The library of others that a keystore uses, as `doctor` tells of it. */
export interface LibraryReport {
  readonly path: string;
  /** What it is called and its version, by itself. */
  readonly version: string;
}

/** What a keystore can do besides whose library can be named and can tell its version. */
export interface LibraryReporter {
  /** The library that would be used. Throws `keystore-unavailable` when there is none. */
  reportLibrary(context: KeystoreContext): Promise<LibraryReport>;
}

/** Whether a keystore can tell of its library. */
export function isLibraryReporter(keystore: Keystore): keystore is Keystore & LibraryReporter {
  return "reportLibrary" in keystore;
}

/** The secrets a keystore may ask for, by the flag that gives them. */
export type SecretName =
  | "pkcs8-password"
  | "context-pin"
  | "tpm-key-password"
  | "tpm-parent-password"
  | "keychain-password";

/** Texts that flags give to keystores. */
export type SettingName = "pkcs11-lib" | "system-store-name" | "system-store-location";

/** Switches that flags give to keystores. */
export type SwitchName = "reuse-pin" | "no-tpm-key-password" | "use-latest-expiring-certificate";

/** What touches the world outside, handed to keystores by the command line. */
export interface KeystoreContext {
  /** The secret given by flag or environment; undefined when none was given. */
  secret(name: SecretName): Promise<string | undefined>;
  /**
   * The text given by flag or environment, or the flag's default. With `given`, only what was given
   * to this program: by the flag or the flag's own variable, not by another program's variable.
   */
  setting(name: SettingName, only?: "given"): string | undefined;
  /** Whether the switch is on. */
  isOn(name: SwitchName): boolean;
  /** A variable of the environment. */
  environment(name: string): string | undefined;
  /**
   * Identifies a command that stays and opens its sources again and again. Long work then goes to
   * another thread, and its result may be kept for as long as this object is.
   */
  readonly lifetime?: object;
  /** Asks on the controlling terminal without echo; undefined when there is no terminal. */
  prompt(question: string): Promise<string | undefined>;
  /** Tells the user something that must be known even without `--debug`; never a secret. */
  say(words: string): void;
  /** Words for `--debug`; never a secret. */
  debug(words: string): void;
  /** Returns the time of the wall clock. */
  now(): Date;
  /** Milliseconds from any origin, never going back. */
  monotonic(): number;
  sleep(milliseconds: number): Promise<void>;
  /**
   * Until it is disposed of, SIGINT and SIGTERM do not end the process but abort `signal`, whose
   * reason is an `interrupted` error. For work that must be undone before the process may end: look
   * at the signal between steps, undo, throw its reason.
   */
  holdSignals(): SignalHold;
}

/** What {@link KeystoreContext.holdSignals} gives. */
export interface SignalHold extends Disposable {
  readonly signal: AbortSignal;
}
