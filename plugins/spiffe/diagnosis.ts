/**
 * Checks of an SVID for `doctor`: its trust domain, and the authority that the trust anchor needs.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { printableName } from "../../src/errors.ts";
import type { Diagnosis } from "../../src/keystore/types.ts";
import type { Certificate } from "../../src/x509/certificate.ts";
import { readCertificateUsage } from "../../src/x509/certificate_usage.ts";
import { formatName } from "../../src/x509/name.ts";
import { buildChain, removeDuplicates } from "../../src/x509/path.ts";
import { sameBytes } from "../../src/x509/public_key.ts";
import { type Target, trustDomainOf } from "./address.ts";
import { MAX_CERTIFICATES, readCertificates, type Svid } from "./svid.ts";

const DAY = 86_400_000;
/** Days before expiry from which the trust anchor must be prepared. */
const RENEWAL_DAYS = 14;
/** Maximum number of SPIFFE IDs in a message. */
export const MAX_LISTED_IDS = 10;

/** Returns the results of the checks, the identity first. */
export async function diagnoseSvid(
  { name, id }: Target,
  svid: Svid,
  all: readonly Svid[],
  now: Date,
): Promise<Diagnosis[]> {
  const others = all.filter((other) => other !== svid).slice(0, MAX_LISTED_IDS)
    .map((other) => printableName(other.id));
  const choice = others.length > 0 && id === undefined
    ? `, the first of ${all.length}; others: ${others.join(", ")}`
    : "";
  return [
    { level: "ok", message: `${name}: the SPIFFE agent issues ${printableName(svid.id)}${choice}` },
    ...await checkTrustDomain(svid, now),
  ];
}

/** Checks that an authority in the trust bundle issued the SVID. */
async function checkTrustDomain(svid: Svid, now: Date): Promise<Diagnosis[]> {
  const domain = trustDomainOf(svid.id);
  let bundle: readonly Certificate[];
  try {
    bundle = readCertificates(svid.bundle);
  } catch {
    return [{ level: "problem", message: `the bundle of trust domain ${domain} is malformed` }];
  }
  const [certificate, ...intermediates] = svid.certificates;
  const candidates = removeDuplicates([...intermediates, ...bundle]);
  const { issuers } = await buildChain(certificate, candidates, MAX_CERTIFICATES);
  const anchors = issuers.filter((issuer) =>
    bundle.some(({ encoded }) => sameBytes(encoded, issuer.encoded))
  );
  if (anchors.length === 0) {
    return [{
      level: "problem",
      message: `${printableName(svid.id)}: no authority in the bundle of trust domain ${domain} ` +
        "issued the SVID; check the SPIFFE server",
    }];
  }
  return (await Promise.all(anchors.map((anchor) => describeAnchor(anchor, domain, now)))).flat();
}

/** Describes an authority, and warns if Roles Anywhere refuses it or it is replaced soon. */
async function describeAnchor(
  authority: Certificate,
  domain: string,
  now: Date,
): Promise<Diagnosis[]> {
  const digest = await crypto.subtle.digest("SHA-256", new Uint8Array(authority.encoded));
  const label = `the authority ${formatName(authority.subject)} of trust domain ${domain}`;
  const found: Diagnosis[] = [{
    level: "note",
    message: `the trust anchor must contain ${label}, SHA-256 ${
      encodeHex(new Uint8Array(digest)).slice(0, 16)
    }…`,
  }];
  if (readCertificateUsage(authority).keyUsage?.certificateSigning === false) {
    found.push({
      level: "problem",
      message: `${label} has no key usage certificate signing; Roles Anywhere refuses it`,
    });
  }
  const days = Math.floor((authority.notAfter.getTime() - now.getTime()) / DAY);
  if (days < RENEWAL_DAYS) {
    found.push({
      level: "warning",
      message: `${label} expires in ${days} days; add the next one to the trust anchor, ` +
        "or use an UpstreamAuthority",
    });
  }
  return found;
}
