/**
 * Seeded mutation of inputs: the same seed makes the same inputs on every machine.
 *
 * @module
 */
import { seededRandom } from "../x509/seeded_random.ts";

/** Bytes that parsers treat specially: DER tags and lengths, line ends, signs, limits. */
const SPECIAL_BYTES = [0x00, 0x01, 0x02, 0x04, 0x05, 0x06, 0x0a, 0x0d, 0x20, 0x25, 0x2d, 0x30, 0x31]
  .concat([0x3a, 0x3b, 0x3d, 0x5b, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xa0, 0xa1, 0xfe, 0xff]);
const MAX_EDITS = 4;
const MAX_RANGE = 64;
/** Mutated inputs stay below this, in bytes. */
const MAX_LENGTH = 64 * 1024;

type Edit = (bytes: Uint8Array) => Uint8Array;

/** Maker of variants of inputs. */
export class Mutator {
  readonly #random: (bound: number) => number;
  readonly #dictionary: readonly Uint8Array[];
  /** Edits that keep the length, which the outer levels of DER survive. */
  readonly #inPlace: readonly Edit[] = [
    (bytes) => this.#change(bytes, () => this.#random(256)),
    (bytes) => this.#change(bytes, () => this.pick(SPECIAL_BYTES)),
    (bytes) => this.#change(bytes, (byte) => byte ^ (1 << this.#random(8))),
    (bytes) => this.#change(bytes, (byte) => byte + 1),
  ];
  readonly #edits: readonly Edit[];

  /** @param dictionary tokens of the input's language to insert or swap in */
  constructor(seed: number, dictionary: readonly string[] = []) {
    this.#random = seededRandom(seed);
    this.#dictionary = dictionary.map((word) => new TextEncoder().encode(word));
    this.#edits = [
      ...this.#inPlace,
      (bytes) => this.#replace(bytes, this.#range(bytes), new Uint8Array()),
      (bytes) => this.#replace(bytes, [this.#at(bytes), 0], this.#part(bytes)),
      (bytes) => this.#replace(bytes, this.#range(bytes), this.#part(bytes)),
      (bytes) => this.#replace(bytes, [this.#at(bytes), 0], this.#noise()),
      (bytes) => this.#replace(bytes, [this.#at(bytes), 0], this.#word()),
      (bytes) => this.#replace(bytes, this.#range(bytes), this.#word()),
      (bytes) => bytes.subarray(0, this.#random(bytes.length + 1)),
    ];
  }

  /** Returns a whole number below `bound`. */
  below(bound: number): number {
    return this.#random(bound);
  }

  /** Returns one of the items. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.#random(items.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }

  /** Returns a copy with one to four edits. */
  mutate(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    let mutated = Uint8Array.from(bytes);
    const possible = this.#random(2) === 0 ? this.#inPlace : this.#edits;
    for (let edits = 1 + this.#random(MAX_EDITS); edits > 0; edits--) {
      mutated = Uint8Array.from(this.pick(possible)(mutated).subarray(0, MAX_LENGTH));
    }
    return mutated;
  }

  /** Returns a text with one to four edits of its UTF-8. */
  mutateText(text: string): string {
    return new TextDecoder().decode(this.mutate(new TextEncoder().encode(text)));
  }

  #at(bytes: Uint8Array): number {
    return this.#random(bytes.length + 1);
  }

  #range(bytes: Uint8Array): [start: number, length: number] {
    return [this.#at(bytes), 1 + this.#random(MAX_RANGE)];
  }

  #part(bytes: Uint8Array): Uint8Array {
    const [start, length] = this.#range(bytes);
    return bytes.slice(start, start + length);
  }

  #noise(): Uint8Array {
    return Uint8Array.from({ length: 1 + this.#random(16) }, () => this.#random(256));
  }

  #word(): Uint8Array {
    return this.#dictionary.length > 0 ? this.pick(this.#dictionary) : this.#noise();
  }

  #change(bytes: Uint8Array, to: (byte: number) => number): Uint8Array {
    const at = this.#random(Math.max(1, bytes.length));
    if (bytes.length > 0) bytes[at] = to(bytes[at] ?? 0);
    return bytes;
  }

  #replace(bytes: Uint8Array, [start, length]: [number, number], by: Uint8Array): Uint8Array {
    return Uint8Array.of(...bytes.subarray(0, start), ...by, ...bytes.subarray(start + length));
  }
}
