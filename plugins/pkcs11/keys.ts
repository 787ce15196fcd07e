/**
 * Finding private keys: by a URI of their own, or for a certificate on the same token.
 *
 * @module
 */
import type { KeystoreUri } from "../../src/keystore/uri.ts";
import { type Certificate, publicKeyOf } from "../../src/x509/certificate.ts";
import { hasPublicKey } from "../../src/x509/chain.ts";
import type { PublicKey } from "../../src/x509/public_key.ts";
import { needsLogin } from "./login.ts";
import { severalTokens } from "./not_found.ts";
import {
  findCertificates,
  findPrivateKeys,
  findPublicKeys,
  type TokenCertificate,
  type TokenKey,
} from "./objects.ts";
import { relation } from "./public_keys.ts";
import type { Search } from "./search.ts";
import { type ObjectCriteria, objectCriteria } from "./uri_matching.ts";
import type { Session, Token, Visit } from "./visit.ts";

/** Private keys that may belong to a certificate. */
export interface KeyMatch {
  /** Whether the token says that they do; else nothing speaks against it. */
  readonly isSame: boolean;
  readonly keys: readonly TokenKey[];
}

/**
 * The private keys in the session that may belong to a certificate there: by the URI's own criteria,
 * then by the certificate's CKA_ID, then by its label among objects without CKA_ID, and last any
 * whose public half is the certificate's. What surely belongs to another certificate is left out.
 *
 * With `among`, other certificates may be meant as well: public key objects are looked at too.
 */
export async function keysFor(
  { session, certificate, id, label }: TokenCertificate,
  uri: KeystoreUri,
  among: boolean,
): Promise<KeyMatch> {
  const publicKey = publicKeyOf(certificate);
  const { sha256: _, ...asked } = objectCriteria(uri);
  // Two labels may agree by chance where two identifiers do not.
  const noIdentifiers = (key: TokenKey) => key.id.length === 0 || id.length === 0;
  const steps: readonly (ObjectCriteria & { if?: (key: TokenKey) => boolean })[] = [
    ...(asked.id || asked.label ? [asked] : []),
    ...(id.length > 0 ? [{ id }] : []),
    ...(label.length > 0 ? [{ label, if: noIdentifiers }] : []),
  ];
  for (const { if: condition = () => true, ...criteria } of steps) {
    const keys = (await findPrivateKeys(session, criteria)).filter((key) => condition(key));
    const match = await bestMatch(keys, publicKey, among || keys.length > 1);
    if (match.keys.length > 0) return match;
  }
  const match = await bestMatch(await findPrivateKeys(session, {}), publicKey, true);
  return match.isSame ? match : { isSame: false, keys: [] };
}

/**
 * Of several keys one that is `publicKey`'s; if none is known to be, those that may be. `thorough`
 * looks at the public key objects beside them too.
 */
export async function bestMatch(
  keys: readonly TokenKey[],
  publicKey: PublicKey,
  thorough: boolean,
): Promise<KeyMatch> {
  const unknown: TokenKey[] = [];
  for (const key of keys) {
    let known = relation(key.publicPart, publicKey);
    if (known === "unknown" && thorough) {
      const halves = (await publicHalves(key)).map((half) => relation(half, publicKey));
      if (halves.includes("same")) known = "same";
      else if (halves.includes("different")) known = "different";
    }
    if (known === "same") return { isSame: true, keys: [key] };
    if (known === "unknown") unknown.push(key);
  }
  return { isSame: false, keys: unknown };
}

/** The public key objects that stand with a private key: by its CKA_ID, else by its label. */
async function publicHalves({ session, id, label }: TokenKey) {
  if (id.length > 0) return await findPublicKeys(session, { id });
  return label.length > 0 ? await findPublicKeys(session, { id, label }) : [];
}

/** The public key of a private one, as the token tells it: by its attributes or beside it. */
export async function publicKeyBeside(key: TokenKey): Promise<PublicKey | undefined> {
  if (key.publicPart.publicKey) return key.publicPart.publicKey;
  const isOfKey = (publicKey: PublicKey) => relation(key.publicPart, publicKey) !== "different";
  for (const { publicKey } of await publicHalves(key)) {
    if (publicKey && isOfKey(publicKey)) return publicKey;
  }
  for (const { certificate } of await certificatesBeside(key)) return publicKeyOf(certificate);
  return undefined;
}

/** The certificates with the CKA_ID of a private key that can be its own. */
export async function certificatesBeside(key: TokenKey): Promise<TokenCertificate[]> {
  const { session, id, publicPart } = key;
  if (id.length === 0) return [];
  const found = await findCertificates(session, { id }, () => {});
  return found.filter(({ certificate }) => {
    const publicKey = usablePublicKey(certificate);
    return publicKey && relation(publicPart, publicKey) !== "different";
  });
}

/**
 * The private keys that a URI asks for, in the tokens it asks for. First without a login; where
 * nothing is found and exactly one token can be meant, with one. Of several tokens the one is meant
 * that shows a public key or certificate of that name (and of `beside`, if that is known).
 */
export async function searchKeys(
  { visit, uri, tokens, login }: Search,
  beside: Certificate | undefined,
): Promise<TokenKey[]> {
  const criteria = objectCriteria(uri);
  const found: TokenKey[] = [];
  const search = async (session: Session) => {
    found.push(...await findPrivateKeys(session, criteria));
  };
  await visit.ofEach(tokens, search);
  if (found.length > 0) return found;

  const meant = tokens.length > 1 ? await tokensShowing(visit, tokens, criteria, beside) : tokens;
  const [only, another] = meant;
  if (!only) throw severalTokens(uri, tokens);
  if (another) throw severalTokens(uri, meant);
  const session = await visit.session(only);
  if (needsLogin(session)) {
    await login.toToken(session);
    await search(session);
  }
  return found;
}

async function tokensShowing(
  visit: Visit,
  tokens: readonly Token[],
  criteria: ObjectCriteria,
  beside: Certificate | undefined,
): Promise<Token[]> {
  const showing: Token[] = [];
  const publicKey = beside && usablePublicKey(beside);
  await visit.ofEach(tokens, async (session) => {
    const halves = await findPublicKeys(session, criteria);
    const certificates = await findCertificates(session, criteria, () => {});
    const shows = publicKey
      ? halves.some((half) => relation(half, publicKey) === "same") ||
        certificates.some(({ certificate }) => hasPublicKey(certificate, publicKey))
      : halves.length > 0 || certificates.length > 0;
    if (shows) showing.push(session.token);
  });
  return showing;
}

function usablePublicKey(certificate: Certificate): PublicKey | undefined {
  try {
    return publicKeyOf(certificate);
  } catch {
    return undefined; // a kind of key that cannot be used
  }
}
