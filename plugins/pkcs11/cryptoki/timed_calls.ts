/**
 * Calls into a module, one after the other, each within its time.
 *
 * @module
 */
import { CallTimeoutError, CryptokiError } from "./errors.ts";
import type { Library } from "./library.ts";
import type { Argument, FunctionName, ListedFunction } from "./ffi.ts";
import { CKR } from "./return_values.ts";
import type { Timeouts } from "./timeouts.ts";
import { withTimeout } from "../../../src/timeout.ts";

/** A call that has not returned in time and is still running. */
interface Overdue {
  readonly name: FunctionName;
  readonly since: number;
}

/**
 * The calls into one library. A call that does not return in time cannot be stopped: until it
 * returns by itself, all others are refused, so that they do not pile up behind it.
 */
export class TimedCalls {
  #overdue: Overdue | undefined;

  /** `returned` is told when a call comes back after its time, and with which value. */
  constructor(
    readonly library: Library,
    private readonly timeouts: Timeouts,
    private readonly onLateReturn: (name: FunctionName, value: number) => void,
  ) {}

  /** Whether a call is still running whose time is over. */
  get isOverdue(): boolean {
    return this.#overdue !== undefined;
  }

  /** C_GetFunctionList. */
  async getFunctionList(): Promise<void> {
    const name = "C_GetFunctionList";
    const value = await this.#withTimeout(name, () => this.library.getFunctionList());
    if (value !== CKR.OK) throw new CryptokiError(name, value);
  }

  /**
   * Calls a function; throws {@link CryptokiError} when it returns neither CKR_OK nor one of
   * `expected`, and {@link CallTimeoutError} when it does not return. Gives the value returned.
   */
  async call(
    name: ListedFunction,
    args: readonly Argument[],
    options: { readonly reachable?: readonly unknown[]; readonly expected?: readonly number[] } =
      {},
  ): Promise<number> {
    const value = await this.#withTimeout(
      name,
      () => this.library.call(name, args, options.reachable),
    );
    if (value !== CKR.OK && !options.expected?.includes(value)) {
      throw new CryptokiError(name, value);
    }
    return value;
  }

  /** Like `call`, with a secret among `args` that is wiped when native code no longer reads it. */
  async callWithSecret(
    name: ListedFunction,
    args: readonly Argument[],
    secret: Uint8Array<ArrayBuffer> | null,
  ): Promise<number> {
    let running: Promise<number> | undefined;
    const wipe = () => secret?.fill(0);
    try {
      return await this.#withTimeout(name, () => running = this.library.call(name, args, [secret]));
    } finally {
      if (running) running.then(wipe, wipe);
      else wipe();
    }
  }

  async #withTimeout(name: FunctionName, start: () => Promise<number>): Promise<number> {
    if (this.#overdue) {
      const seconds = Math.round((performance.now() - this.#overdue.since) / 1000);
      throw new CallTimeoutError(
        `the module is still busy with ${this.#overdue.name}, which has not returned for ` +
          `${seconds} s; restart this program if it never does`,
      );
    }
    const limit = this.timeouts[name];
    const since = performance.now();
    const running = start();
    const value = await withTimeout(running, limit, () => "late" as const);
    if (value !== "late") return value;
    this.#overdue = { name, since };
    running.then((value) => {
      this.#overdue = undefined;
      this.onLateReturn(name, value);
    });
    throw new CallTimeoutError(
      `${name} has not returned within ${limit / 1000} s; check that the token answers ` +
        "(a PIN pad or a key may be waiting for you)",
    );
  }
}
