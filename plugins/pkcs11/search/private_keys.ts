/**
 * Finds private keys by their own URI.
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
 * Returns the private keys that match a URI. If none is visible and exactly one token is left, logs
 * in and searches again. Of several tokens, only those are left that have a matching public key or
 * certificate. With `certificate`, it must have the same public key.
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
    ? await filterTokens(pool, tokens, criteria, certificate)
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

async function filterTokens(
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
