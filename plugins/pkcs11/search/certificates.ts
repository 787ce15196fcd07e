/**
 * Finds certificates by a URI, and their issuers on the same token.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import type { Certificate } from "../../../src/x509/certificate.ts";
import { isRenewal, sortByPreference } from "../../../src/x509/chain.ts";
import { hasIssued } from "../../../src/x509/verify_issuer.ts";
import { sameBytes } from "../../../src/x509/public_key.ts";
import { needsLogin } from "../login/login.ts";
import { findCertificates, sha256Hex, type TokenCertificate } from "../objects/find.ts";
import { LoginDeferredError, type SearchContext } from "./context.ts";
import { formatUri } from "../uri/format.ts";
import { parseObjectCriteria } from "../uri/match.ts";
import type { Session } from "../module/session_pool.ts";

/** Maximum length of a path; the service accepts five certificates. */
const MAX_PATH_LENGTH = 8;

/**
 * Returns the certificates that match a URI. If none is visible and exactly one token matches, logs in
 * and searches again, because certificates can be private.
 */
export async function searchCertificates(
  { pool, uri, tokens, login, mayLogIn }: SearchContext,
): Promise<TokenCertificate[]> {
  const criteria = parseObjectCriteria(uri);
  const found: TokenCertificate[] = [];
  const search = async (session: Session) => {
    const note = (why: string) => pool.warnings.push(why);
    found.push(...await findCertificates(session, criteria, note));
  };
  await pool.forEachToken(tokens, search);
  const [only, another] = tokens;
  if (found.length > 0 || !only || another) return found;
  const session = await pool.session(only);
  if (!needsLogin(session)) return found;
  if (!mayLogIn) throw new LoginDeferredError();
  await login.loginUser(session);
  await search(session);
  return found;
}

/**
 * Returns the certificates that can be the end-entity certificate. Authorities are only returned if
 * there is nothing else, without those that issued another one. Of a certificate and its renewals
 * on a token, only one is returned. It is the one that is valid at `now` and expires last.
 */
export async function selectEndEntities(
  found: readonly TokenCertificate[],
  now: Date,
): Promise<readonly TokenCertificate[]> {
  const distinct = found.filter((item, i) => found.findIndex((other) => isSame(item, other)) === i);
  const leaves = distinct.filter(({ certificate }) => !certificate.isAuthority);
  return removeRenewed(leaves.length > 0 ? leaves : await removeIssuers(distinct), now);
}

function removeRenewed(items: readonly TokenCertificate[], now: Date): TokenCertificate[] {
  const ordered = sortByPreference(items, now, ({ certificate }) => certificate);
  const isSuperseded = (item: TokenCertificate) =>
    ordered.slice(0, ordered.indexOf(item)).some((better) =>
      better.session === item.session && isRenewal(better.certificate, item.certificate)
    );
  return items.filter((item) => !isSuperseded(item));
}

async function removeIssuers(
  distinct: readonly TokenCertificate[],
): Promise<readonly TokenCertificate[]> {
  if (distinct.length < 2) return distinct;
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
 * Returns the issuers of a certificate on the token, nearest first, each verified by a signature.
 * Renewed and cross-signed ones are all returned. Self-signed ones are left out, because the service
 * has its trust anchor.
 */
export async function findIssuers(
  { session, certificate }: TokenCertificate,
): Promise<Certificate[]> {
  const path: Certificate[] = [];
  let level: readonly Certificate[] = [certificate];
  for (let length = 0; level.length > 0 && length < MAX_PATH_LENGTH; length++) {
    const next: Certificate[] = [];
    for (const below of level) {
      for (const issuer of await findDirectIssuers(session, below)) {
        const isKnown = [certificate, ...path, ...next].some(({ encoded }) =>
          sameBytes(encoded, issuer.encoded)
        );
        if (!isKnown) next.push(issuer);
      }
    }
    path.push(...next);
    level = next;
  }
  return path;
}

async function findDirectIssuers(session: Session, below: Certificate): Promise<Certificate[]> {
  const subject = below.issuer;
  const issuers: Certificate[] = [];
  for (const { certificate } of await findCertificates(session, { subject }, () => {})) {
    const isSelfSigned = sameBytes(certificate.issuer, certificate.subject);
    if (!isSelfSigned && await hasIssued(certificate, below)) issuers.push(certificate);
  }
  return issuers;
}

/**
 * Returns a URI for each certificate that matches only it. If label and CKA_ID are not unique, the URI
 * includes the certificate's SHA-256.
 */
export async function formatCertificateUris(
  certificates: readonly TokenCertificate[],
  { uri: asked, pool }: SearchContext,
): Promise<string[]> {
  const all = await pool.tokens(); // also those that do not match the URI
  const plain = (item: TokenCertificate) =>
    formatUri(item.session.token, all, asked, { ...item, type: "cert" });
  const namesakes = new Map<Session, Map<string, number>>();
  const uris: string[] = [];
  for (const item of certificates) {
    const counts = namesakes.get(item.session) ?? await countNames(item.session);
    namesakes.set(item.session, counts);
    if (counts.get(nameOf(item)) === 1) {
      uris.push(plain(item));
      continue;
    }
    const sha256 = await sha256Hex(item.certificate.encoded);
    uris.push(formatUri(item.session.token, all, asked, { ...item, type: "cert", sha256 }));
  }
  return uris;
}

/** Counts the certificates that a URI with the CKA_ID and label of one would match, by name. */
async function countNames(session: Session): Promise<Map<string, number>> {
  const found = await findCertificates(session, {}, () => {});
  const counts = new Map<string, number>();
  for (const { id, label } of found) {
    // A URI leaves out empty attributes, so it also matches objects that have them.
    for (
      const name of new Set([
        nameOf({ id, label }),
        nameOf({ id, label: EMPTY }),
        nameOf({ id: EMPTY, label }),
        nameOf({ id: EMPTY, label: EMPTY }),
      ])
    ) {
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  return counts;
}

const EMPTY = new Uint8Array(0);

function nameOf({ id, label }: Pick<TokenCertificate, "id" | "label">): string {
  return `${encodeHex(id)} ${encodeHex(label)}`;
}
