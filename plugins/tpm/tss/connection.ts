/**
 * A connection to the TPM. It maps return codes to errors, keeps buffers alive during calls, and
 * frees memory that the library allocated.
 *
 * @module
 */
import { ESYS_TR } from "../structures/handles.ts";
import type { Libraries } from "./libraries.ts";
import { marshal, type Marshalled, unmarshal, type Unmarshalled } from "./marshalling.ts";
import { TpmTimeoutError } from "./timeouts.ts";
import { type Operation, TpmError } from "./return_codes.ts";

/** Function that waits for a call and throws {@link TpmTimeoutError} after a timeout. */
export type CallTimeout = <T>(call: Promise<T>) => Promise<T>;

/** The session arguments of a command without sessions. */
export const NO_SESSIONS = [ESYS_TR.none, ESYS_TR.none, ESYS_TR.none] as const;

/** Returns the session arguments of a command with one session. */
export function oneSession(session: number): readonly [number, number, number] {
  return [session, ESYS_TR.none, ESYS_TR.none];
}

/** Output argument for a number, such as an ESYS_TR. */
export type ObjectCell = Uint32Array<ArrayBuffer>;

/** Returns an empty {@link ObjectCell}. */
export function createObjectCell(): ObjectCell {
  return new Uint32Array(1);
}

/** Returns an output argument for the address of an allocated structure. */
export function createPointerCell(): BigUint64Array<ArrayBuffer> {
  return new BigUint64Array(1);
}

/** An open connection. Only one call may run at a time. */
export class Connection {
  /** Output arguments for TSS2_TCTI_CONTEXT * and ESYS_CONTEXT *. */
  readonly #tcti = new BigUint64Array(1);
  readonly #esys = new BigUint64Array(1);
  /** Arguments of running calls, referenced here so that they are not garbage-collected. */
  readonly #inUse = new Set<readonly unknown[]>();
  /** A call that timed out and is still running. */
  #timedOutCall: Promise<unknown> | undefined;

  private constructor(readonly libraries: Libraries, readonly withTimeout: CallTimeout) {}

  /** Connects with a TCTI configuration such as `device:/dev/tpmrm0`. Throws {@link TpmError}. */
  static async open(
    libraries: Libraries,
    tcti: string,
    withTimeout: CallTimeout,
  ): Promise<Connection> {
    const connection = new Connection(libraries, withTimeout);
    const { loader, esys } = libraries;
    const name = new TextEncoder().encode(`${tcti}\0`);
    try {
      await connection.call("connect", loader.Tss2_TctiLdr_Initialize, name, connection.#tcti);
      const context = Deno.UnsafePointer.create(connection.#tcti[0] ?? 0n);
      await connection.call("connect", esys.Esys_Initialize, connection.#esys, context, null);
    } catch (thrown) {
      await connection.close();
      throw thrown;
    }
    return connection;
  }

  /** ESYS_CONTEXT *. */
  get context(): Deno.PointerValue {
    return Deno.UnsafePointer.create(this.#esys[0] ?? 0n);
  }

  /** The call that timed out, if any. The connection cannot be used before it returns. */
  get timedOutCall(): Promise<unknown> | undefined {
    return this.#timedOutCall;
  }

  /** Calls a nonblocking function. Throws {@link TpmError} for a return code other than 0. */
  async call<A extends readonly unknown[]>(
    operation: Operation,
    nativeFunction: (...args: A) => Promise<number>,
    ...args: A
  ): Promise<void> {
    this.#inUse.add(args);
    const running = nativeFunction(...args);
    const ended = running.finally(() => this.#inUse.delete(args));
    try {
      const code = await this.withTimeout(ended);
      if (code !== 0) throw new TpmError(operation, code);
    } catch (thrown) {
      if (thrown instanceof TpmTimeoutError) this.#timedOutCall = ended;
      throw thrown;
    }
  }

  /** Throws {@link TpmError} if the return code of a local function is not 0. */
  check(operation: Operation, code: number): void {
    if (code !== 0) throw new TpmError(operation, code);
  }

  /** Returns the C structure for marshalled bytes. */
  unmarshal(structure: Unmarshalled, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    return unmarshal(this.libraries, structure, bytes);
  }

  /**
   * Marshals the structure whose address the library wrote to `cell`, then frees it. With `wipe`,
   * its memory is overwritten first.
   */
  marshalAndFree(
    structure: Marshalled,
    cell: BigUint64Array,
    wipe = false,
  ): Uint8Array<ArrayBuffer> {
    const pointer = Deno.UnsafePointer.create(cell[0] ?? 0n);
    if (!pointer) return new Uint8Array(0);
    let length = 0;
    try {
      const bytes = marshal(this.libraries, structure, pointer);
      length = bytes.length;
      return bytes;
    } finally {
      // A TPM2B has the same length in memory as marshalled.
      if (wipe) new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, length)).fill(0);
      this.libraries.esys.Esys_Free(pointer);
    }
  }

  /** Closes the connection. After a timeout, it closes when the timed-out call returns. */
  async close(): Promise<void> {
    if (this.#timedOutCall) this.#timedOutCall.then(() => this.#finalize(), () => this.#finalize());
    else await this.#finalize();
  }

  async #finalize(): Promise<void> {
    const { loader, esys } = this.libraries;
    if (this.#esys[0]) await esys.Esys_Finalize(this.#esys);
    if (this.#tcti[0]) await loader.Tss2_TctiLdr_Finalize(this.#tcti);
    this.#esys[0] = this.#tcti[0] = 0n;
  }
}
