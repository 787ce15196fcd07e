/**
 * One use of a module: initialised at its beginning, sessions as they are needed, all closed at its
 * end, however it ends.
 *
 * @module
 */
import type { KeystoreContext } from "../../../src/keystore/types.ts";
import { CKF } from "../cryptoki/constants.ts";
import type { Cryptoki } from "../cryptoki/cryptoki.ts";
import { isModuleFailure } from "../cryptoki/errors.ts";
import type { Module } from "./module.ts";
import type { Handle, Structures, TokenInfo } from "../cryptoki/structures.ts";

/** A token and the slot it is in. */
export interface Token {
  readonly slot: Handle;
  readonly info: TokenInfo;
}

/** A session with a token. */
export interface Session {
  readonly handle: Handle;
  readonly token: Token;
  readonly cryptoki: Cryptoki;
  readonly structures: Structures;
}

/** A use of a module; dispose of it. */
export class SessionPool implements AsyncDisposable {
  /** What went wrong with tokens that were passed over, for the error if nothing else is found. */
  readonly warnings: string[] = [];
  readonly #sessions = new Map<Handle, Session>();

  private constructor(readonly module: Module, private readonly context: KeystoreContext) {}

  /** Begins a use. */
  static async open(module: Module, context: KeystoreContext): Promise<SessionPool> {
    await module.acquire();
    return new SessionPool(module, context);
  }

  /** The tokens that are there, but for those that are empty: never initialised. */
  async tokens(): Promise<Token[]> {
    const { cryptoki } = this.module;
    const tokens: Token[] = [];
    for (const slot of await cryptoki.getSlotList()) {
      const info = await this.skipFailingToken(`slot ${slot}`, () => cryptoki.getTokenInfo(slot));
      if (!info) continue;
      if (info.flags & CKF.TOKEN_INITIALIZED) tokens.push({ slot, info });
      else this.context.debug(`slot ${slot} is passed over: its token is not initialised`);
    }
    return tokens;
  }

  /** The session with a token, opened when it is first asked for. */
  async session(token: Token): Promise<Session> {
    const open = this.#sessions.get(token.slot);
    if (open) return open;
    const { cryptoki, structures } = this.module;
    const handle = await cryptoki.openSession(token.slot);
    const session: Session = { handle, token, cryptoki, structures };
    this.#sessions.set(token.slot, session);
    return session;
  }

  /** Does `work` in a session of each token. Where there are several, one may fail. */
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
   * What `work` gives; undefined, and a note, when the module fails: one token that is broken must
   * not hide the others.
   */
  async skipFailingToken<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (thrown) {
      if (!isModuleFailure(thrown)) throw thrown;
      this.warnings.push(`${what}: ${thrown.message}`);
      this.context.debug(`${what} is passed over: ${thrown.message}`);
      return undefined;
    }
  }

  /** Closes the sessions and leaves the module. What fails is told under `--debug` alone. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { handle, cryptoki } of this.#sessions.values()) {
      await this.#quietly(() => cryptoki.closeSession(handle));
    }
    this.#sessions.clear();
    await this.#quietly(() => this.module.release());
  }

  async #quietly(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      if (!isModuleFailure(thrown)) throw thrown;
      this.context.debug(thrown.message);
    }
  }
}
