/**
 * Calls into a module, one at a time, each with a timeout.
 *
 * @module
 */
import { CallTimeoutError, CryptokiError } from "./errors.ts";
import type { Library } from "./library.ts";
import type { Argument, FunctionName, ListedFunction } from "./ffi.ts";
import { CKR } from "./return_values.ts";
import type { Timeouts } from "./timeouts.ts";
import { withTimeout } from "../../../src/timeout.ts";

/** Call that timed out and is still running. */
interface Overdue {
  readonly name: FunctionName;
  readonly since: number;
}

/**
 * Caller of one library's functions. A call that times out cannot be stopped. Until it returns, all
 * other calls throw, so that they do not queue up.
 */
export class TimedCalls {
  #overdue: Overdue | undefined;

  /** `onLateReturn` is called when a call returns after its timeout; the next use reports its errors. */
  constructor(
    readonly library: Library,
    private readonly timeouts: Timeouts,
    private readonly onLateReturn: (name: FunctionName, value: number) => Promise<void>,
  ) {}

  /** True if a call that timed out is still running. */
  get isOverdue(): boolean {
    return this.#overdue !== undefined;
  }

  /** Calls C_GetFunctionList. */
  async getFunctionList(): Promise<void> {
    const name = "C_GetFunctionList";
    const value = await this.#withTimeout(name, () => this.library.getFunctionList());
    if (value !== CKR.OK) throw new CryptokiError(name, value);
  }

  /**
   * Calls a function and returns its value. Throws {@link CryptokiError} if that is neither CKR_OK
   * nor one of `expected`, and {@link CallTimeoutError} if the call times out.
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

  /** Like `call`, but wipes `secret`, one of `args`, when native code no longer reads it. */
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
        `the module is still busy with ${this.#overdue.name}, for ${seconds} s; ` +
          "restart this program if that does not end",
      );
    }
    const timeout = this.timeouts[name];
    const since = performance.now();
    const running = start();
    const value = await withTimeout(running, timeout, () => "late" as const);
    if (value !== "late") return value;
    this.#overdue = { name, since };
    running.finally(() => this.#overdue = undefined)
      .then((value) => this.onLateReturn(name, value))
      .catch(() => {});
    throw new CallTimeoutError(
      `${name} has not returned within ${timeout / 1000} s; check that the token responds ` +
        "(a PIN pad or a key may be waiting for you)",
    );
  }
}
