/**
 * Logs in to a token (CKU_USER), and to a key that requires a PIN for each signature
 * (CKU_CONTEXT_SPECIFIC).
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";
import type { KeystoreContext } from "../../../src/keystore/types.ts";
import type { KeystoreUri } from "../../../src/keystore/uri.ts";
import { CKF, CKU } from "../cryptoki/constants.ts";
import { CKR } from "../cryptoki/return_values.ts";
import type { TokenKey } from "../objects/find.ts";
import { type PinCache, pinCacheKey } from "./pin_cache.ts";
import { readContextPin, readUserPin } from "./pin_sources.ts";
import { Authenticator } from "./authenticator.ts";
import { describeToken, printableBytes } from "../uri/format.ts";
import type { Session } from "../module/session_pool.ts";

/** Logins for one URI. */
export class Login {
  readonly #authenticator: Authenticator;
  readonly #loggedIn = new Set<Session>();

  constructor(
    private readonly uri: KeystoreUri,
    private readonly pinCache: PinCache,
    private readonly context: KeystoreContext,
  ) {
    this.#authenticator = new Authenticator(pinCache, context);
  }

  /** Logs in to the token of a session, so that private objects are visible. */
  async loginUser(session: Session): Promise<void> {
    if (this.#loggedIn.has(session)) return;
    const { token, handle, cryptoki } = session;
    this.context.debug(`logging in to ${describeToken(token)}`);
    let known: number | undefined = token.info.flags;
    await this.#authenticator.authenticate({
      cacheKey: pinCacheKey(token.info),
      pinName: `the PIN of ${describeToken(token)}`,
      tokenName: describeToken(token),
      hint: "pin-source=FILE or pin-source=env:NAME in the URI",
      givenPin: () => readUserPin(this.uri, this.context),
      flags: async () => {
        const flags = known ?? (await cryptoki.getTokenInfo(token.slot)).flags;
        known = undefined; // only current for the first call
        return flags;
      },
      login: (pin) => cryptoki.login(handle, CKU.USER, pin),
    });
    this.#loggedIn.add(session);
  }

  /** Returns true if the session is logged in. */
  isLoggedIn(session: Session): boolean {
    return this.#loggedIn.has(session);
  }

  /**
   * Begins a signature and logs in for it. `begin` calls C_SignInit, also after a wrong PIN, which
   * ends the operation.
   */
  async loginContextSpecific(key: TokenKey, begin: () => Promise<void>): Promise<void> {
    const { token, handle, cryptoki } = key.session;
    let begun = false;
    await this.#authenticator.authenticate({
      cacheKey: pinCacheKey(token.info, key.id.length > 0 ? key.id : key.label),
      pinName: `the PIN for signing with key "${printableBytes(key.label)}" of ${
        describeToken(token)
      }`,
      tokenName: describeToken(token),
      hint: "--context-pin (env:NAME, file:PATH or fd:N), or --reuse-pin if it is the token's PIN",
      givenPin: () => readContextPin(this.uri, this.context),
      fallbackPin: async () => {
        if (!this.context.isOn("reuse-pin")) return undefined;
        // The token may not have required a PIN to show the key.
        return this.pinCache.get(pinCacheKey(token.info)) ??
          (await readUserPin(this.uri, this.context))?.pin;
      },
      flags: async () => (await cryptoki.getTokenInfo(token.slot)).flags,
      login: async (pin) => {
        if (!begun) await begin();
        begun = true;
        const value = await cryptoki.login(handle, CKU.CONTEXT_SPECIFIC, pin);
        if (value !== CKR.OK) begun = false;
        return value;
      },
    });
  }
}

/** Returns true for a login error: a PIN that is wrong, missing or locked. */
export function isLoginError(thrown: unknown): thrown is HelperError {
  return thrown instanceof HelperError && thrown.code === "key-locked";
}

/** Returns true if the token requires a login (CKF_LOGIN_REQUIRED). */
export function needsLogin({ token }: Session): boolean {
  return (token.info.flags & CKF.LOGIN_REQUIRED) !== 0;
}
