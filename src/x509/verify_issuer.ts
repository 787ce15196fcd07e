/**
 * Verification of the issuer's signature on a certificate (RFC 5280 section 6.1.3).
 *
 * @module
 */
import { type Certificate, publicKeyOf } from "./certificate.ts";
import { mayHaveIssued } from "./chain.ts";
import { contextTag, DerError, DerReader, readSequence, TAG } from "./der.ts";
import { KEY_TYPES, KeyTypeError } from "./key_types.ts";
import type { PublicKey } from "./public_key.ts";
import { type Digest, verifySignature } from "./verify_signature.ts";

/**
 * Digests of RSA and EC signature algorithms, by object identifier (RFC 5758). The service does not
 * accept SHA-1.
 */
const DIGESTS: Readonly<Record<string, Digest>> = {
  "1.2.840.113549.1.1.11": "SHA-256",
  "1.2.840.113549.1.1.12": "SHA-384",
  "1.2.840.113549.1.1.13": "SHA-512",
  "1.2.840.10045.4.3.2": "SHA-256",
  "1.2.840.10045.4.3.3": "SHA-384",
  "1.2.840.10045.4.3.4": "SHA-512",
};
const RSA_PSS = "1.2.840.113549.1.1.10";

/** Hash functions in the parameters of RSA-PSS, by object identifier (RFC 4055). */
const HASHES: Readonly<Record<string, Digest>> = {
  "2.16.840.1.101.3.4.2.1": "SHA-256",
  "2.16.840.1.101.3.4.2.2": "SHA-384",
  "2.16.840.1.101.3.4.2.3": "SHA-512",
};

/** The result of {@link checkIssuance}. */
export type Issuance = "verified" | "refuted" | "unverifiable";

/**
 * Returns "verified" if `issuer` is an authority, names and key identifiers match, and its key
 * verifies the signature on `certificate`. Returns "unverifiable" if the algorithm of the signature
 * or of the key is not supported here.
 */
export async function checkIssuance(
  issuer: Certificate,
  certificate: Certificate,
): Promise<Issuance> {
  if (!issuer.isAuthority || !mayHaveIssued(issuer, certificate)) return "refuted";
  try {
    const reader = readSequence(certificate.encoded);
    const message = reader.expect(TAG.sequence).encoded;
    const algorithm = reader.sequence();
    const oid = algorithm.objectIdentifier();
    const signature = reader.bitString();
    const key = publicKeyOf(issuer);
    if (oid === RSA_PSS) return await verifyPss(key, message, algorithm.sequence(), signature);
    // ML-DSA signatures have the object identifier of the key, and no separate digest.
    const digest = DIGESTS[oid] ?? (Object.hasOwn(KEY_TYPES, oid) ? "SHA-512" : undefined);
    if (digest === undefined) return "unverifiable";
    return toIssuance(await verifySignature(key, message, digest, signature));
  } catch (thrown) {
    if (thrown instanceof KeyTypeError) return "unverifiable";
    // A malformed key or signature, or a key whose type does not match the algorithm.
    if (thrown instanceof DerError || thrown instanceof DOMException) return "refuted";
    throw thrown;
  }
}

/** Returns true if {@link checkIssuance} verifies that `issuer` issued `certificate`. */
export async function hasIssued(issuer: Certificate, certificate: Certificate): Promise<boolean> {
  return await checkIssuance(issuer, certificate) === "verified";
}

function toIssuance(isValid: boolean): Issuance {
  return isValid ? "verified" : "refuted";
}

/** Verifies RSASSA-PSS (RFC 4055 section 3.1). The default hash of the parameters is SHA-1. */
async function verifyPss(
  { keyType, encoded }: PublicKey,
  message: Uint8Array,
  parameters: DerReader,
  signature: Uint8Array,
): Promise<Issuance> {
  const hashElement = parameters.optional(contextTag(0, true));
  parameters.optional(contextTag(1, true)); // mask generation function: uses the same hash in practice
  const saltElement = parameters.optional(contextTag(2, true));
  const hash = hashElement &&
    HASHES[new DerReader(hashElement.contents).sequence().objectIdentifier()];
  if (keyType !== "RSA") return "refuted";
  if (!hash) return "unverifiable";
  const saltLength = saltElement ? new DerReader(saltElement.contents).smallInteger() : 20;
  const name = "RSA-PSS";
  const spki = Uint8Array.from(encoded);
  const key = await crypto.subtle.importKey("spki", spki, { name, hash }, false, ["verify"]);
  const isValid = await crypto.subtle.verify(
    { name, saltLength },
    key,
    Uint8Array.from(signature),
    Uint8Array.from(message),
  );
  return toIssuance(isValid);
}
