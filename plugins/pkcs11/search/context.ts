/**
 * Parameters of an object search.
 *
 * @module
 */
import type { KeystoreUri } from "../../../src/keystore/uri.ts";
import type { Login } from "../login/login.ts";
import type { SessionPool, Token } from "../module/session_pool.ts";

/** Error for a search that requires a login, deferred until other modules have been searched. */
export class LoginDeferredError extends Error {
  override readonly name = "LoginDeferredError";
}

/** Parameters of an object search. */
export interface SearchContext {
  readonly uri: KeystoreUri;
  /** All tokens that match, at least one. */
  readonly tokens: readonly Token[];
  readonly login: Login;
  readonly pool: SessionPool;
  /** The time at which a certificate should be valid. */
  readonly now: Date;
  /** If false, a search that requires a login throws {@link LoginDeferredError}. */
  readonly mayLogIn: boolean;
  /** `--use-latest-expiring-certificate`: if several certificates match, use the one that expires last. */
  readonly useLatest: boolean;
}
