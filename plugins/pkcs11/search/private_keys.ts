/**
 * Finding private keys by a URI of their own.
 *
 * @module
 */
import type { Certificate } from "../../../src/x509/certificate.ts";
import { hasPublicKey } from "../../../src/x509/chain.ts";
import { tryPublicKeyOf } from "../objects/counterparts.ts";
import { needsLogin } from "../login/login.ts";
import { multipleTokensError } from "./errors.ts";
import {
  findCertificates,
  findPrivateKeys,
  findPublicKeys,
  type TokenKey,
} from "../objects/find.ts";
import { comparePublicKey } from "../objects/public_key.ts";
import { LoginDeferredError, type SearchContext } from "./context.ts";
import { type ObjectCriteria, parseObjectCriteria } from "../uri/match.ts";
import type { Session, SessionPool, Token } from "../module/session_pool.ts";

/**
 * The private keys that a URI asks for, in the tokens it asks for. First without a login; where
 * nothing is found and exactly one token can be meant, with one. Of several tokens the one is meant
 * that shows a public key or certificate of that name (and of `certificate`, if that is known).
 */
export async function searchPrivateKeys(
  { pool, uri, tokens, login, mayLogIn }: SearchContext,
  certificate: Certificate | undefined,
): Promise<TokenKey[]> {
  const criteria = parseObjectCriteria(uri);
  const found: TokenKey[] = [];
  const search = async (session: Session) => {
    found.push(...await findPrivateKeys(session, criteria));
  };
  await pool.forEachToken(tokens, search);
  if (found.length > 0) return found;

  const meant = tokens.length > 1
    ? await findTokensShowing(pool, tokens, criteria, certificate)
    : tokens;
  const [only, another] = meant;
  if (!only) throw multipleTokensError(uri, tokens);
  if (another) throw multipleTokensError(uri, meant);
  const session = await pool.session(only);
  if (needsLogin(session)) {
    if (!mayLogIn) throw new LoginDeferredError();
    await login.loginUser(session);
    await search(session);
  }
  return found;
}

async function findTokensShowing(
  pool: SessionPool,
  tokens: readonly Token[],
  criteria: ObjectCriteria,
  certificate: Certificate | undefined,
): Promise<Token[]> {
  const showing: Token[] = [];
  const publicKey = certificate && tryPublicKeyOf(certificate);
  await pool.forEachToken(tokens, async (session) => {
    const halves = await findPublicKeys(session, criteria);
    const certificates = await findCertificates(session, criteria, () => {});
    const shows = publicKey
      ? halves.some((half) => comparePublicKey(half, publicKey) === "same") ||
        certificates.some(({ certificate }) => hasPublicKey(certificate, publicKey))
      : halves.length > 0 || certificates.length > 0;
    if (shows) showing.push(session.token);
  });
  return showing;
}
