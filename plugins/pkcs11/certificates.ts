/**
 * Finding certificates by a URI, and the issuers that stand on the same token.
 *
 * @module
 */
import type { Certificate } from "../../src/x509/certificate.ts";
import { hasIssued } from "../../src/x509/issuance.ts";
import { sameBytes } from "../../src/x509/public_key.ts";
import { needsLogin } from "./login.ts";
import { findCertificates, fingerprint, type TokenCertificate } from "./objects.ts";
import type { Search } from "./search.ts";
import { writeUri } from "./uri_building.ts";
import { objectCriteria } from "./uri_matching.ts";
import type { Session } from "./visit.ts";

/** A path longer than this is a circle, or useless: the service takes five. */
const LONGEST_PATH = 8;

/**
 * The certificates that a URI asks for, in the tokens it asks for. First without a login; where
 * nothing is found and exactly one token can be meant, with one, which shows private certificates.
 */
export async function searchCertificates(
  { visit, uri, tokens, login }: Search,
): Promise<TokenCertificate[]> {
  const criteria = objectCriteria(uri);
  const found: TokenCertificate[] = [];
  const search = async (session: Session) => {
    const note = (why: string) => visit.notes.push(why);
    found.push(...await findCertificates(session, criteria, note));
  };
  await visit.ofEach(tokens, search);
  const [only, another] = tokens;
  if (found.length > 0 || !only || another) return found;
  const session = await visit.session(only);
  if (!needsLogin(session)) return found;
  await login.toToken(session);
  await search(session);
  return found;
}

/**
 * Of several certificates those that can be the end-entity certificate: no authorities, unless there
 * is nothing else, and then none that issued another of them; each once.
 */
export async function endEntities(
  found: readonly TokenCertificate[],
): Promise<readonly TokenCertificate[]> {
  const distinct = found.filter((item, i) => found.findIndex((other) => isSame(item, other)) === i);
  const leaves = distinct.filter(({ certificate }) => !certificate.isAuthority);
  if (leaves.length > 0 || distinct.length < 2) return leaves.length > 0 ? leaves : distinct;
  const kept: TokenCertificate[] = [];
  for (const item of distinct) {
    let hasIssuedAnother = false;
    for (const other of distinct) {
      if (other !== item) {
        hasIssuedAnother ||= await hasIssued(item.certificate, other.certificate);
      }
    }
    if (!hasIssuedAnother) kept.push(item);
  }
  return kept.length > 0 ? kept : distinct;
}

const isSame = (a: TokenCertificate, b: TokenCertificate) =>
  a.session === b.session && sameBytes(a.certificate.encoded, b.certificate.encoded);

/**
 * The issuers of a certificate that the token holds, from the nearest on, each verified by the
 * signature on the one before. Self-signed ones are left out: the service has its trust anchor.
 */
export async function issuersOf(
  { session, certificate }: TokenCertificate,
): Promise<Certificate[]> {
  const path: Certificate[] = [];
  for (let below = certificate; path.length < LONGEST_PATH;) {
    if (sameBytes(below.issuer, below.subject)) break;
    const subject = below.issuer;
    const issuers: Certificate[] = [];
    for (const found of await findCertificates(session, { subject }, () => {})) {
      if (await hasIssued(found.certificate, below)) issuers.push(found.certificate);
    }
    // Of several, renewed or cross-signed, the one that lasts longest.
    const [issuer] = issuers.toSorted((a, b) => b.notAfter.getTime() - a.notAfter.getTime());
    if (!issuer || sameBytes(issuer.issuer, issuer.subject)) break;
    path.push(issuer);
    below = issuer;
  }
  return path;
}

/**
 * A URI of each certificate that names it and no other. Where label and CKA_ID do not, it holds the
 * certificate's SHA-256 as well.
 */
export async function certificateUris(
  certificates: readonly TokenCertificate[],
  { uri: asked, visit }: Search,
): Promise<string[]> {
  const all = await visit.tokens(); // also those that the URI asked for leaves out
  const plain = (item: TokenCertificate) =>
    writeUri(item.session.token, all, asked, { ...item, type: "cert" });
  const uris: string[] = [];
  for (const item of certificates) {
    const named = await findCertificates(item.session, namedAs(item), () => {});
    if (named.length === 1) {
      uris.push(plain(item));
      continue;
    }
    const sha256 = await fingerprint(item.certificate.encoded);
    uris.push(writeUri(item.session.token, all, asked, { ...item, type: "cert", sha256 }));
  }
  return uris;
}

/** What `writeUri` writes of a certificate: nothing of what is empty. */
function namedAs({ id, label }: TokenCertificate) {
  return { ...(id.length > 0 ? { id } : {}), ...(label.length > 0 ? { label } : {}) };
}
