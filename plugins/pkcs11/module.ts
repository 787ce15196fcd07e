/**
 * A loaded module: initialised while it is in use, kept in memory until the process ends.
 *
 * @module
 */
import { Calls } from "./calls.ts";
import { Cryptoki } from "./cryptoki.ts";
import { isModuleFailure } from "./failures.ts";
import { Library } from "./ffi.ts";
import type { Layout } from "./layout.ts";
import { Structures } from "./structures.ts";
import type { TimeLimits } from "./time_limits.ts";

/** What a module that was loaded is used through. */
export class Module {
  readonly cryptoki: Cryptoki;
  readonly structures: Structures;
  readonly #calls: Calls;
  #users = 0;
  /** Whether this program has initialised it, and so has to finalise it. */
  #ours = false;
  #turn: Promise<void> = Promise.resolve();

  private constructor(readonly path: string, library: Library, layout: Layout, limits: TimeLimits) {
    this.structures = new Structures(layout);
    this.#calls = new Calls(library, limits, () => this.#finalizeWhenIdle());
    this.cryptoki = new Cryptoki(this.#calls, this.structures);
  }

  /**
   * Loads the library at `path`. Throws what the runtime says when that fails, and
   * {@link CryptokiError} or {@link UnansweredError} from C_GetFunctionList.
   */
  static async load(path: string, layout: Layout, limits: TimeLimits): Promise<Module> {
    const library = new Library(path, layout);
    const module = new Module(path, library, layout, limits);
    try {
      await module.#calls.getFunctionList();
      return module;
    } catch (thrown) {
      // What is still running in it would be pulled from under its feet.
      if (!module.#calls.isOverdue) library.close();
      throw thrown;
    }
  }

  /** Runs `work` when all that came before has ended: one token is asked one thing at a time. */
  async exclusively<T>(work: () => Promise<T>): Promise<T> {
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
    if (this.#users === 0 && !this.#ours) {
      try {
        this.#ours = await this.cryptoki.initialize();
      } catch (thrown) {
        this.#ours = this.#calls.isOverdue; // it will be, when the call comes back
        throw thrown;
      }
    }
    this.#users++;
  }

  /** Ends what `enter` began; with the last user, the module is finalised. */
  async leave(): Promise<void> {
    this.#users--;
    if (this.#users === 0) await this.#finalize();
  }

  /** Unloads it. Nobody may be using it. */
  unload(): void {
    this.#calls.library.close();
  }

  async #finalize(): Promise<void> {
    if (!this.#ours || this.#calls.isOverdue) return;
    this.#ours = false;
    await this.cryptoki.finalize();
  }

  /** A call has come back after its time, and those who waited for it are gone. */
  async #finalizeWhenIdle(): Promise<void> {
    try {
      await this.exclusively(async () => {
        if (this.#users === 0) await this.#finalize();
      });
    } catch (thrown) {
      if (!isModuleFailure(thrown)) throw thrown; // the next use tells about the module
    }
  }
}
