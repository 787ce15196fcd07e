/**
 * Whether the issuers that would be sent lead from the certificate upwards. Pure.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { X509Certificate } from "node:crypto";
import type { Certificate } from "../../x509/certificate.ts";
import { readCertificateProfile, WEAK_SIGNATURES } from "../../x509/certificate_profile.ts";
import { mayHaveIssued } from "../../x509/chain.ts";
import { formatName } from "../../x509/name.ts";
import { sameBytes } from "../../x509/public_key.ts";
import { day } from "./check_certificate.ts";
import { type Finding, found, orWell } from "./finding.ts";
import type { Inspection } from "./inspection.ts";

/** Checks the chain, if a certificate was read. */
export function checkChain(
  { certificates, world }: Pick<Inspection, "certificates" | "world">,
): readonly Finding[] {
  if (!certificates) return [];
  const { endEntity, chain, given } = certificates;
  if (chain.length === 0) {
    return [
      found(
        "chain-none",
        `no issuers are sent: the trust anchor must be ${
          formatName(endEntity.issuer)
        } itself; else name the issuers with --intermediates`,
      ),
    ];
  }
  const findings = [
    ...chain.flatMap((issuer, i) => checkLink(issuer, chain[i - 1] ?? endEntity)),
    ...chain.flatMap((issuer) => checkIssuer(issuer, world.now())),
  ];
  if (chain.some(({ encoded }, i) => !sameBytes(encoded, given[i]?.encoded ?? encoded))) {
    findings.push(
      found("chain-order", "the issuers stand in another order than they are sent in; no harm"),
    );
  }
  const path = chain.map(({ subject }) => formatName(subject)).join(", then ");
  return orWell(findings, found("chain", `sent with the certificate: ${path}`));
}

function checkLink(issuer: Certificate, below: Certificate): Finding[] {
  const [upper, lower] = [formatName(issuer.subject), formatName(below.subject)];
  // The name alone may be right, and the key another: a successor's, or a namesake's.
  const sameName = sameBytes(issuer.subject, below.issuer);
  if (!sameName) {
    return [
      found(
        "chain-broken",
        `${upper} did not issue ${lower}, whose issuer is ${
          formatName(below.issuer)
        }; leave it out, and name what is missing with --intermediates`,
      ),
    ];
  }
  if (!mayHaveIssued(issuer, below) || hasSigned(issuer, below) === false) {
    return [
      found(
        "chain-signature",
        `${lower} was signed by another key than that of ${upper}; name the right issuer`,
      ),
    ];
  }
  return [];
}

/** Undefined when the runtime does not know the algorithm. */
function hasSigned(issuer: Certificate, below: Certificate): boolean | undefined {
  try {
    const key = new X509Certificate(Buffer.from(issuer.encoded)).publicKey;
    return new X509Certificate(Buffer.from(below.encoded)).verify(key);
  } catch {
    return undefined;
  }
}

function checkIssuer(issuer: Certificate, now: Date): Finding[] {
  const name = formatName(issuer.subject);
  const findings: Finding[] = [];
  if (now > issuer.notAfter || now < issuer.notBefore) {
    findings.push(
      found(
        "chain-expired",
        `the issuer ${name} is valid from ${day(issuer.notBefore)} to ${
          day(issuer.notAfter)
        } only; use its successor`,
      ),
    );
  }
  const { isAuthority, keyUsage, signatureAlgorithm } = readCertificateProfile(issuer);
  if (!isAuthority || keyUsage?.certificateSigning === false) {
    findings.push(
      found(
        "chain-not-authority",
        `the issuer ${name} may not issue certificates (no CA:TRUE, or no such key usage)`,
      ),
    );
  }
  const weak = WEAK_SIGNATURES[signatureAlgorithm];
  // What signs itself is trusted for being the trust anchor, not for its signature.
  if (weak && !sameBytes(issuer.subject, issuer.issuer)) {
    findings.push(
      found("chain-weak-signature", `the issuer ${name} is signed with ${weak}; issue it anew`),
    );
  }
  return findings;
}
