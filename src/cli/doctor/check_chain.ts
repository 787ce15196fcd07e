/**
 * Check of the issuers: those that are sent and those that are left out. Pure.
 *
 * @module
 */
import type { Certificate } from "../../x509/certificate.ts";
import { readCertificateUsage, WEAK_SIGNATURES } from "../../x509/certificate_usage.ts";
import { formatName } from "../../x509/name.ts";
import { sameBytes } from "../../x509/public_key.ts";
import { day } from "./check_certificate.ts";
import { type Finding, found, okUnless } from "./finding.ts";
import type { Inspection } from "./check_context.ts";
import type { CertificateSet } from "./open_identity.ts";

/** Checks the chain, if a certificate was read. */
export function checkChain(
  { certificates, system }: Pick<Inspection, "certificates" | "system">,
): readonly Finding[] {
  if (!certificates) return [];
  const { endEntity, chain, given } = certificates;
  if (given.length === 0) {
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
    ...checkLeftOut(certificates),
    ...chain.flatMap((issuer) => checkIssuer(issuer, system.now())),
  ];
  if (chain.length === 0) return findings;
  const sent = given.filter((certificate) => isAmong(certificate, chain));
  if (chain.some(({ encoded }, i) => !sameBytes(encoded, sent[i]?.encoded ?? encoded))) {
    findings.push(
      found("chain-order", "the issuers are in another order than they are sent in; no harm"),
    );
  }
  const path = chain.map(({ subject }) => formatName(subject)).join(", then ");
  return okUnless(findings, found("chain", `sent with the certificate: ${path}`));
}

/** Checks the certificates that are not sent: an issuer may be missing because of one of them. */
function checkLeftOut({ endEntity, chain, given }: CertificateSet): Finding[] {
  const findings: Finding[] = [];
  const path = [endEntity, ...chain];
  const unrelated: Certificate[] = [];
  for (const certificate of given) {
    if (isAmong(certificate, chain)) continue;
    const below = path.find(({ issuer, subject }) =>
      sameBytes(certificate.subject, issuer) && !sameBytes(issuer, subject) &&
      !chain.some((sent) => sameBytes(sent.subject, issuer))
    );
    if (below) findings.push(whyLeftOut(certificate, below));
    else unrelated.push(certificate);
  }
  const [first] = unrelated;
  if (!first) return findings;
  if (chain.length === 0 && findings.length === 0) {
    findings.push(
      found(
        "chain-broken",
        `${namesOf(unrelated)} did not issue ${formatName(endEntity.subject)}, whose issuer is ${
          formatName(endEntity.issuer)
        }; name that issuer with --intermediates`,
      ),
    );
  } else {
    findings.push(
      found("chain-unused", `not sent, because not on the path: ${namesOf(unrelated)}; no harm`),
    );
  }
  return findings;
}

/** Returns the finding for a certificate that has the name of the issuer of `below`. */
function whyLeftOut(certificate: Certificate, below: Certificate): Finding {
  const name = formatName(certificate.subject);
  return certificate.isAuthority
    ? found(
      "chain-signature",
      `${formatName(below.subject)} was signed by another key than that of ${name}; ` +
        "name the right issuer",
    )
    : found(
      "chain-not-authority",
      `the issuer ${name} may not issue certificates (no CA:TRUE); it is not sent`,
    );
}

/** Returns up to three names, and the number of the others. */
function namesOf(certificates: readonly Certificate[]): string {
  const names = certificates.slice(0, 3).map(({ subject }) => formatName(subject)).join("; ");
  return certificates.length > 3 ? `${names} and ${certificates.length - 3} more` : names;
}

function isAmong({ encoded }: Certificate, others: readonly Certificate[]): boolean {
  return others.some((other) => sameBytes(other.encoded, encoded));
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
  const { keyUsage, signatureAlgorithm } = readCertificateUsage(issuer);
  if (keyUsage?.certificateSigning === false) {
    findings.push(
      found(
        "chain-not-authority",
        `the issuer ${name} may not issue certificates (its key usage lacks certificate signing)`,
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
