/**
 * One piece of work with the TPM: a connection, what is loaded through it, and the certainty that
 * nothing of that stays behind.
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";
import type { KeystoreContext, SignalHold } from "../../../src/keystore/types.ts";
import { HASH_OF } from "../structures/algorithms.ts";
import { Connection, numberCell, type ObjectCell } from "../tss/connection.ts";
import { ESYS, formatHandle } from "../structures/handles.ts";
import { openLibraries } from "../tss/libraries.ts";
import { type LockoutState, readLockout, triesWords, unlockWords } from "../auth/lockout.ts";
import { createPrimary, flush } from "../commands/objects.ts";
import type { PasswordOptions } from "../auth/passwords.ts";
import { LIMITS, type Limits, withTimeout } from "../tss/timeouts.ts";
import { TPM_RC, TpmError } from "../tss/return_codes.ts";
import { SESSION_KIND, startSession } from "../commands/sessions.ts";
import { connectionFailure, type Tcti } from "../tss/tcti.ts";
import { EC_PARENT } from "../structures/templates.ts";

/** Whose password a command needs. */
export type Subject = "key" | "parent";

/** The TPM refused a password. */
export class PasswordRefusedError extends Error {
  override readonly name = "PasswordRefusedError";

  /** `lockout` is given when the try was counted. */
  constructor(readonly subject: Subject, readonly lockout?: LockoutState) {
    super(`the password of the ${subject} was refused`);
  }
}

/** What a transaction needs of the world. */
export interface TpmAccess {
  readonly context: KeystoreContext;
  /** The key that is used, for messages. */
  readonly label: string;
  readonly limits?: Limits;
  /** 0 to 1, so that processes that wait for each other do not keep step. */
  readonly random?: () => number;
}

/** A transaction that is open. */
export class Transaction {
  readonly #owned: ObjectCell[] = [];
  #hold: SignalHold | undefined;
  #session: number | undefined;

  private constructor(
    readonly access: TpmAccess,
    readonly connection: Connection,
    private readonly held: { signal?: AbortSignal },
  ) {}

  static async open(access: TpmAccess, tcti: Tcti): Promise<Transaction> {
    const libraries = openLibraries();
    const held: { signal?: AbortSignal } = {};
    const limits = access.limits ?? LIMITS;
    try {
      const connection = await Connection.open(
        libraries,
        tcti.configuration,
        (call) => withTimeout(call, limits, held.signal),
      );
      return new Transaction(access, connection, held);
    } catch (thrown) {
      throw thrown instanceof TpmError ? connectionFailure(tcti, thrown) : thrown;
    }
  }

  /**
   * Takes what `make` brings into the TPM and writes `into` the cell it is given; it is flushed at the
   * end, also when it comes to be after nobody waits for it any more. From the first on, signals wait
   * until then.
   */
  async own(make: (into: ObjectCell) => Promise<void>): Promise<number> {
    if (!this.#hold) {
      this.#hold = this.access.context.holdSignals();
      this.held.signal = this.#hold.signal;
    }
    const cell = numberCell();
    this.#owned.push(cell);
    await make(cell);
    this.throwIfInterrupted();
    return cell[0] ?? 0;
  }

  /** Throws what a signal that came meanwhile means. */
  throwIfInterrupted(): void {
    this.#hold?.signal.throwIfAborted();
  }

  /** A session for passwords, salted with `saltKey` or with a key made for that; one for all. */
  async saltedSession(saltKey?: number): Promise<number> {
    return this.#session ??= await this.startSession(
      SESSION_KIND.hmac,
      HASH_OF["SHA-256"].algorithm,
      saltKey,
    );
  }

  /** Starts a salted session of a kind. */
  async startSession(kind: number, hash: number, saltKey?: number): Promise<number> {
    const salt = saltKey ??
      // The null hierarchy has no password, and any TPM makes this key.
      await this.own((into) =>
        createPrimary(this.connection, ESYS.null, ESYS.passwordSession, EC_PARENT, into)
      );
    const session = await this.own((into) => startSession(this.connection, kind, salt, hash, into));
    if (saltKey === undefined) await this.#release(salt);
    return session;
  }

  /** Runs a command that needs a password; a refusal becomes {@link PasswordRefusedError}. */
  async usingPassword<T>(subject: Subject, command: () => Promise<T>): Promise<T> {
    try {
      return await command();
    } catch (thrown) {
      if (!(thrown instanceof TpmError)) throw thrown;
      if (thrown.meaning === TPM_RC.BAD_AUTH) throw new PasswordRefusedError(subject);
      if (thrown.meaning === TPM_RC.AUTH_FAIL) {
        throw new PasswordRefusedError(subject, await readLockout(this.connection));
      }
      if (thrown.meaning === TPM_RC.LOCKOUT) {
        const { secondsPerTry } = await readLockout(this.connection);
        throw new HelperError(
          "key-locked",
          `${this.access.label}: the TPM is locked after too many wrong passwords; ${
            unlockWords(secondsPerTry)
          }`,
          { cause: thrown },
        );
      }
      throw thrown;
    }
  }

  /** Refuses to try a password that nobody gave when that could be the one that locks the TPM. */
  async checkGuess({ name, flag }: Pick<PasswordOptions, "name" | "flag">): Promise<void> {
    const lockout = await readLockout(this.connection);
    if (lockout.triesLeft > 1) return;
    throw new HelperError(
      "key-locked",
      `${name} may have a password, and ${triesWords(lockout)}; give it with --${flag} ` +
        "(pass: for none)",
    );
  }

  /** Flushes all that was brought in, and closes; while a call is stuck, as soon as it has ended. */
  async close(): Promise<void> {
    const { connection } = this;
    if (connection.stuck) {
      const close = () => this.#flushAll().then(() => connection.close()).catch(() => {});
      connection.stuck.then(close, close);
      this.#hold?.[Symbol.dispose]();
      return;
    }
    try {
      await this.#flushAll();
    } finally {
      await connection.close();
      this.#hold?.[Symbol.dispose]();
    }
  }

  async #flushAll(): Promise<void> {
    for (let cell = this.#owned.pop(); cell; cell = this.#owned.pop()) {
      const [last = 0] = cell;
      if (last === 0 || last === ESYS.none) continue; // it was not made
      try {
        await flush(this.connection, last);
      } catch (thrown) {
        // Gone already, or out of reach: the work itself has its own word on that.
        if (!(thrown instanceof TpmError)) throw thrown;
        this.access.context.debug(`tpm: flushing ${formatHandle(last)}: ${thrown.message}`);
      }
    }
  }

  async #release(object: number): Promise<void> {
    const at = this.#owned.findIndex(([made]) => made === object);
    if (at >= 0) this.#owned.splice(at, 1);
    await flush(this.connection, object);
  }
}
