/**
 * The wire form of TPM structures (TPM 2.0 Library, Part 1 section "Data and Parameter Marshaling"):
 * big-endian numbers, and byte strings behind a length of 16 bits (`TPM2B`).
 *
 * @module
 */
import { concatenate } from "../../../src/bytes.ts";

/** Thrown when bytes are not the TPM structure that was expected; the message is a sentence's tail. */
export class WireError extends Error {
  override readonly name = "WireError";
}

/** A number of one byte. */
export function u8(value: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(value);
}

/** A number of two bytes. */
export function u16(value: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(value >>> 8, value);
}

/** A number of four bytes. */
export function u32(value: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** A TPM2B: the bytes behind their length. */
export function sized(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return wire(u16(bytes.length), bytes);
}

/** Parts put together. */
export function wire(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return concatenate(parts);
}

/** A TPM2B without contents. */
export const EMPTY = u16(0);

/** Takes structures apart; all slices share the input's memory. */
export class WireReader {
  #offset = 0;

  constructor(readonly bytes: Uint8Array) {}

  /** What is left. */
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

  /** The contents of a TPM2B. */
  sized(): Uint8Array {
    return this.take(this.u16());
  }

  /** The next `length` bytes. */
  take(length: number): Uint8Array {
    if (length > this.bytes.length - this.#offset) {
      throw new WireError("a TPM structure that ends too early");
    }
    this.#offset += length;
    return this.bytes.subarray(this.#offset - length, this.#offset);
  }

  /** Says that nothing may follow. */
  end(): void {
    if (this.rest.length > 0) throw new WireError("bytes behind the end of a TPM structure");
  }

  #number(length: number): number {
    return this.take(length).reduce((value, byte) => value * 256 + byte, 0);
  }
}
