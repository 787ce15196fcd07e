/**
 * Encoder and decoder for TPM structures (TPM 2.0 Library, Part 1 section "Data and Parameter
 * Marshaling"). They have big-endian integers, and byte strings with a 16-bit length prefix
 * (`TPM2B`).
 *
 * @module
 */
import { concatenate } from "../../../src/bytes.ts";

/** Thrown for a malformed TPM structure. The message is a fragment to embed in a sentence. */
export class WireError extends Error {
  override readonly name = "WireError";
}

/** Encodes an 8-bit integer. */
export function u8(value: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(value);
}

/** Encodes a 16-bit integer. */
export function u16(value: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(value >>> 8, value);
}

/** Encodes a 32-bit integer. */
export function u32(value: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** Encodes a TPM2B: a 16-bit length and the bytes. */
export function tpm2b(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return wire(u16(bytes.length), bytes);
}

/** Concatenates the parts. */
export function wire(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return concatenate(parts);
}

/** An empty TPM2B. */
export const EMPTY = u16(0);

/** Reader for encoded structures. Returned arrays share the input's memory. */
export class WireReader {
  #offset = 0;

  constructor(readonly bytes: Uint8Array) {}

  /** The bytes that have not been read. */
  get rest(): Uint8Array {
    return this.bytes.subarray(this.#offset);
  }

  u8(): number {
    return this.#number(1);
  }

  u16(): number {
    return this.#number(2);
  }

  u32(): number {
    return this.#number(4);
  }

  /** Reads a TPM2B and returns its contents. */
  tpm2b(): Uint8Array {
    return this.take(this.u16());
  }

  /** Reads the next `length` bytes. */
  take(length: number): Uint8Array {
    if (length > this.bytes.length - this.#offset) {
      throw new WireError("a TPM structure that ends too early");
    }
    this.#offset += length;
    return this.bytes.subarray(this.#offset - length, this.#offset);
  }

  /** Throws unless everything has been read. */
  end(): void {
    if (this.rest.length > 0) throw new WireError("bytes after the end of a TPM structure");
  }

  #number(length: number): number {
    return this.take(length).reduce((value, byte) => value * 256 + byte, 0);
  }
}
