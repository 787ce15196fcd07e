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
  /** The certificates that stand with the key, in their order; empty when they stand elsewhere. */
  readonly certificates: readonly Certificate[];
  /**
   * The signature over `message`: PKCS#1 v1.5 for RSA, DER `r, s` for EC, both over the digest;
   * ML-DSA (empty context) over the message itself, whatever the digest.
   */
  sign(message: Uint8Array, digest: Digest): Promise<Uint8Array>;
}

/** Said by a keystore whose source turned out to belong to another one (a TPM key in a PEM file). */
export interface BelongsElsewhere {
  readonly belongsTo: KeystoreUri;
}

/** A plugin: opens keys and reads certificates where its scheme points. */
export interface Keystore {
  /**
   * Opens the private key at `uri`.
   *
   * `beside` is the end-entity certificate when that stands elsewhere: of several keys, it tells
   * which is meant. Whether the one that is opened belongs to it is checked by the caller.
   *
   * Throws `HelperError` with a `key-…`, `certificate-…`, `secret-source` or
   * `keystore-unavailable` code.
   */
  openKey(
    uri: KeystoreUri,
    context: KeystoreContext,
    beside?: Certificate,
  ): Promise<Signer | BelongsElsewhere>;

  /** All certificates at `uri`, at least one, in their order, without touching a key. */
  readCertificates(uri: KeystoreUri, context: KeystoreContext): Promise<NonEmpty<Certificate>>;
}

/** The secrets a keystore may ask for, by the flag that gives them. */
export type SecretName = "pkcs8-password" | "tpm-key-password";

/** What touches the world outside, handed to keystores by the command line. */
export interface KeystoreContext {
  /** The secret given by flag or environment; undefined when none was given. */
  secret(name: SecretName): Promise<string | undefined>;
  /** Asks on the controlling terminal without echo; undefined when there is no terminal. */
  prompt(question: string): Promise<string | undefined>;
  /** Words for `--debug`; never a secret. */
  debug(words: string): void;
}
