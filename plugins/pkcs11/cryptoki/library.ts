/**
 * Calls the functions of a PKCS#11 module through `Deno.dlopen`. Uses separate threads, so that a
 * slow token does not block the program.
 *
 * @module
 */
import { type Argument, FUNCTIONS, type ListedFunction, type Parameter } from "./ffi.ts";
import { type Layout, POINTER_SIZE } from "./layout.ts";
import { CKR } from "./return_values.ts";

/** Allocates memory for native code, outside V8's heap, where it would be moved. */
export function allocate(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(size));
}

/** Copies bytes to memory for native code. */
export function copyToNative(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = allocate(bytes.length);
  copy.set(bytes);
  return copy;
}

/** Loaded library, with its functions after `getFunctionList`. */
export class Library {
  readonly #library;
  readonly #layout: Layout;
  readonly #functions = new Map<ListedFunction, NativeFunction | undefined>();
  /** Memory in use by native code, kept from the garbage collector. */
  readonly #inUse = new Set<readonly unknown[]>();
  #list: Deno.UnsafePointerView | undefined;

  /** Loads the library. Throws the runtime's error if it is not a loadable PKCS#11 module. */
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

  /** Calls C_GetFunctionList and returns its value. Must come before all other calls. */
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
   * Calls a function and returns its value. `reachable` is memory that `args` point to. Both are
   * kept until the function returns.
   */
  async call(
    name: ListedFunction,
    args: readonly Argument[],
    reachable: readonly unknown[] = [],
  ): Promise<number> {
    const native = this.#function(name);
    if (!native) return CKR.FUNCTION_NOT_SUPPORTED;
    const { size } = this.#layout.ulong;
    // A 32-bit parameter does not accept a bigint.
    const converted = args.map((arg) =>
      typeof arg === "bigint" && size === 4 ? Number(BigInt.asUintN(32, arg)) : arg
    );
    return await this.#keepAlive([converted, reachable], native.call(...converted));
  }

  /** Unloads the library. No call may be running. */
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
    // The pointer's type includes the definition, which is only known here.
    pointer as Deno.PointerObject<typeof definition>,
    definition,
  );
  return { call: (...args) => native.call(...args) };
}
