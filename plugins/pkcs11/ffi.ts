/**
 * The functions of a PKCS#11 module, called through `Deno.dlopen` on threads of their own, so that
 * the program goes on while a token works.
 *
 * @module
 */
import { type Layout, POINTER_SIZE } from "./layout.ts";
import { CKR } from "./return_values.ts";

/** What a function takes: CK_ULONG and its like, CK_BBOOL, or an address. */
type Parameter = "ulong" | "u8" | "buffer" | "pointer";

/** Each function in use: its place in CK_FUNCTION_LIST, and its parameters. */
const FUNCTIONS = {
  // CK_C_INITIALIZE_ARGS *arguments
  C_Initialize: { place: 0, parameters: ["buffer"] },
  // void *reserved
  C_Finalize: { place: 1, parameters: ["pointer"] },
  // CK_INFO *info
  C_GetInfo: { place: 2, parameters: ["buffer"] },
  // CK_BBOOL token_present, CK_SLOT_ID *list, CK_ULONG *count
  C_GetSlotList: { place: 4, parameters: ["u8", "buffer", "buffer"] },
  // CK_SLOT_ID slot, CK_SLOT_INFO *info
  C_GetSlotInfo: { place: 5, parameters: ["ulong", "buffer"] },
  // CK_SLOT_ID slot, CK_TOKEN_INFO *info
  C_GetTokenInfo: { place: 6, parameters: ["ulong", "buffer"] },
  // CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *count
  C_GetMechanismList: { place: 7, parameters: ["ulong", "buffer", "buffer"] },
  // CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify, CK_SESSION_HANDLE *session
  C_OpenSession: { place: 12, parameters: ["ulong", "ulong", "pointer", "pointer", "buffer"] },
  // CK_SESSION_HANDLE session
  C_CloseSession: { place: 13, parameters: ["ulong"] },
  // CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG pin_length
  C_Login: { place: 18, parameters: ["ulong", "ulong", "buffer", "ulong"] },
  // CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template, CK_ULONG count
  C_GetAttributeValue: { place: 24, parameters: ["ulong", "ulong", "buffer", "ulong"] },
  // CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count
  C_FindObjectsInit: { place: 26, parameters: ["ulong", "buffer", "ulong"] },
  // CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *list, CK_ULONG most, CK_ULONG *count
  C_FindObjects: { place: 27, parameters: ["ulong", "buffer", "ulong", "buffer"] },
  // CK_SESSION_HANDLE session
  C_FindObjectsFinal: { place: 28, parameters: ["ulong"] },
  // CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key
  C_SignInit: { place: 42, parameters: ["ulong", "buffer", "ulong"] },
  // CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *signature, CK_ULONG *length
  C_Sign: { place: 43, parameters: ["ulong", "buffer", "ulong", "buffer", "buffer"] },
} as const satisfies Record<string, { place: number; parameters: readonly Parameter[] }>;

/** A function of CK_FUNCTION_LIST. */
export type ListedFunction = keyof typeof FUNCTIONS;

/** A function of a module. */
export type FunctionName = ListedFunction | "C_GetFunctionList";

/** What is passed to a function, in the order of its parameters. */
export type Argument = bigint | number | Uint8Array<ArrayBuffer> | null;

/** Memory that native code may read and write: never inside V8's heap, where it would be moved. */
export function allocate(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(size));
}

/** The same bytes in such memory. */
export function nativeCopy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
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
    const value = await this.#held([address], this.#library.symbols.C_GetFunctionList(address));
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
    return await this.#held([converted, reachable], native.call(...converted));
  }

  /** Unloads it; nothing may be running in it. */
  close(): void {
    this.#library.close();
  }

  async #held(memory: readonly unknown[], called: Promise<number | bigint>): Promise<number> {
    this.#inUse.add(memory);
    try {
      return Number(await called);
    } finally {
      this.#inUse.delete(memory);
    }
  }

  #function(name: ListedFunction): NativeFunction | undefined {
    if (this.#functions.has(name)) return this.#functions.get(name);
    const { place, parameters } = FUNCTIONS[name];
    const { functionList, ulong } = this.#layout;
    const pointer = this.#list?.getPointer(functionList.first + place * POINTER_SIZE);
    const native = pointer ? nativeFunction(pointer, parameters, ulong.type) : undefined;
    this.#functions.set(name, native);
    return native;
  }
}

interface NativeFunction {
  call(...args: Argument[]): Promise<number | bigint>;
}

function nativeFunction(
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
