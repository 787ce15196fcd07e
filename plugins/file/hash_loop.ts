/**
 * Repeated hashing of a digest in WebAssembly. PKCS#12 and PBKDF1 files need up to 600 000
 * iterations. One call of `node:crypto` per iteration takes ten times as long.
 *
 * Generates the code: an unrolled compression function (FIPS 180-4) of one block, in a loop. The
 * constants are roots of primes, computed by the standard's definition.
 *
 * @module
 */

/** Hash function with a loop. */
export type LoopHash = keyof typeof HASHES;

type WordBits = 32 | 64;

interface Hash {
  readonly wordBits: WordBits;
  readonly digestWords: number;
}

/** Hash functions by their `node:crypto` names, with the word size and the words of a digest. */
const HASHES = {
  sha1: { wordBits: 32, digestWords: 5 },
  sha224: { wordBits: 32, digestWords: 7 },
  sha256: { wordBits: 32, digestWords: 8 },
  sha384: { wordBits: 64, digestWords: 6 },
  sha512: { wordBits: 64, digestWords: 8 },
} as const satisfies Record<string, Hash>;

/** Returns true if {@link hashLoop} supports the hash function. */
export function hasLoop(hash: string): hash is LoopHash {
  return Object.hasOwn(HASHES, hash);
}

/** WebAssembly module that exports `memory` and `run(iterations)`. */
export interface HashLoop {
  readonly module: Uint8Array<ArrayBuffer>;
  readonly wordBytes: number;
}

/**
 * Makes the loop of a hash function. `run` hashes the digest at the start of the memory in place,
 * with little-endian words.
 */
export function hashLoop(hash: LoopHash): HashLoop {
  const { wordBits } = HASHES[hash];
  const code = new Assembler(wordBits);
  const body = loopBody(code, HASHES[hash], hash);
  return { module: encodeModule(code.localCount, wordBits, body), wordBytes: wordBits / 8 };
}

type Code = readonly number[];
/** Number of a local variable. 0 is the iteration count. */
type Local = number;

/** Assembler for one word size. Every expression leaves one word on the stack. */
class Assembler {
  #locals = 0;

  constructor(readonly wordBits: WordBits) {}

  get localCount(): number {
    return this.#locals;
  }

  locals(count: number): Local[] {
    return Array.from({ length: count }, () => ++this.#locals);
  }

  get = (local: Local): Code => [0x20, local];
  set = (local: Local, value: Code): Code => [...value, 0x21, local];
  constant = (value: bigint): Code => [
    this.#of(0x41, 0x42),
    ...encodeSignedLeb128(BigInt.asIntN(this.wordBits, value)),
  ];
  load = (word: number): Code => [0x41, 0, this.#of(0x28, 0x29), this.#of(2, 3), this.#at(word)];
  store = (word: number, value: Code): Code => [
    ...[0x41, 0, ...value],
    ...[this.#of(0x36, 0x37), this.#of(2, 3), this.#at(word)],
  ];

  add = (...terms: readonly Code[]): Code => this.#fold(this.#of(0x6a, 0x7c), terms);
  and = (...terms: readonly Code[]): Code => this.#fold(this.#of(0x71, 0x83), terms);
  xor = (...terms: readonly Code[]): Code => this.#fold(this.#of(0x73, 0x85), terms);
  rotateRight = (value: Code, bits: number): Code => [
    ...value,
    ...this.constant(BigInt(bits)),
    this.#of(0x78, 0x8a),
  ];
  shiftRight = (value: Code, bits: number): Code => [
    ...value,
    ...this.constant(BigInt(bits)),
    this.#of(0x76, 0x88),
  ];

  #of(code32: number, code64: number): number {
    return this.wordBits === 32 ? code32 : code64;
  }

  #at(word: number): number {
    return word * this.wordBits / 8;
  }

  #fold(operation: number, [first = [], ...rest]: readonly Code[]): Code {
    return [...first, ...rest.flatMap((term) => [...term, operation])];
  }
}

/** Returns code that loads the digest, hashes it `iterations` times and stores it. */
function loopBody(code: Assembler, { wordBits, digestWords }: Hash, hash: LoopHash): Code {
  const { get, set, constant, add } = code;
  const digest = code.locals(digestWords);
  const block = code.locals(16);
  const initial = initialState(hash);
  const state = code.locals(initial.length);
  const top = BigInt(wordBits - 1);
  const padded = (i: number): Code => {
    const word = digest[i];
    if (word !== undefined) return get(word);
    if (i === digestWords) return constant(1n << top);
    return constant(i === 15 ? BigInt(digestWords * wordBits) : 0n);
  };
  const turn = hash === "sha1"
    ? sha1Rounds(code, state, block)
    : sha2Rounds(code, state, block, wordBits);
  return [
    ...digest.flatMap((word, i) => set(word, code.load(i))),
    ...[0x03, 0x40], // loop
    ...block.flatMap((word, i) => set(word, padded(i))),
    ...state.flatMap((word, i) => set(word, constant(initial[i] ?? 0n))),
    ...turn.code,
    ...digest.flatMap((word, i) =>
      set(word, add(get(turn.state[i] ?? 0), constant(initial[i] ?? 0n)))
    ),
    // Decrements the count and repeats until it is zero.
    ...[0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0],
    0x0b,
    ...digest.flatMap((word, i) => code.store(i, get(word))),
    0x0b,
  ];
}

/** Code of all rounds, and the locals of a, b, c, … after the last. */
interface Rounds {
  readonly code: Code;
  readonly state: readonly Local[];
}

/** Returns the rounds of SHA-1 (FIPS 180-4 section 6.1.2). */
function sha1Rounds(code: Assembler, state: readonly Local[], block: readonly Local[]): Rounds {
  const { get, set, constant, add, and, xor, rotateRight } = code;
  const choose = (b: Code, c: Code, d: Code) => xor(d, and(b, xor(c, d)));
  const parity = (b: Code, c: Code, d: Code) => xor(b, c, d);
  const majority = (b: Code, c: Code, d: Code) => xor(and(b, xor(c, d)), and(c, d));
  const functions = [choose, parity, majority, parity] as const;
  const constants = [2n, 3n, 5n, 10n].map((square) => integerRoot(square << 60n, 2n));
  const instructions: number[] = [];
  let names = state;
  for (let t = 0; t < 80; t++) {
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = names;
    const w = (back: number) => get(block[(t + 16 - back) % 16] ?? 0);
    const word = block[t % 16] ?? 0;
    const quarter = Math.floor(t / 20);
    const mix = functions[quarter] ?? parity;
    if (t >= 16) {
      instructions.push(...set(word, rotateRight(xor(w(3), w(8), w(14), w(16)), 31)));
    }
    instructions.push(
      ...set(
        e,
        add(
          rotateRight(get(a), 27),
          mix(get(b), get(c), get(d)),
          get(e),
          constant(constants[quarter] ?? 0n),
          get(word),
        ),
      ),
      ...set(b, rotateRight(get(b), 2)),
    );
    names = [e, a, b, c, d];
  }
  return { code: instructions, state: names };
}

/** Rotations of FIPS 180-4 sections 4.1.2 and 4.1.3. The third of `early` and `late` is a shift. */
const SHA2_ROTATIONS = {
  32: { a: [2, 13, 22], e: [6, 11, 25], early: [7, 18, 3], late: [17, 19, 10] },
  64: { a: [28, 34, 39], e: [14, 18, 41], early: [1, 8, 7], late: [19, 61, 6] },
} as const;

/** Returns the rounds of SHA-2 (FIPS 180-4 sections 6.2.2 and 6.4.2). */
function sha2Rounds(
  code: Assembler,
  state: readonly Local[],
  block: readonly Local[],
  wordBits: WordBits,
): Rounds {
  const { get, set, constant, add, and, xor, rotateRight, shiftRight } = code;
  const rotations = SHA2_ROTATIONS[wordBits];
  const sum = (x: Code, [i, j, k]: readonly [number, number, number]) =>
    xor(rotateRight(x, i), rotateRight(x, j), rotateRight(x, k));
  const schedule = (x: Code, [i, j, k]: readonly [number, number, number]) =>
    xor(rotateRight(x, i), rotateRight(x, j), shiftRight(x, k));
  const constants = firstPrimes(wordBits === 32 ? 64 : 80).map((prime) =>
    rootFraction(prime, 3n) >> BigInt(64 - wordBits)
  );
  const instructions: number[] = [];
  let names = state;
  for (const [t, roundConstant] of constants.entries()) {
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = names;
    const w = (back: number) => get(block[(t + 16 - back) % 16] ?? 0);
    const word = block[t % 16] ?? 0;
    if (t >= 16) {
      instructions.push(
        ...set(
          word,
          add(w(16), schedule(w(15), rotations.early), w(7), schedule(w(2), rotations.late)),
        ),
      );
    }
    const choose = xor(get(g), and(get(e), xor(get(f), get(g))));
    const majority = xor(and(get(a), xor(get(b), get(c))), and(get(b), get(c)));
    instructions.push(
      ...set(
        h,
        add(get(h), sum(get(e), rotations.e), choose, constant(roundConstant), get(word)),
      ),
      ...set(d, add(get(d), get(h))),
      ...set(h, add(get(h), sum(get(a), rotations.a), majority)),
    );
    names = [h, a, b, c, d, e, f, g];
  }
  return { code: instructions, state: names };
}

/** Returns the initial hash value (FIPS 180-4 section 5.3). */
function initialState(hash: LoopHash): readonly bigint[] {
  const squareRoots = firstPrimes(16).map((prime) => rootFraction(prime, 2n));
  const [early, late] = [squareRoots.slice(0, 8), squareRoots.slice(8)];
  switch (hash) {
    case "sha1":
      return [0x67452301n, 0xefcdab89n, 0x98badcfen, 0x10325476n, 0xc3d2e1f0n];
    case "sha224":
      return late.map((word) => word & 0xffffffffn);
    case "sha256":
      return early.map((word) => word >> 32n);
    case "sha384":
      return late;
    case "sha512":
      return early;
  }
}

function firstPrimes(count: number): bigint[] {
  const primes: bigint[] = [];
  for (let n = 2n; primes.length < count; n++) {
    if (primes.every((prime) => n % prime !== 0n)) primes.push(n);
  }
  return primes;
}

/** Returns the first 64 fractional bits of a root of `n`. */
function rootFraction(n: bigint, degree: bigint): bigint {
  return BigInt.asUintN(64, integerRoot(n << (64n * degree), degree));
}

/** Returns the largest integer whose power is at most `n`. */
function integerRoot(n: bigint, degree: bigint): bigint {
  let found = 0n;
  for (let bit = 1n << 72n; bit > 0n; bit >>= 1n) {
    if ((found + bit) ** degree <= n) found += bit;
  }
  return found;
}

/** Encodes a module with one function and one page of memory, and exports both. */
function encodeModule(localCount: number, wordBits: WordBits, body: Code): Uint8Array<ArrayBuffer> {
  const section = (
    id: number,
    contents: Code,
  ): Code => [id, ...encodeUnsignedLeb128(contents.length), ...contents];
  const name = (text: string): Code => [text.length, ...new TextEncoder().encode(text)];
  const functionCode = [
    1,
    ...encodeUnsignedLeb128(localCount),
    wordBits === 32 ? 0x7f : 0x7e,
    ...body,
  ];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 1, 0x7f, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, 1]),
    ...section(7, [2, ...name("memory"), 2, 0, ...name("run"), 0, 0]),
    ...section(10, [1, ...encodeUnsignedLeb128(functionCode.length), ...functionCode]),
  ]);
}

function encodeUnsignedLeb128(value: number): number[] {
  return value < 0x80 ? [value] : [value & 0x7f | 0x80, ...encodeUnsignedLeb128(value >> 7)];
}

function encodeSignedLeb128(value: bigint): number[] {
  const low = Number(BigInt.asUintN(7, value));
  const rest = value >> 7n;
  const isLast = rest === 0n ? low < 0x40 : rest === -1n && low >= 0x40;
  return isLast ? [low] : [low | 0x80, ...encodeSignedLeb128(rest)];
}
