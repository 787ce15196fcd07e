/**
 * Reader and writer of DER, the encoding of certificates and keys (ITU-T X.690). Supports the needs
 * of X.509 and PKCS: definite lengths, single-byte tags, lengths up to the size of the input.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { concatenate } from "../bytes.ts";

/** Error for bytes that are not the expected DER. Callers wrap it with the file's name. */
export class DerError extends Error {
  override readonly name = "DerError";
}

/** Tag bytes: class, constructed bit and number. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  universalString: 0x1c,
  bmpString: 0x1e,
} as const;

/** Returns the tag byte of `[number]`, context class. */
export function contextTag(number: number, constructed: boolean): number {
  return 0x80 | (constructed ? 0x20 : 0) | number;
}

/** DER element: its tag, its contents, and the whole element with tag and length (`encoded`). */
export interface DerElement {
  readonly tag: number;
  readonly contents: Uint8Array;
  readonly encoded: Uint8Array;
}

/** Reader of the elements of one level. Results share the memory of the input. */
export class DerReader {
  #offset = 0;

  constructor(readonly bytes: Uint8Array) {}

  /** True if no element is left at this level. */
  get atEnd(): boolean {
    return this.#offset >= this.bytes.length;
  }

  /** Returns the next element's tag without reading the element; undefined at the end. */
  peekTag(): number | undefined {
    return this.bytes[this.#offset];
  }

  /** Reads the next element of any tag. */
  next(): DerElement {
    const start = this.#offset;
    const tag = this.#byte();
    if ((tag & 0x1f) === 0x1f) throw new DerError("a tag of more than one byte");
    const length = this.#length();
    const contentsStart = this.#offset;
    if (length > this.bytes.length - contentsStart) throw new DerError("the data ends too early");
    this.#offset = contentsStart + length;
    return {
      tag,
      contents: this.bytes.subarray(contentsStart, this.#offset),
      encoded: this.bytes.subarray(start, this.#offset),
    };
  }

  /** Reads the next element. Throws {@link DerError} if it does not have `tag`. */
  expect(tag: number): DerElement {
    if (this.peekTag() !== tag) {
      const found = this.peekTag();
      throw new DerError(
        `expected tag 0x${tag.toString(16)}, found ${
          found === undefined ? "the end" : `0x${found.toString(16)}`
        }`,
      );
    }
    return this.next();
  }

  /** Reads the next element if it has `tag`. */
  optional(tag: number): DerElement | undefined {
    return this.peekTag() === tag ? this.next() : undefined;
  }

  /** Reads the next element, a SEQUENCE. Returns a reader of its contents. */
  sequence(): DerReader {
    return new DerReader(this.expect(TAG.sequence).contents);
  }

  /** Reads the contents of an INTEGER: two's complement, big-endian, at least one byte. */
  integer(): Uint8Array {
    const { contents } = this.expect(TAG.integer);
    if (contents.length === 0) throw new DerError("an INTEGER without contents");
    return contents;
  }

  /** Reads an INTEGER from 0 to 2^31-1, for versions and counts. */
  smallInteger(): number {
    const contents = this.integer();
    if (contents.length > 4 || (contents[0] ?? 0) > 0x7f) {
      throw new DerError("an INTEGER out of range");
    }
    return contents.reduce((value, byte) => value * 256 + byte, 0);
  }

  /** Reads an OBJECT IDENTIFIER. Returns its dotted form. */
  objectIdentifier(): string {
    return decodeObjectIdentifier(this.expect(TAG.objectIdentifier).contents);
  }

  /** Reads the bytes of a BIT STRING. Throws {@link DerError} if it has unused bits. */
  bitString(): Uint8Array {
    return wholeBytes(this.expect(TAG.bitString).contents);
  }

  /** Reads the contents of an OCTET STRING. */
  octetString(): Uint8Array {
    return this.expect(TAG.octetString).contents;
  }

  /** Throws unless everything at this level has been read. */
  end(): void {
    if (!this.atEnd) throw new DerError("unexpected bytes at the end");
  }

  #byte(): number {
    const byte = this.bytes[this.#offset];
    if (byte === undefined) throw new DerError("the data ends too early");
    this.#offset += 1;
    return byte;
  }

  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0) throw new DerError("an indefinite length, which DER does not allow");
    if (count > 4) throw new DerError("a length of more than four bytes");
    let length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + this.#byte();
    if (length < 0x80 || length < 256 ** (count - 1)) {
      throw new DerError("a length that is not in its shortest form");
    }
    return length;
  }
}

/** Returns a reader of the contents of a SEQUENCE. Throws if `bytes` is not exactly one. */
export function readSequence(bytes: Uint8Array): DerReader {
  const outer = new DerReader(bytes);
  const inner = outer.sequence();
  outer.end();
  return inner;
}

/** Returns the bytes of a BIT STRING's contents. Throws {@link DerError} if it has unused bits. */
export function wholeBytes(bitStringContents: Uint8Array): Uint8Array {
  if (bitStringContents[0] !== 0) throw new DerError("a BIT STRING with unused bits");
  return bitStringContents.subarray(1);
}

/** Returns the dotted form of an OBJECT IDENTIFIER's contents. */
export function decodeObjectIdentifier(contents: Uint8Array): string {
  const last = contents.at(-1);
  if (last === undefined || last >= 0x80) throw new DerError("an incomplete OBJECT IDENTIFIER");
  const arcs: bigint[] = [];
  let arc = 0n;
  let arcBytes = 0;
  for (const byte of contents) {
    if (arcBytes === 0 && byte === 0x80) throw new DerError("an OBJECT IDENTIFIER with padding");
    // 19 bytes hold a UUID of 128 bits, the longest arc in use (X.667).
    if (++arcBytes > 19) throw new DerError("an OBJECT IDENTIFIER with a huge arc");
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    if (byte >= 0x80) continue;
    if (arcs.length === 0) {
      const top = arc < 40n ? 0n : arc < 80n ? 1n : 2n;
      arcs.push(top, arc - top * 40n);
    } else arcs.push(arc);
    arc = 0n;
    arcBytes = 0;
  }
  return arcs.join(".");
}

/** Returns the contents of an INTEGER without leading zero bytes. */
export function unsigned(contents: Uint8Array): Uint8Array {
  let start = 0;
  while (start < contents.length - 1 && contents[start] === 0) start++;
  return contents.subarray(start);
}

/** Returns the number of an INTEGER's unsigned contents. */
export function toBigInt(contents: Uint8Array): bigint {
  // Copied because encodeHex detaches the memory of a Node buffer.
  return BigInt(`0x0${encodeHex(Uint8Array.from(contents))}`);
}

/** Encodes one element. */
export function encodeElement(tag: number, ...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const lengthBytes: number[] = [];
  if (length < 0x80) lengthBytes.push(length);
  else {
    for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) {
      lengthBytes.unshift(rest % 256);
    }
    lengthBytes.unshift(0x80 | lengthBytes.length);
  }
  return concatenate([Uint8Array.of(tag, ...lengthBytes), ...parts]);
}

/** Encodes a SEQUENCE of already encoded elements. */
export function encodeSequence(...elements: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return encodeElement(TAG.sequence, ...elements);
}

/** Encodes a non-negative INTEGER from big-endian bytes of any padding. */
export function encodeUnsignedInteger(bigEndian: Uint8Array): Uint8Array {
  const trimmed = bigEndian.length === 0 ? new Uint8Array(1) : unsigned(bigEndian);
  const needsZero = (trimmed[0] ?? 0) >= 0x80;
  return encodeElement(TAG.integer, needsZero ? new Uint8Array(1) : new Uint8Array(0), trimmed);
}

/** Encodes an OBJECT IDENTIFIER from its dotted form. */
export function encodeObjectIdentifier(dotted: string): Uint8Array {
  const [top = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const contents: number[] = [];
  for (const arc of [top * 40 + second, ...rest]) {
    const groups = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
      groups.unshift(0x80 | (left % 128));
    }
    contents.push(...groups);
  }
  return encodeElement(TAG.objectIdentifier, new Uint8Array(contents));
}

/**
 * Converts an ECDSA signature from the raw `r || s` of WebCrypto, PKCS#11 and CNG. Returns the
 * `SEQUENCE { r, s }` of X.509 and AWS (RFC 3279 section 2.2.3).
 */
export function ecdsaSignatureToDer(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2;
  return encodeSequence(
    encodeUnsignedInteger(raw.subarray(0, half)),
    encodeUnsignedInteger(raw.subarray(half)),
  );
}
