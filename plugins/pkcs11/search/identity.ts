/**
 * Chooses the certificate and the key for a URI that names a certificate.
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";
import type { Certificate } from "../../../src/x509/certificate.ts";
import { type NonEmpty, sortByPreference } from "../../../src/x509/chain.ts";
import { findIssuers, formatCertificateUris, selectEndEntities } from "./certificates.ts";
import { findKeysFor, type KeyMatch } from "../objects/matching.ts";
import { needsLogin } from "../login/login.ts";
import { multipleObjectsError, noObjectError } from "./errors.ts";
import { findPrivateKeys, type TokenCertificate, type TokenKey } from "../objects/find.ts";
import { hasUserPin } from "../login/pin_sources.ts";
import type { SearchContext } from "./context.ts";
import { describeToken, formatUri } from "../uri/format.ts";

/** Certificate and the private keys that may belong to it, the likeliest first. */
export interface Pair {
  readonly found: TokenCertificate;
  readonly keys: NonEmpty<TokenKey>;
}

interface Candidate {
  readonly found: TokenCertificate;
  readonly match: KeyMatch;
}

/**
 * Returns the end-entity certificate and its key. If there are several certificates, chooses the one
 * with a key. Throws `key-not-found` if none has a key, or, with their URIs, if several have one.
 */
export async function choosePair(
  certificates: readonly TokenCertificate[],
  search: SearchContext,
): Promise<Pair> {
  const { found, match: { keys } } = await chooseCandidate(certificates, search);
  const [key, ...others] = keys;
  if (!key) {
    throw new HelperError(
      "key-not-found",
      `${search.uri.displayName}: ${
        describeToken(found.session.token)
      } has the certificate but not its private key; ` +
        "name the key with --private-key",
    );
  }
  return { found, keys: [key, ...others] };
}

/** Returns the end-entity certificate and its issuers. */
export async function chooseCertificate(
  certificates: readonly TokenCertificate[],
  search: SearchContext,
): Promise<[Certificate, ...Certificate[]]> {
  const [only, another] = await selectEndEntities(certificates, search.now);
  const found = only && !another ? only : (await chooseCandidate(certificates, search)).found;
  return [found.certificate, ...await findIssuers(found)];
}

/** Creates the error that several keys match. */
export function multipleKeysError(
  { uri, tokens }: SearchContext,
  keys: readonly TokenKey[],
): HelperError {
  const uris = keys.map(({ session, id, label }) =>
    formatUri(session.token, tokens, uri, { id, label, type: "private" })
  );
  return multipleObjectsError(uri, "private keys", uris);
}

async function chooseCandidate(
  certificates: readonly TokenCertificate[],
  search: SearchContext,
): Promise<Candidate> {
  const leaves = await selectEndEntities(certificates, search.now);
  if (search.useLatest) return await chooseLatestCandidate(leaves, search);
  const ambiguous = async () =>
    multipleObjectsError(search.uri, "certificates", await formatCertificateUris(leaves, search));
  // A PIN is sent to one token only, so several tokens stay ambiguous.
  if (new Set(leaves.map(({ session }) => session)).size > 1) throw await ambiguous();
  const candidates: Candidate[] = [];
  for (const found of leaves) {
    candidates.push({ found, match: await findKeysWithLogin(found, search, leaves.length > 1) });
  }
  const [first, another] = candidates;
  if (first && !another) return first;
  const withKey = candidates.filter(({ match }) => match.keys.length > 0);
  const [chosen, rival] = withKey;
  if (!chosen || rival) throw await ambiguous();
  return chosen;
}

/**
 * Returns the candidate that expires last of those with a key. Searches only the token of the
 * certificate that expires last: its PIN must not go to another token.
 */
async function chooseLatestCandidate(
  leaves: readonly TokenCertificate[],
  search: SearchContext,
): Promise<Candidate> {
  const ordered = sortByPreference(leaves, search.now, ({ certificate }) => certificate);
  const onToken = ordered.filter(({ session }) => session === ordered[0]?.session);
  let last: Candidate | undefined;
  for (const found of onToken) {
    last = { found, match: await findKeysWithLogin(found, search, leaves.length > 1) };
    if (last.match.keys.length > 0) return last;
  }
  const [first] = ordered;
  if (!first || !last) throw noObjectError(search, "certificate");
  return { found: first, match: last.match };
}

/** Returns the keys for a certificate. Logs in if that is required to see them. */
async function findKeysWithLogin(
  found: TokenCertificate,
  { uri, login }: SearchContext,
  checkPublicKeyObjects: boolean,
): Promise<KeyMatch> {
  const { session } = found;
  if (!needsLogin(session) || login.isLoggedIn(session)) {
    return await findKeysFor(found, uri, checkPublicKeyObjects);
  }
  // Do not prompt for a PIN that is not needed; use one that was given.
  if (!hasUserPin(uri) && (await findPrivateKeys(session, {})).length > 0) {
    const visible = await findKeysFor(found, uri, checkPublicKeyObjects);
    if (visible.keys.length > 0) return visible;
  }
  await login.loginUser(session);
  return await findKeysFor(found, uri, checkPublicKeyObjects);
}
