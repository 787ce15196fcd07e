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
import type { Timeouts } from "../cryptoki/timeouts.ts";

/** What a module that was loaded is used through. */
export class Module {
  readonly cryptoki: Cryptoki;
  readonly structures: Structures;
  readonly #calls: TimedCalls;
  #isPrepared = false;
  #userCount = 0;
  /** Whether this program has initialised it, and so has to finalise it. */
  #isInitializedByUs = false;
  #queue: Promise<void> = Promise.resolve();

  /** Loads the library at `path`; throws what the runtime says when that fails. */
  constructor(readonly path: string, layout: Layout, timeouts: Timeouts) {
    const library = new Library(path, layout);
    this.structures = new Structures(layout);
    this.#calls = new TimedCalls(
      library,
      timeouts,
      (name, value) => this.#handleLateReturn(name, value),
    );
    this.cryptoki = new Cryptoki(this.#calls, this.structures);
  }

  /** Asks it for its functions, once. Throws {@link CryptokiError} or {@link CallTimeoutError}. */
  async prepare(): Promise<void> {
    if (!this.#isPrepared) await this.#calls.getFunctionList();
    this.#isPrepared = true;
  }

  /** Runs `work` when all that came before has ended: one token is asked one thing at a time. */
  async runExclusive<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#queue;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#queue = promise;
    await before;
    try {
      return await work();
    } finally {
      resolve();
    }
  }

  /** Makes sure that it is initialised, until `leave`. */
  async acquire(): Promise<void> {
    // When C_Finalize failed, it may still be initialised, by this program.
    if (this.#userCount === 0 && await withQuietStderr(() => this.cryptoki.initialize())) {
      this.#isInitializedByUs = true;
    }
    this.#userCount++;
  }

  /** Ends what `enter` began; with the last user, the module is finalised. */
  async release(): Promise<void> {
    this.#userCount--;
    await this.#finalizeUnused();
  }

  /** Unloads it, unless a call is still running in it. Nobody may be using it. */
  unload(): void {
    if (!this.#calls.isOverdue) this.#calls.library.close();
  }

  async #finalizeUnused(): Promise<void> {
    if (this.#userCount > 0 || !this.#isInitializedByUs || this.#calls.isOverdue) return;
    await this.cryptoki.finalize();
    this.#isInitializedByUs = false;
  }

  /** A call has come back after its time, when those who waited for it were gone. */
  async #handleLateReturn(name: FunctionName, value: number): Promise<void> {
    if (name === "C_Initialize" && value === CKR.OK) this.#isInitializedByUs = true;
    if (name === "C_Finalize" && value === CKR.OK) this.#isInitializedByUs = false;
    try {
      await this.runExclusive(() => this.#finalizeUnused());
    } catch (thrown) {
      if (!isModuleFailure(thrown)) throw thrown; // the next use tells about the module
    }
  }
}
