/**
 * A loaded module, which is initialised while it is in use and stays in memory.
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

/** Loaded PKCS#11 module. */
export class Module {
  readonly cryptoki: Cryptoki;
  readonly structures: Structures;
  readonly #calls: TimedCalls;
  #isPrepared = false;
  #userCount = 0;
  /** True if this program called C_Initialize, and so must call C_Finalize. */
  #isInitializedByUs = false;
  #queue: Promise<void> = Promise.resolve();

  /** Loads the library at `path`. Throws the runtime's error if that fails. */
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

  /** Reads the function list, once. Throws {@link CryptokiError} or {@link CallTimeoutError}. */
  async prepare(): Promise<void> {
    if (!this.#isPrepared) await this.#calls.getFunctionList();
    this.#isPrepared = true;
  }

  /** Runs `work` after all earlier work has ended. */
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

  /** Initialises the module, if it is not, until `release`. */
  async acquire(): Promise<void> {
    // After a failed C_Finalize it may still be initialised by this program.
    if (this.#userCount === 0 && await withQuietStderr(() => this.cryptoki.initialize())) {
      this.#isInitializedByUs = true;
    }
    this.#userCount++;
  }

  /** Ends the use that `acquire` began. The last one finalises the module. */
  async release(): Promise<void> {
    this.#userCount--;
    await this.#finalizeUnused();
  }

  /** Unloads the module, unless a call is still running. It must not be in use. */
  unload(): void {
    if (!this.#calls.isOverdue) this.#calls.library.close();
  }

  async #finalizeUnused(): Promise<void> {
    if (this.#userCount > 0 || !this.#isInitializedByUs || this.#calls.isOverdue) return;
    await this.cryptoki.finalize();
    this.#isInitializedByUs = false;
  }

  /** Handles a call that returned after its timeout. */
  async #handleLateReturn(name: FunctionName, value: number): Promise<void> {
    if (name === "C_Initialize" && value === CKR.OK) this.#isInitializedByUs = true;
    if (name === "C_Finalize" && value === CKR.OK) this.#isInitializedByUs = false;
    try {
      await this.runExclusive(() => this.#finalizeUnused());
    } catch (thrown) {
      if (!isModuleFailure(thrown)) throw thrown; // the next use reports the error
    }
  }
}
