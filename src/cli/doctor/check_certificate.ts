/**
 * Checks that Roles Anywhere accepts the end-entity certificate. Pure. Source: "Trust model in IAM
 * Roles Anywhere", signature verification and end-entity certificates, User Guide.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createPublicKey } from "node:crypto";
import { messageOf } from "../../errors.ts";
import { descriptionOf } from "../../keystore/uri.ts";
import type { Certificate } from "../../x509/certificate.ts";
import {
  type CertificateUsage,
  readCertificateUsage,
  WEAK_SIGNATURES,
} from "../../x509/certificate_usage.ts";
import { formatName } from "../../x509/name.ts";
import { type Finding, finding, type FindingName, okUnless, RENEWAL_DAYS } from "./finding.ts";
import type { CheckContext } from "./check_context.ts";

const DAY = 86_400_000;
/** Minimum length of a strong RSA key (NIST SP 800-131A). */
const MIN_RSA_BITS = 2048;

/** Checks the end-entity certificate, if one was read. */
export function checkCertificate(
  { certificates, system, source }: Pick<CheckContext, "certificates" | "system" | "source">,
): readonly Finding[] {
  if (!certificates) return [];
  const from = source?.certificate ?? source?.privateKey;
  const isRenewed = from !== undefined && descriptionOf(from.scheme).renews === true;
  const { endEntity } = certificates;
  const name = formatName(endEntity.subject) || "(empty subject)";
  let profile: CertificateUsage;
  try {
    profile = readCertificateUsage(endEntity);
  } catch (thrown) {
    return [finding("certificate-format", `the certificate ${name}: ${messageOf(thrown)}`)];
  }
  return okUnless(
    [
      ...checkValidity(endEntity, name, system.now(), isRenewed),
      ...checkUse(endEntity, name, profile),
    ],
    finding(
      "certificate",
      `the certificate ${name} is an end-entity certificate for signatures, valid until ${
        formatMinute(endEntity.notAfter)
      }`,
    ),
  );
}

/** Checks the validity. One that the keystore renews may expire soon. */
function checkValidity(
  { notBefore, notAfter }: Certificate,
  name: string,
  now: Date,
  isRenewed: boolean,
): Finding[] {
  if (now > notAfter) {
    return [
      finding(
        "certificate-expired",
        `the certificate ${name} expired on ${formatMinute(notAfter)}; renew it`,
      ),
    ];
  }
  if (now < notBefore) {
    const advice = "wait, or check this machine's clock";
    return [
      finding(
        "certificate-not-yet-valid",
        `the certificate ${name} is not valid before ${formatMinute(notBefore)}; ${advice}`,
      ),
    ];
  }
  const days = Math.floor((notAfter.getTime() - now.getTime()) / DAY);
  if (days >= RENEWAL_DAYS || isRenewed) return [];
  return [
    finding(
      "certificate-expires-soon",
      `the certificate ${name} expires in ${days} days; renew it`,
    ),
  ];
}

function checkUse(certificate: Certificate, name: string, profile: CertificateUsage): Finding[] {
  const { version, isAuthority, keyUsage, signatureAlgorithm } = profile;
  const findings: Finding[] = [];
  const add = (code: FindingName, problem: string) =>
    findings.push(finding(code, `the certificate ${name} ${problem}`));
  if (version !== 3) {
    add("certificate-version", `is X.509 version ${version}; issue one of version 3`);
  }
  if (isAuthority) {
    add(
      "certificate-is-authority",
      "is a CA certificate (CA:TRUE); use the end-entity certificate",
    );
  }
  if (isAuthority === undefined) {
    add("certificate-constraints", "has no basic constraints; issue one with CA:FALSE");
  }
  if (!keyUsage?.digitalSignature) {
    add(
      "certificate-key-usage",
      "does not have the key usage digital signature; issue one with it",
    );
  }
  const weak = WEAK_SIGNATURES[signatureAlgorithm];
  if (weak) add("certificate-signature", `is signed with ${weak}; issue one with SHA-256`);
  const bits = readRsaBits(certificate);
  if (bits !== undefined && bits < MIN_RSA_BITS) {
    add("certificate-weak-key", `has an RSA key of ${bits} bits; use 2048 or more, or EC`);
  }
  // An empty Name is a SEQUENCE without contents.
  if (certificate.subject.length <= 2) {
    add("certificate-subject", "has an empty subject, so no role can be limited to it; add a CN");
  }
  return findings;
}

/** Returns the length of an RSA key, or undefined for others. */
function readRsaBits({ subjectPublicKeyInfo }: Certificate): number | undefined {
  try {
    const key = createPublicKey({
      key: Buffer.from(subjectPublicKeyInfo),
      format: "der",
      type: "spki",
    });
    return key.asymmetricKeyDetails?.modulusLength;
  } catch {
    return undefined; // the check of the key reports it
  }
}

/** Formats a time to the minute, UTC. */
export function formatMinute(time: Date): string {
  return `${time.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
