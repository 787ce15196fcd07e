/**
 * What every search is told.
 *
 * @module
 */
import type { KeystoreUri } from "../../../src/keystore/uri.ts";
import type { Login } from "../login/login.ts";
import type { SessionPool, Token } from "../module/session_pool.ts";

/** A search that only a login could go on with, left until other modules have been searched. */
export class LoginDeferredError extends Error {
  override readonly name = "LoginDeferredError";
}

/** What is asked for, and with what to look for it. */
export interface SearchContext {
  readonly uri: KeystoreUri;
  /** All tokens that match, at least one. */
  readonly tokens: readonly Token[];
  readonly login: Login;
  readonly pool: SessionPool;
  /** The time at which a certificate must be valid. */
  readonly now: Date;
  /** If false, nothing is searched by a login: {@link LoginDeferredError} is thrown instead. */
  readonly mayLogIn: boolean;
  /** `--use-latest-expiring-certificate`: of several certificates the one that expires last. */
  readonly useLatest: boolean;
}
