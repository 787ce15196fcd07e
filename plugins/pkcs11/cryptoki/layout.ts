/**
 * Memory layouts of the PKCS#11 structures. On Linux and macOS CK_ULONG is an `unsigned long` of 64
 * bits and structures have the compiler's alignment. On Windows it has 32 bits and structures are
 * packed to single bytes (PKCS#11 2.40 base specification, section 2.1).
 *
 * @module
 */

/** Sizes and offsets of one platform, in bytes. */
export interface Layout {
  /** CK_ULONG, as a native type and in bytes. */
  readonly ulong: { readonly type: "u32" | "u64"; readonly size: 4 | 8 };
  /** CK_FUNCTION_LIST: offset of its first pointer; the others follow without gaps. */
  readonly functionList: { readonly first: number };
  readonly initializeArguments: { readonly size: number; readonly flags: number };
  readonly info: {
    readonly size: number;
    readonly manufacturer: number;
    readonly description: number;
    readonly version: number;
  };
  readonly slotInfo: {
    readonly size: number;
    readonly description: number;
    readonly manufacturer: number;
  };
  readonly tokenInfo: {
    readonly size: number;
    readonly label: number;
    readonly manufacturer: number;
    readonly model: number;
    readonly serial: number;
    readonly flags: number;
  };
  readonly attribute: { readonly size: number; readonly value: number; readonly length: number };
  readonly mechanism: { readonly size: number };
}

/** Size of a pointer in bytes: all supported platforms have 64 bits. */
export const POINTER_SIZE = 8;

/** The two layouts. */
export const LAYOUTS = {
  natural: {
    ulong: { type: "u64", size: 8 },
    functionList: { first: 8 },
    initializeArguments: { size: 48, flags: 32 },
    info: { size: 88, manufacturer: 2, description: 48, version: 80 },
    slotInfo: { size: 112, description: 0, manufacturer: 64 },
    tokenInfo: { size: 208, label: 0, manufacturer: 32, model: 64, serial: 80, flags: 96 },
    attribute: { size: 24, value: 8, length: 16 },
    mechanism: { size: 24 },
  },
  windows: {
    ulong: { type: "u32", size: 4 },
    functionList: { first: 2 },
    initializeArguments: { size: 44, flags: 32 },
    info: { size: 72, manufacturer: 2, description: 38, version: 70 },
    slotInfo: { size: 104, description: 0, manufacturer: 64 },
    tokenInfo: { size: 160, label: 0, manufacturer: 32, model: 64, serial: 80, flags: 96 },
    attribute: { size: 16, value: 4, length: 12 },
    mechanism: { size: 16 },
  },
} as const satisfies Record<string, Layout>;
