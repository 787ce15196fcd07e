/**
 * A private key on a token, ready to sign.
 *
 * @module
 */
import { HelperError } from "../../src/errors.ts";
import type { Signer } from "../../src/keystore/types.ts";
import type { Certificate } from "../../src/x509/certificate.ts";
import type { NonEmpty } from "../../src/x509/chain.ts";
import type { PublicKey } from "../../src/x509/public_key.ts";
import { type Digest, verifySignature } from "../../src/x509/verify_signature.ts";
import { CryptokiError, isModuleFailure } from "./cryptoki/errors.ts";
import { withErrorMessages } from "./error_messages.ts";
import { copyToNative } from "./cryptoki/library.ts";
import { type Login, needsLogin } from "./login/login.ts";
import { decodeSignature, type Mechanism, mechanismsFor } from "./mechanisms.ts";
import type { TokenKey } from "./objects/find.ts";
import { comparePublicKey } from "./objects/public_key.ts";
import { CKR } from "./cryptoki/return_values.ts";
import type { SessionPool } from "./module/session_pool.ts";

/** Parameters of a signer, which takes over the session pool. */
export interface SignerParts {
  readonly pool: SessionPool;
  /** Candidates for the key of `publicKey`, tried in order until a signature verifies. */
  readonly keys: NonEmpty<TokenKey>;
  readonly publicKey: PublicKey;
  readonly certificates: readonly Certificate[];
  readonly login: Login;
  /** The URI, for messages. */
  readonly label: string;
}

/** Creates the signer of a key. Disposing of it closes the session pool. */
export function createTokenSigner(parts: SignerParts): Signer {
  const { pool, publicKey, certificates, label } = parts;
  const { module } = pool;
  let { keys } = parts;
  const signWithOne = async (message: Uint8Array, digest: Digest) => {
    for (const key of keys) {
      const signature = await sign(parts, key, message, digest);
      if (!signature) continue;
      keys = [key]; // the next signature is one call
      return signature;
    }
    throw keyMismatchError(parts);
  };
  return {
    publicKey,
    certificates,
    sign: (message, digest) =>
      module.runExclusive(() =>
        withErrorMessages(label, module.path, () => signWithOne(message, digest))
      ),
    [Symbol.asyncDispose]: () => module.runExclusive(() => pool[Symbol.asyncDispose]()),
  };
}

/** Returns a signature, or undefined if the key does not belong to `publicKey`. */
async function sign(
  { pool, publicKey, login, label }: SignerParts,
  key: TokenKey,
  message: Uint8Array,
  digest: Digest,
): Promise<Uint8Array | undefined> {
  const { cryptoki, handle } = key.session;
  if (key.isPrivate && needsLogin(key.session)) await login.loginUser(key.session);
  const offered = await listMechanisms(pool, key);
  const mechanisms = mechanismsFor(publicKey, digest, message, offered);
  let mechanism: Mechanism | undefined;
  const begin = async () => {
    mechanism = await beginSignature(key, login, mechanism ? [mechanism] : mechanisms);
  };
  if (key.alwaysAuthenticate) await login.loginContextSpecific(key, begin);
  else await begin();
  const input = await mechanism?.input() ?? new Uint8Array(0);
  const raw = await cryptoki.sign(handle, copyToNative(input));
  const signature = decodeSignature(raw, publicKey);
  if (!signature) {
    throw new HelperError(
      "key-unsupported",
      `${label}: C_Sign returned ${raw.length} bytes, which is not a signature of this key; ` +
        "check the token's settings",
    );
  }
  // If the object has no public key, verify the signature instead, before it is sent to AWS.
  const isProven = comparePublicKey(key.publicKeyAttributes, publicKey) === "same";
  if (isProven || await verifySignature(publicKey, message, digest, signature)) return signature;
  return undefined;
}

function keyMismatchError({ keys, label }: SignerParts): HelperError {
  const [{ session: { token } }, ...others] = keys;
  return new HelperError(
    "key-mismatch",
    others.length > 0
      ? `${label}: none of ${keys.length} private keys on slot ${token.slot} belongs to the ` +
        "certificate; check that both name the same pair, with id and object in the URI"
      : `${label}: the private key on slot ${token.slot} does not belong to the certificate; ` +
        "check that both name the same pair, with id and object in the URI",
  );
}

/**
 * Calls C_SignInit with the first mechanism that the token accepts for the key, and returns that
 * mechanism. Logs in first if the token requires it.
 */
async function beginSignature(
  key: TokenKey,
  login: Login,
  mechanisms: readonly Mechanism[],
): Promise<Mechanism> {
  const { cryptoki, handle } = key.session;
  const [first, ...others] = mechanisms;
  if (!first) throw new HelperError("internal", "a key without a mechanism");
  const mayLogIn = !login.isLoggedIn(key.session);
  const value = await cryptoki.signInit(handle, first.type, key.handle, [
    CKR.OPERATION_ACTIVE, // left by a failed login
    ...(others.length > 0 ? MECHANISM_ERRORS : []),
    ...(mayLogIn ? [CKR.USER_NOT_LOGGED_IN] : []),
  ]);
  if (value === CKR.USER_NOT_LOGGED_IN) {
    await login.loginUser(key.session);
    return await beginSignature(key, login, mechanisms);
  }
  return MECHANISM_ERRORS.includes(value) ? await beginSignature(key, login, others) : first;
}

/** Return values of C_SignInit for a mechanism that the token does not have for this key. */
const MECHANISM_ERRORS: readonly number[] = [
  CKR.MECHANISM_INVALID,
  CKR.FUNCTION_NOT_SUPPORTED,
  CKR.KEY_FUNCTION_NOT_PERMITTED,
];

/** Returns the token's mechanisms; undefined if the token does not list them. */
async function listMechanisms(pool: SessionPool, key: TokenKey): Promise<number[] | undefined> {
  try {
    return await pool.module.cryptoki.getMechanismList(key.session.token.slot);
  } catch (thrown) {
    if (thrown instanceof CryptokiError && isModuleFailure(thrown)) return undefined;
    throw thrown;
  }
}
