/**
 * Whether a certificate was really issued by another: the signature on it, verified (RFC 5280
 * section 6.1.3).
 *
 * @module
 */
import type { Certificate } from "./certificate.ts";
import { mayHaveIssued } from "./chain.ts";
import { contextTag, DerError, DerReader, readSequence, TAG } from "./der.ts";
import { type HashName, type SignatureScheme, verifySignature } from "./signature.ts";

/** Signature algorithms by object identifier (RFC 3279, 5758, 8410); RSA-PSS has parameters. */
const SCHEMES: Readonly<Record<string, SignatureScheme>> = {
  "1.2.840.113549.1.1.5": { name: "RSA", hash: "SHA-1" },
  "1.2.840.113549.1.1.11": { name: "RSA", hash: "SHA-256" },
  "1.2.840.113549.1.1.12": { name: "RSA", hash: "SHA-384" },
  "1.2.840.113549.1.1.13": { name: "RSA", hash: "SHA-512" },
  "1.2.840.10045.4.1": { name: "ECDSA", hash: "SHA-1" },
  "1.2.840.10045.4.3.2": { name: "ECDSA", hash: "SHA-256" },
  "1.2.840.10045.4.3.3": { name: "ECDSA", hash: "SHA-384" },
  "1.2.840.10045.4.3.4": { name: "ECDSA", hash: "SHA-512" },
  "1.3.101.112": { name: "Ed25519" },
};
const RSA_PSS = "1.2.840.113549.1.1.10";

/** Hash functions by object identifier, as the parameters of RSA-PSS name them (RFC 4055). */
const HASHES: Readonly<Record<string, HashName>> = {
  "1.3.14.3.2.26": "SHA-1",
  "2.16.840.1.101.3.4.2.1": "SHA-256",
  "2.16.840.1.101.3.4.2.2": "SHA-384",
  "2.16.840.1.101.3.4.2.3": "SHA-512",
};

/**
 * True when `issuer` is an authority, names and key identifiers agree, and its key verifies the
 * signature on `certificate`. False also for algorithms that cannot be verified here (ML-DSA).
 */
export async function hasIssued(issuer: Certificate, certificate: Certificate): Promise<boolean> {
  if (!issuer.isAuthority || !mayHaveIssued(issuer, certificate)) return false;
  const reader = readSequence(certificate.encoded);
  const message = reader.expect(TAG.sequence).encoded;
  const scheme = readScheme(reader.sequence());
  const signature = reader.bitString();
  return scheme !== undefined &&
    await verifySignature(issuer.subjectPublicKeyInfo, scheme, message, signature);
}

function readScheme(algorithm: DerReader): SignatureScheme | undefined {
  const oid = algorithm.objectIdentifier();
  if (oid !== RSA_PSS) return SCHEMES[oid];
  try {
    return readPssParameters(algorithm.sequence());
  } catch (thrown) {
    if (thrown instanceof DerError) return undefined;
    throw thrown;
  }
}

/** RSASSA-PSS-params (RFC 4055 section 3.1): SHA-1 and 20 bytes of salt where not said. */
function readPssParameters(parameters: DerReader): SignatureScheme | undefined {
  const hashElement = parameters.optional(contextTag(0, true));
  parameters.optional(contextTag(1, true)); // the mask function: over the same hash in practice
  const saltElement = parameters.optional(contextTag(2, true));
  const hash = hashElement
    ? HASHES[new DerReader(hashElement.contents).sequence().objectIdentifier()]
    : "SHA-1";
  const saltLength = saltElement ? new DerReader(saltElement.contents).smallInteger() : 20;
  return hash && { name: "RSA-PSS", hash, saltLength };
}
