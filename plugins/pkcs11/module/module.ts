/**
 * A loaded module: initialised while it is in use, kept in memory until the process ends.
 *
 * @module
 */
import { TimedCalls } from "../cryptoki/timed_calls.ts";
import { Cryptoki } from "../cryptoki/cryptoki.ts";
import { withQuietStderr } from "../../../src/keystore/quiet_libraries.ts";
import { isModuleFailure } from "../cryptoki/errors.ts";
import { Library } from "../cryptoki/library.ts";
import type { FunctionName } from "../cryptoki/ffi.ts";
import type { Layout } from "../cryptoki/layout.ts";
import { CKR } from "../cryptoki/return_values.ts";
import { Structures } from "../cryptoki/structures.ts";
import type { TimeLimits } from "../cryptoki/timeouts.ts";

/** What a module that was loaded is used through. */
export class Module {
  readonly cryptoki: Cryptoki;
  readonly structures: Structures;
  readonly #calls: TimedCalls;
  #isPrepared = false;
  #users = 0;
  /** Whether this program has initialised it, and so has to finalise it. */
  #ours = false;
  #turn: Promise<void> = Promise.resolve();

  /** Loads the library at `path`; throws what the runtime says when that fails. */
  constructor(readonly path: string, layout: Layout, limits: TimeLimits) {
    const library = new Library(path, layout);
    this.structures = new Structures(layout);
    this.#calls = new TimedCalls(library, limits, (name, value) => this.#lateReturn(name, value));
    this.cryptoki = new Cryptoki(this.#calls, this.structures);
  }

  /** Asks it for its functions, once. Throws {@link CryptokiError} or {@link CallTimeoutError}. */
  async prepare(): Promise<void> {
    if (!this.#isPrepared) await this.#calls.getFunctionList();
    this.#isPrepared = true;
  }

  /** Runs `work` when all that came before has ended: one token is asked one thing at a time. */
  async runExclusive<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    try {
      return await work();
    } finally {
      resolve();
    }
  }

  /** Makes sure that it is initialised, until `leave`. */
  async enter(): Promise<void> {
    // When C_Finalize failed, it may still be initialised, by this program.
    if (this.#users === 0 && await withQuietStderr(() => this.cryptoki.initialize())) {
      this.#ours = true;
    }
    this.#users++;
  }

  /** Ends what `enter` began; with the last user, the module is finalised. */
  async leave(): Promise<void> {
    this.#users--;
    await this.#finalizeUnused();
  }

  /** Unloads it, unless a call is still running in it. Nobody may be using it. */
  unload(): void {
    if (!this.#calls.isOverdue) this.#calls.library.close();
  }

  async #finalizeUnused(): Promise<void> {
    if (this.#users > 0 || !this.#ours || this.#calls.isOverdue) return;
    await this.cryptoki.finalize();
    this.#ours = false;
  }

  /** A call has come back after its time, when those who waited for it were gone. */
  async #lateReturn(name: FunctionName, value: number): Promise<void> {
    if (name === "C_Initialize" && value === CKR.OK) this.#ours = true;
    if (name === "C_Finalize" && value === CKR.OK) this.#ours = false;
    try {
      await this.runExclusive(() => this.#finalizeUnused());
    } catch (thrown) {
      if (!isModuleFailure(thrown)) throw thrown; // the next use tells about the module
    }
  }
}
