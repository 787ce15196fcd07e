/**
 * Logging in: to a token (CKU_USER), and to a key that wants a PIN at each signature
 * (CKU_CONTEXT_SPECIFIC).
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";
import type { KeystoreContext } from "../../../src/keystore/types.ts";
import type { KeystoreUri } from "../../../src/keystore/uri.ts";
import { CKF, CKU } from "../cryptoki/constants.ts";
import type { TokenKey } from "../objects/find.ts";
import { type PinCache, pinCacheKey } from "./pin_cache.ts";
import { readContextPin, readUserPin } from "./pin_sources.ts";
import { Authenticator } from "./authenticator.ts";
import { describeToken, printableBytes } from "../uri/format.ts";
import type { Session } from "../module/session_pool.ts";

/** Logs in for one URI. */
export class Login {
  readonly #authenticator: Authenticator;
  readonly #loggedIn = new Set<Session>();

  constructor(
    private readonly uri: KeystoreUri,
    private readonly memory: PinCache,
    private readonly context: KeystoreContext,
  ) {
    this.#authenticator = new Authenticator(memory, context);
  }

  /** Logs in to the token of a session, which then sees private objects. */
  async loginUser(session: Session): Promise<void> {
    if (this.#loggedIn.has(session)) return;
    const { token, handle, cryptoki } = session;
    this.context.debug(`logging in to ${describeToken(token)}`);
    let known: number | undefined = token.info.flags;
    await this.#authenticator.authenticate({
      name: pinCacheKey(token.info),
      pin: `the PIN of ${describeToken(token)}`,
      token: describeToken(token),
      hint: "pin-source=FILE or pin-source=env:NAME in the URI",
      given: () => readUserPin(this.uri, this.context),
      flags: async () => {
        const flags = known ?? (await cryptoki.getTokenInfo(token.slot)).flags;
        known = undefined; // it was read a moment ago: fresh for the first time
        return flags;
      },
      attempt: (pin) => cryptoki.login(handle, CKU.USER, pin),
    });
    this.#loggedIn.add(session);
  }

  /** Whether the session is one that it has logged in to. */
  isLoggedIn(session: Session): boolean {
    return this.#loggedIn.has(session);
  }

  /**
   * Begins a signature and logs in to it; `begin` is C_SignInit, called again after a wrong PIN,
   * which ends the operation.
   */
  async loginContextSpecific(key: TokenKey, begin: () => Promise<void>): Promise<void> {
    const { token, handle, cryptoki } = key.session;
    let begun = false;
    await this.#authenticator.authenticate({
      name: pinCacheKey(token.info, key.id.length > 0 ? key.id : key.label),
      pin: `the PIN for signing with key "${printableBytes(key.label)}" of ${describeToken(token)}`,
      token: describeToken(token),
      hint:
        "--context-pin (env:NAME, file:PATH or fd:N), or --reuse-pin where it is the token's PIN",
      given: () => readContextPin(this.uri, this.context),
      guess: async () => {
        if (!this.context.isOn("reuse-pin")) return undefined;
        // The token may have needed none to show the key.
        return this.memory.get(pinCacheKey(token.info)) ??
          (await readUserPin(this.uri, this.context))?.pin;
      },
      flags: async () => (await cryptoki.getTokenInfo(token.slot)).flags,
      attempt: async (pin) => {
        if (!begun) await begin();
        begun = true;
        const value = await cryptoki.login(handle, CKU.CONTEXT_SPECIFIC, pin);
        if (value !== 0) begun = false;
        return value;
      },
    });
  }
}

/** Whether a failure is one of locks and PINs. */
export function isLoginError(thrown: unknown): thrown is HelperError {
  return thrown instanceof HelperError && thrown.code === "key-locked";
}

/** Whether the token has anything that only a login shows. */
export function needsLogin({ token }: Session): boolean {
  return (token.info.flags & CKF.LOGIN_REQUIRED) !== 0;
}
