/**
 * One connection to the TPM, and calls through it: return codes become errors, buffers live as long
 * as a call needs them, what the library allocates is freed.
 *
 * @module
 */
import { ESYS } from "../structures/handles.ts";
import type { Libraries } from "./libraries.ts";
import { fromWire, type Marshalled, toWire, type Unmarshalled } from "./marshalling.ts";
import { TpmTimeoutError } from "./timeouts.ts";
import { type Step, TpmError } from "./return_codes.ts";

/** Waits for a call; throws {@link TpmTimeoutError} when it takes too long. */
export type Wait = <T>(call: Promise<T>) => Promise<T>;

/** The three sessions of a command that needs none. */
export const NO_SESSIONS = [ESYS.none, ESYS.none, ESYS.none] as const;

/** The three sessions of a command that needs one. */
export function oneSession(session: number): readonly [number, number, number] {
  return [session, ESYS.none, ESYS.none];
}

/** Where the library writes a number, such as an ESYS_TR. */
export type ObjectCell = Uint32Array<ArrayBuffer>;

/** An {@link ObjectCell} without a number in it. */
export function numberCell(): ObjectCell {
  return new Uint32Array(1);
}

/** Where the library writes the address of what it allocated. */
export function pointerCell(): BigUint64Array<ArrayBuffer> {
  return new BigUint64Array(1);
}

/** An open connection. Calls must follow each other. */
export class Connection {
  /** TSS2_TCTI_CONTEXT * and ESYS_CONTEXT *, where the library writes them. */
  readonly #tcti = new BigUint64Array(1);
  readonly #esys = new BigUint64Array(1);
  /** Arguments of calls that run: the native side knows their addresses alone. */
  readonly #inUse = new Set<readonly unknown[]>();
  /** A call that nobody waits for any more. */
  #stuck: Promise<unknown> | undefined;

  private constructor(readonly libraries: Libraries, readonly wait: Wait) {}

  /** Connects by a TCTI configuration such as `device:/dev/tpmrm0`. Throws {@link TpmError}. */
  static async open(libraries: Libraries, tcti: string, wait: Wait): Promise<Connection> {
    const connection = new Connection(libraries, wait);
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

  /** The call that did not end in time, if there is one; the connection cannot be used before. */
  get stuck(): Promise<unknown> | undefined {
    return this.#stuck;
  }

  /** Calls a nonblocking function; a code other than 0 becomes a {@link TpmError}. */
  async call<A extends readonly unknown[]>(
    step: Step,
    nativeFunction: (...args: A) => Promise<number>,
    ...args: A
  ): Promise<void> {
    this.#inUse.add(args);
    const running = nativeFunction(...args);
    const ended = running.finally(() => this.#inUse.delete(args));
    try {
      const code = await this.wait(ended);
      if (code !== 0) throw new TpmError(step, code);
    } catch (thrown) {
      if (thrown instanceof TpmTimeoutError) this.#stuck = ended;
      throw thrown;
    }
  }

  /** The same for a function that asks the TPM nothing. */
  check(step: Step, code: number): void {
    if (code !== 0) throw new TpmError(step, code);
  }

  /** The C structure of wire bytes. */
  structure(structure: Unmarshalled, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    return fromWire(this.libraries, structure, bytes);
  }

  /**
   * The wire bytes of the structure whose address the library wrote into `cell`, which is freed; with
   * `wipe` it is overwritten before.
   */
  take(structure: Marshalled, cell: BigUint64Array, wipe = false): Uint8Array<ArrayBuffer> {
    const pointer = Deno.UnsafePointer.create(cell[0] ?? 0n);
    if (!pointer) return new Uint8Array(0);
    let length = 0;
    try {
      const bytes = toWire(this.libraries, structure, pointer);
      length = bytes.length;
      return bytes;
    } finally {
      // A TPM2B has as many bytes here as on the wire.
      if (wipe) new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, length)).fill(0);
      this.libraries.esys.Esys_Free(pointer);
    }
  }

  /** Closes the connection; while a call is stuck, as soon as that has ended. */
  async close(): Promise<void> {
    if (this.#stuck) this.#stuck.then(() => this.#finalize(), () => this.#finalize());
    else await this.#finalize();
  }

  async #finalize(): Promise<void> {
    const { loader, esys } = this.libraries;
    if (this.#esys[0]) await esys.Esys_Finalize(this.#esys);
    if (this.#tcti[0]) await loader.Tss2_TctiLdr_Finalize(this.#tcti);
    this.#esys[0] = this.#tcti[0] = 0n;
  }
}
