import { type Certificate, sameBytes } from "./certificate.ts";
import { Refusal } from "./refusals.ts";
import { type HashName, verifySignature } from "./signature.ts";

/**
 * Signature algorithms of certificates: the service takes SHA-256 or stronger, never SHA-1 or MD5.
 * RSA-PSS is not supported: its parameters cannot be passed to node:crypto here.
 */
const SIGNATURE_HASHES: Readonly<Record<string, HashName>> = {
  "1.2.840.113549.1.1.11": "SHA-256",
  "1.2.840.113549.1.1.12": "SHA-384",
  "1.2.840.113549.1.1.13": "SHA-512",
  "1.2.840.10045.4.3.2": "SHA-256",
  "1.2.840.10045.4.3.3": "SHA-384",
  "1.2.840.10045.4.3.4": "SHA-512",
  // ML-DSA includes hashing: verifySignature() ignores the name.
  "2.16.840.1.101.3.4.3.17": "SHA-512",
  "2.16.840.1.101.3.4.3.18": "SHA-512",
  "2.16.840.1.101.3.4.3.19": "SHA-512",
};

/**
 * Finds a path from the end-entity certificate through `intermediates` (in any order) to a trust
 * anchor, and returns the anchor. Throws Refusal if no path exists that is valid at `time`.
 */
export async function findTrustAnchor(
  endEntity: Certificate,
  intermediates: readonly Certificate[],
  trustAnchors: readonly Certificate[],
  time: Date,
): Promise<Certificate> {
  requireValidity(endEntity, time);
  const anchor = await climb(endEntity, 0);
  if (anchor === undefined) throw new Refusal("untrusted");
  requireValidity(anchor, time);
  return anchor;

  async function climb(child: Certificate, depth: number): Promise<Certificate | undefined> {
    for (const candidate of trustAnchors) {
      if (await issued(candidate, child, depth)) return candidate;
    }
    if (depth >= intermediates.length) return undefined;
    for (const candidate of intermediates) {
      if (validityOf(candidate, time) !== "valid") continue;
      if (!await issued(candidate, child, depth)) continue;
      const found = await climb(candidate, depth + 1);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

async function issued(issuer: Certificate, child: Certificate, below: number): Promise<boolean> {
  if (!sameBytes(issuer.subject, child.issuer) || !issuer.isAuthority) return false;
  if (issuer.keyUsage?.certificateSigning === false) return false;
  if (issuer.pathLength !== undefined && below > issuer.pathLength) return false;
  const hash = SIGNATURE_HASHES[child.signatureAlgorithm];
  if (hash === undefined) return false;
  return await verifySignature(issuer.publicKeyInfo, hash, child.toBeSigned, child.signature);
}

function validityOf(certificate: Certificate, time: Date): "valid" | "expired" | "not-yet-valid" {
  if (time < certificate.notBefore) return "not-yet-valid";
  return time > certificate.notAfter ? "expired" : "valid";
}

function requireValidity(certificate: Certificate, time: Date): void {
  const validity = validityOf(certificate, time);
  if (validity !== "valid") throw new Refusal(`certificate-${validity}`, certificate.commonName);
}
