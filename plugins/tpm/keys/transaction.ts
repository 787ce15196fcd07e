/**
 * A TPM connection that tracks loaded objects and sessions, and always flushes them.
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";
import type { KeystoreContext, SignalHold } from "../../../src/keystore/types.ts";
import { DIGEST_HASHES } from "../structures/algorithms.ts";
import { Connection, createObjectCell, type ObjectCell } from "../tss/connection.ts";
import { ESYS_TR, formatHandle } from "../structures/handles.ts";
import { openLibraries } from "../tss/libraries.ts";
import {
  formatTriesLeft,
  formatUnlockAdvice,
  type LockoutState,
  readLockout,
} from "../auth/lockout.ts";
import { createPrimary, flush } from "../commands/objects.ts";
import type { PasswordOptions } from "../auth/passwords.ts";
import { TIMEOUTS, type Timeouts, withTimeout } from "../tss/timeouts.ts";
import { TPM_RC, TpmError } from "../tss/return_codes.ts";
import { SESSION_TYPE, startSession } from "../commands/sessions.ts";
import { type Tcti, toConnectionError } from "../tss/tcti.ts";
import { EC_PARENT } from "../structures/templates.ts";

/** The owner of the password that a command needs. */
export type PasswordOwner = "key" | "parent";

/** Thrown when the TPM rejects a password. */
export class PasswordRejectedError extends Error {
  override readonly name = "PasswordRejectedError";

  /** `lockout` is set if the attempt was counted. */
  constructor(readonly owner: PasswordOwner, readonly lockout?: LockoutState) {
    super(`the TPM rejected the password of the ${owner}`);
  }
}

/** Dependencies of a transaction, and its key's name. */
export interface TpmAccess {
  readonly context: KeystoreContext;
  /** The key's name, for messages. */
  readonly label: string;
  readonly timeouts?: Timeouts;
  /** Returns 0 to 1, the jitter of retry delays. */
  readonly random?: () => number;
}

/** An open transaction. */
export class Transaction {
  readonly #tracked: ObjectCell[] = [];
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
    const timeouts = access.timeouts ?? TIMEOUTS;
    try {
      const connection = await Connection.open(
        libraries,
        tcti.configuration,
        (call) => withTimeout(call, timeouts, held.signal),
      );
      return new Transaction(access, connection, held);
    } catch (thrown) {
      throw thrown instanceof TpmError ? toConnectionError(tcti, thrown) : thrown;
    }
  }

  /**
   * Runs `make`, which loads an object and writes its ESYS_TR to the cell, and returns that. It is
   * flushed on close, even when the command finishes after its timeout. From the first object on,
   * signals are held until then.
   */
  async track(make: (into: ObjectCell) => Promise<void>): Promise<number> {
    if (!this.#hold) {
      this.#hold = this.access.context.holdSignals();
      this.held.signal = this.#hold.signal;
    }
    const cell = createObjectCell();
    this.#tracked.push(cell);
    await make(cell);
    this.throwIfInterrupted();
    return cell[0] ?? 0;
  }

  /** Throws `interrupted` if a signal arrived while signals were held. */
  throwIfInterrupted(): void {
    this.#hold?.signal.throwIfAborted();
  }

  /** Returns the transaction's HMAC session, salted with `saltKey` or with a temporary key. */
  async saltedSession(saltKey?: number): Promise<number> {
    return this.#session ??= await this.startSession(
      SESSION_TYPE.hmac,
      DIGEST_HASHES["SHA-256"].algorithm,
      saltKey,
    );
  }

  /** Starts a salted session of a type. */
  async startSession(type: number, hash: number, saltKey?: number): Promise<number> {
    const salt = saltKey ??
      // The null hierarchy does not have a password, and every TPM supports this key.
      await this.track((into) =>
        createPrimary(this.connection, ESYS_TR.null, ESYS_TR.password, EC_PARENT, into)
      );
    const session = await this.track((into) =>
      startSession(this.connection, type, salt, hash, into)
    );
    if (saltKey === undefined) await this.#flush(salt);
    return session;
  }

  /** Runs a command that needs a password. Throws {@link PasswordRejectedError} if it is wrong. */
  async runWithPassword<T>(owner: PasswordOwner, command: () => Promise<T>): Promise<T> {
    try {
      return await command();
    } catch (thrown) {
      if (!(thrown instanceof TpmError)) throw thrown;
      if (thrown.baseCode === TPM_RC.BAD_AUTH) throw new PasswordRejectedError(owner);
      if (thrown.baseCode === TPM_RC.AUTH_FAIL) {
        throw new PasswordRejectedError(owner, await readLockout(this.connection));
      }
      if (thrown.baseCode === TPM_RC.LOCKOUT) {
        const { secondsPerTry } = await readLockout(this.connection);
        throw new HelperError(
          "key-locked",
          `${this.access.label}: the TPM is locked after too many wrong passwords; ${
            formatUnlockAdvice(secondsPerTry)
          }`,
          { cause: thrown },
        );
      }
      throw thrown;
    }
  }

  /** Throws `key-locked` if a guessed password could lock the TPM. */
  async checkGuessAllowed({ name, flag }: Pick<PasswordOptions, "name" | "flag">): Promise<void> {
    const lockout = await readLockout(this.connection);
    if (lockout.triesLeft > 1) return;
    throw new HelperError(
      "key-locked",
      `${name} may have a password, and ${formatTriesLeft(lockout)}; set --${flag} ` +
        "(pass: for none)",
    );
  }

  /** Flushes all tracked objects and closes. After a timeout, it does so when the call returns. */
  async close(): Promise<void> {
    const { connection } = this;
    if (connection.timedOutCall) {
      const close = () => this.#flushAll().finally(() => connection.close()).catch(() => {});
      connection.timedOutCall.then(close, close);
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
    for (let cell = this.#tracked.pop(); cell; cell = this.#tracked.pop()) {
      const [last = 0] = cell;
      if (last === 0 || last === ESYS_TR.none) continue; // not created
      try {
        await flush(this.connection, last);
      } catch (thrown) {
        // Already flushed, or the TPM is gone; the caller reports the original error.
        if (!(thrown instanceof TpmError)) throw thrown;
        this.access.context.debug(`tpm: flushing ${formatHandle(last)}: ${thrown.message}`);
      }
    }
  }

  async #flush(object: number): Promise<void> {
    const at = this.#tracked.findIndex(([made]) => made === object);
    if (at >= 0) this.#tracked.splice(at, 1);
    await flush(this.connection, object);
  }
}
