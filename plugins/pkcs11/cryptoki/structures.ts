/**
 * Encodes and decodes the PKCS#11 structures by the table of layouts.
 *
 * @module
 */
import { allocate } from "./library.ts";
import type { Layout } from "./layout.ts";

/** Identifier of a slot, a session or an object. */
export type Handle = bigint;

/** CK_INFO. Texts have no padding, here and below. */
export interface Info {
  readonly manufacturer: Uint8Array;
  readonly description: Uint8Array;
  readonly major: number;
  readonly minor: number;
}

/** CK_SLOT_INFO. */
export interface SlotInfo {
  readonly description: Uint8Array;
  readonly manufacturer: Uint8Array;
}

/** CK_TOKEN_INFO. */
export interface TokenInfo {
  readonly label: Uint8Array;
  readonly manufacturer: Uint8Array;
  readonly model: Uint8Array;
  readonly serial: Uint8Array;
  /** Bits of `CKF`. */
  readonly flags: number;
}

/** Type and value of an attribute. The value is memory of `allocate`. */
export type Attribute = readonly [type: number, value: Uint8Array<ArrayBuffer>];

/** Encoder and decoder for the structures of one layout. */
export class Structures {
  constructor(readonly layout: Layout) {}

  /** Allocates an array of `count` CK_ULONG values. */
  ulongArray(count: number): Uint8Array<ArrayBuffer> {
    return allocate(count * this.layout.ulong.size);
  }

  /** Allocates a CK_ULONG with a value. */
  ulong(value: number | bigint): Uint8Array<ArrayBuffer> {
    const bytes = this.ulongArray(1);
    this.#write(bytes, 0, value);
    return bytes;
  }

  /** Reads the CK_ULONG at an index of an array. */
  readUlong(bytes: Uint8Array, index = 0): bigint {
    return this.#read(bytes, index * this.layout.ulong.size);
  }

  /** Encodes CK_C_INITIALIZE_ARGS with flags only, without mutex functions. */
  initializeArguments(flags: number): Uint8Array<ArrayBuffer> {
    const bytes = allocate(this.layout.initializeArguments.size);
    this.#write(bytes, this.layout.initializeArguments.flags, flags);
    return bytes;
  }

  /** Encodes a CK_MECHANISM without a parameter. */
  mechanism(type: number): Uint8Array<ArrayBuffer> {
    const bytes = allocate(this.layout.mechanism.size);
    this.#write(bytes, 0, type);
    return bytes;
  }

  /** Encodes a CK_ATTRIBUTE array that points to the values, which must be kept as long as it. */
  template(attributes: readonly Attribute[]): Uint8Array<ArrayBuffer> {
    const { size, value, length } = this.layout.attribute;
    const bytes = allocate(attributes.length * size);
    const view = new DataView(bytes.buffer);
    for (const [i, [type, contents]] of attributes.entries()) {
      this.#write(bytes, i * size, type);
      const pointer = contents.length > 0 ? Deno.UnsafePointer.of(contents) : null;
      view.setBigUint64(i * size + value, BigInt(Deno.UnsafePointer.value(pointer)), true);
      this.#write(bytes, i * size + length, contents.length);
    }
    return bytes;
  }

  /** Returns the length of an attribute of a template; undefined if it is unavailable. */
  attributeLength(template: Uint8Array, index: number): number | undefined {
    const { size, length } = this.layout.attribute;
    const value = this.#read(template, index * size + length);
    const unavailable = (1n << BigInt(8 * this.layout.ulong.size)) - 1n;
    return value === unavailable ? undefined : Number(value);
  }

  /** Allocates a buffer for a structure. */
  buffer(structure: "info" | "slotInfo" | "tokenInfo"): Uint8Array<ArrayBuffer> {
    return allocate(this.layout[structure].size);
  }

  readInfo(bytes: Uint8Array): Info {
    const { manufacturer, description, version } = this.layout.info;
    return {
      manufacturer: readPadded(bytes, manufacturer, 32),
      description: readPadded(bytes, description, 32),
      major: bytes[version] ?? 0,
      minor: bytes[version + 1] ?? 0,
    };
  }

  readSlotInfo(bytes: Uint8Array): SlotInfo {
    const { description, manufacturer } = this.layout.slotInfo;
    return {
      description: readPadded(bytes, description, 64),
      manufacturer: readPadded(bytes, manufacturer, 32),
    };
  }

  readTokenInfo(bytes: Uint8Array): TokenInfo {
    const { label, manufacturer, model, serial, flags } = this.layout.tokenInfo;
    return {
      label: readPadded(bytes, label, 32),
      manufacturer: readPadded(bytes, manufacturer, 32),
      model: readPadded(bytes, model, 16),
      serial: readPadded(bytes, serial, 16),
      flags: Number(this.#read(bytes, flags) & 0xffffffffn),
    };
  }

  #read(bytes: Uint8Array, offset: number): bigint {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return this.layout.ulong.size === 8
      ? view.getBigUint64(offset, true)
      : BigInt(view.getUint32(offset, true));
  }

  #write(bytes: Uint8Array, offset: number, value: number | bigint): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (this.layout.ulong.size === 8) view.setBigUint64(offset, BigInt(value), true);
    else view.setUint32(offset, Number(value), true);
  }
}

/** Removes the trailing blanks of a fixed-length text, or zero bytes, which some modules use. */
export function trimPadding(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === 0x20 || bytes[end - 1] === 0)) end--;
  return bytes.slice(0, end);
}

function readPadded(bytes: Uint8Array, offset: number, length: number): Uint8Array {
  return trimPadding(bytes.subarray(offset, offset + length));
}
