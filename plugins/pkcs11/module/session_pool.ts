/**
 * Initialises a module, opens one session per token on demand, and closes them all on disposal.
 *
 * @module
 */
import type { KeystoreContext } from "../../../src/keystore/types.ts";
import { CKF } from "../cryptoki/constants.ts";
import type { Cryptoki } from "../cryptoki/cryptoki.ts";
import { isModuleFailure } from "../cryptoki/errors.ts";
import type { Module } from "./module.ts";
import type { Handle, Structures, TokenInfo } from "../cryptoki/structures.ts";

/** Token and its slot. */
export interface Token {
  readonly slot: Handle;
  readonly info: TokenInfo;
}

/** Session with a token. */
export interface Session {
  readonly handle: Handle;
  readonly token: Token;
  readonly cryptoki: Cryptoki;
  readonly structures: Structures;
}

/** Sessions of one module. Must be disposed of. */
export class SessionPool implements AsyncDisposable {
  /** Errors of tokens that were skipped, for the message if nothing is found. */
  readonly warnings: string[] = [];
  readonly #sessions = new Map<Handle, Session>();

  private constructor(readonly module: Module, private readonly context: KeystoreContext) {}

  /** Initialises the module and returns a pool without sessions. */
  static async open(module: Module, context: KeystoreContext): Promise<SessionPool> {
    await module.acquire();
    return new SessionPool(module, context);
  }

  /** Returns the tokens that are present and initialised. */
  async tokens(): Promise<Token[]> {
    const { cryptoki } = this.module;
    const tokens: Token[] = [];
    for (const slot of await cryptoki.getSlotList()) {
      const info = await this.skipFailingToken(`slot ${slot}`, () => cryptoki.getTokenInfo(slot));
      if (!info) continue;
      if (info.flags & CKF.TOKEN_INITIALIZED) tokens.push({ slot, info });
      else this.context.debug(`slot ${slot} skipped: its token is not initialised`);
    }
    return tokens;
  }

  /** Returns the session with a token, which is opened on first use. */
  async session(token: Token): Promise<Session> {
    const open = this.#sessions.get(token.slot);
    if (open) return open;
    const { cryptoki, structures } = this.module;
    const handle = await cryptoki.openSession(token.slot);
    const session: Session = { handle, token, cryptoki, structures };
    this.#sessions.set(token.slot, session);
    return session;
  }

  /** Runs `work` in a session of each token. If there are several, one may fail. */
  async forEachToken(
    tokens: readonly Token[],
    work: (session: Session) => Promise<void>,
  ): Promise<void> {
    for (const token of tokens) {
      const run = async () => work(await this.session(token));
      if (tokens.length === 1) await run();
      else await this.skipFailingToken(`slot ${token.slot}`, run);
    }
  }

  /**
   * Returns the result of `work`. If the module fails, adds a warning and returns undefined, so that
   * one broken token does not hide the others.
   */
  async skipFailingToken<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (thrown) {
      if (!isModuleFailure(thrown)) throw thrown;
      this.warnings.push(`${what}: ${thrown.message}`);
      this.context.debug(`${what} skipped: ${thrown.message}`);
      return undefined;
    }
  }

  /** Closes the sessions and releases the module. Errors are logged with `--debug` only. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { handle, cryptoki } of this.#sessions.values()) {
      await this.#ignoreErrors(() => cryptoki.closeSession(handle));
    }
    this.#sessions.clear();
    await this.#ignoreErrors(() => this.module.release());
  }

  async #ignoreErrors(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      if (!isModuleFailure(thrown)) throw thrown;
      this.context.debug(thrown.message);
    }
  }
}
