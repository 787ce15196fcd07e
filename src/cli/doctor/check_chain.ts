/**
 * Checks the issuers, those that are sent and those that are not. Pure.
 *
 * @module
 */
import type { Certificate } from "../../x509/certificate.ts";
import { readCertificateUsage, WEAK_SIGNATURES } from "../../x509/certificate_usage.ts";
import { formatName } from "../../x509/name.ts";
import { sameBytes } from "../../x509/public_key.ts";
import { formatMinute } from "./check_certificate.ts";
import { type Finding, finding, okUnless } from "./finding.ts";
import type { CheckContext } from "./check_context.ts";
import type { CertificateSet } from "./open_identity.ts";

/** Checks the chain, if a certificate was read. */
export function checkChain(
  { certificates, system }: Pick<CheckContext, "certificates" | "system">,
): readonly Finding[] {
  if (!certificates) return [];
  const { endEntity, chain, given } = certificates;
  if (given.length === 0) {
    return [
      finding(
        "chain-none",
        `no issuers are sent, so the trust anchor must be ${
          formatName(endEntity.issuer)
        }; otherwise name the issuers with --intermediates`,
      ),
    ];
  }
  const findings = [
    ...checkLeftOut(certificates),
    ...chain.flatMap((issuer) => checkIssuer(issuer, system.now())),
  ];
  if (chain.length === 0) return findings;
  const sent = given.filter((certificate) => isIncluded(certificate, chain));
  if (chain.some(({ encoded }, i) => !sameBytes(encoded, sent[i]?.encoded ?? encoded))) {
    findings.push(
      finding(
        "chain-order",
        "the issuers are sent in the right order, not as given; nothing to do",
      ),
    );
  }
  const path = chain.map(({ subject }) => formatName(subject)).join(", then ");
  return okUnless(findings, finding("chain", `sent with the certificate: ${path}`));
}

/** Checks the certificates that are not sent: one of them may be the missing issuer. */
function checkLeftOut({ endEntity, chain, given }: CertificateSet): Finding[] {
  const findings: Finding[] = [];
  const path = [endEntity, ...chain];
  const unrelated: Certificate[] = [];
  for (const certificate of given) {
    if (isIncluded(certificate, chain)) continue;
    const below = path.find(({ issuer, subject }) =>
      sameBytes(certificate.subject, issuer) && !sameBytes(issuer, subject) &&
      !chain.some((sent) => sameBytes(sent.subject, issuer))
    );
    if (below) findings.push(explainLeftOut(certificate, below));
    else unrelated.push(certificate);
  }
  const [first] = unrelated;
  if (!first) return findings;
  if (chain.length === 0 && findings.length === 0) {
    findings.push(
      finding(
        "chain-broken",
        `${formatNames(unrelated)} did not issue ${
          formatName(endEntity.subject)
        }, whose issuer is ${formatName(endEntity.issuer)}; name that issuer with --intermediates`,
      ),
    );
  } else {
    findings.push(
      finding(
        "chain-unused",
        `not sent, because not on the path: ${formatNames(unrelated)}; nothing to do`,
      ),
    );
  }
  return findings;
}

/** Returns the finding for a certificate that has the name of the issuer of `below`. */
function explainLeftOut(certificate: Certificate, below: Certificate): Finding {
  const name = formatName(certificate.subject);
  return certificate.isAuthority
    ? finding(
      "chain-signature",
      `${formatName(below.subject)} was signed by another key than that of ${name}; ` +
        "name the right issuer",
    )
    : finding(
      "chain-not-authority",
      `the issuer ${name} may not issue certificates (no CA:TRUE); it is not sent`,
    );
}

/** Returns up to three names, and the number of the others. */
function formatNames(certificates: readonly Certificate[]): string {
  const names = certificates.slice(0, 3).map(({ subject }) => formatName(subject)).join("; ");
  return certificates.length > 3 ? `${names} and ${certificates.length - 3} more` : names;
}

function isIncluded({ encoded }: Certificate, others: readonly Certificate[]): boolean {
  return others.some((other) => sameBytes(other.encoded, encoded));
}

function checkIssuer(issuer: Certificate, now: Date): Finding[] {
  const name = formatName(issuer.subject);
  const findings: Finding[] = [];
  if (now > issuer.notAfter || now < issuer.notBefore) {
    findings.push(
      finding(
        "chain-expired",
        `the issuer ${name} is valid from ${formatMinute(issuer.notBefore)} to ${
          formatMinute(issuer.notAfter)
        } only; use a valid one`,
      ),
    );
  }
  const { keyUsage, signatureAlgorithm } = readCertificateUsage(issuer);
  if (keyUsage?.certificateSigning === false) {
    findings.push(
      finding(
        "chain-not-authority",
        `the issuer ${name} may not issue certificates (its key usage lacks certificate signing)`,
      ),
    );
  }
  const weak = WEAK_SIGNATURES[signatureAlgorithm];
  // A self-signed certificate is trusted as the trust anchor, not for its signature.
  if (weak && !sameBytes(issuer.subject, issuer.issuer)) {
    findings.push(
      finding(
        "chain-weak-signature",
        `the issuer ${name} is signed with ${weak}; issue it with SHA-256`,
      ),
    );
  }
  return findings;
}
