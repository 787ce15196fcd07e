/**
 * The functions of a PKCS#11 module, called through `Deno.dlopen` on threads of their own, so that
 * the program goes on while a token works.
 *
 * @module
 */
import { type Argument, FUNCTIONS, type ListedFunction, type Parameter } from "./ffi.ts";
import { type Layout, POINTER_SIZE } from "./layout.ts";
import { CKR } from "./return_values.ts";

/** Memory that native code may read and write: never inside V8's heap, where it would be moved. */
export function allocate(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(size));
}

/** The same bytes in such memory. */
export function copyToNative(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = allocate(bytes.length);
  copy.set(bytes);
  return copy;
}

/** A loaded library, and its functions once it has given its list. */
export class Library {
  readonly #library;
  readonly #layout: Layout;
  readonly #functions = new Map<ListedFunction, NativeFunction | undefined>();
  /** What native code is using at this moment: the garbage collector must not take it. */
  readonly #inUse = new Set<readonly unknown[]>();
  #list: Deno.UnsafePointerView | undefined;

  /** Loads it; throws what the runtime says when it cannot be loaded or is no PKCS#11 module. */
  constructor(path: string, layout: Layout) {
    this.#layout = layout;
    this.#library = Deno.dlopen(
      path,
      {
        // CK_FUNCTION_LIST **list
        C_GetFunctionList: { parameters: ["buffer"], result: layout.ulong.type, nonblocking: true },
      } as const,
    );
  }

  /** C_GetFunctionList, to be called before all others; gives its return value. */
  async getFunctionList(): Promise<number> {
    const address = allocate(POINTER_SIZE);
    const value = await this.#keepAlive(
      [address],
      this.#library.symbols.C_GetFunctionList(address),
    );
    const list = Deno.UnsafePointer.create(new DataView(address.buffer).getBigUint64(0, true));
    if (list) this.#list = new Deno.UnsafePointerView(list);
    return value === CKR.OK && !list ? CKR.GENERAL_ERROR : value;
  }

  /**
   * Calls a function and gives its return value. `reachable` is memory that `args` point to: it is
   * kept until the function has returned, as are `args`.
   */
  async call(
    name: ListedFunction,
    args: readonly Argument[],
    reachable: readonly unknown[] = [],
  ): Promise<number> {
    const native = this.#function(name);
    if (!native) return CKR.FUNCTION_NOT_SUPPORTED;
    const { size } = this.#layout.ulong;
    // A 32-bit parameter takes no bigint.
    const converted = args.map((arg) =>
      typeof arg === "bigint" && size === 4 ? Number(BigInt.asUintN(32, arg)) : arg
    );
    return await this.#keepAlive([converted, reachable], native.call(...converted));
  }

  /** Unloads it; nothing may be running in it. */
  close(): void {
    this.#library.close();
  }

  async #keepAlive(memory: readonly unknown[], called: Promise<number | bigint>): Promise<number> {
    this.#inUse.add(memory);
    try {
      return Number(await called);
    } finally {
      this.#inUse.delete(memory);
    }
  }

  #function(name: ListedFunction): NativeFunction | undefined {
    if (this.#functions.has(name)) return this.#functions.get(name);
    const { index, parameters } = FUNCTIONS[name];
    const { functionList, ulong } = this.#layout;
    const pointer = this.#list?.getPointer(functionList.first + index * POINTER_SIZE);
    const native = pointer ? createNativeFunction(pointer, parameters, ulong.type) : undefined;
    this.#functions.set(name, native);
    return native;
  }
}

interface NativeFunction {
  call(...args: Argument[]): Promise<number | bigint>;
}

function createNativeFunction(
  pointer: Deno.PointerObject,
  parameters: readonly Parameter[],
  ulong: "u32" | "u64",
): NativeFunction {
  const definition = {
    parameters: parameters.map((parameter) => parameter === "ulong" ? ulong : parameter),
    result: ulong,
    nonblocking: true,
  } as const;
  const native = new Deno.UnsafeFnPointer(
    // The type of the pointer names its definition, which is known here alone.
    pointer as Deno.PointerObject<typeof definition>,
    definition,
  );
  return { call: (...args) => native.call(...args) };
}
