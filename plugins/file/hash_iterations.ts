/**
 * Hashing a digest again and again, here or in another thread.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { hashLoop, hasLoop } from "./hash_loop.ts";

/** Replaces a digest with the digest of itself, `iterations` times. */
export type IterateHash = (
  hash: string,
  digest: Uint8Array,
  iterations: number,
) => Promise<Uint8Array<ArrayBuffer>>;

/** A place to iterate in; disposing of it ends the place. */
export interface HashIterator extends Disposable {
  readonly iterate: IterateHash;
}

/** Making the loop takes as long as this many iterations without it. */
const MIN_LOOP_ITERATIONS = 4_096;
/** Starting a thread takes as long as this many iterations of the loop. */
const MIN_THREAD_ITERATIONS = 100_000;
/** Iterations a call: the compiler puts faster code in place between calls. */
const ITERATIONS_PER_CALL = 1_000;

/** Input of the loop, in a form that another thread can receive. */
interface Work {
  readonly module: WebAssembly.Module;
  /** The digest in words of the machine's order. */
  readonly words: Uint8Array<ArrayBuffer>;
  readonly iterations: number;
  readonly slice: number;
}

/** Iterates in this thread. */
export const localHashIterator: HashIterator = {
  iterate: async (hash, digest, iterations) => {
    if (!hasLoop(hash) || iterations < MIN_LOOP_ITERATIONS) {
      return await iterateWithNode(hash, digest, iterations);
    }
    const { module, wordBytes } = loadLoop(hash);
    const words = swapByteOrder(digest, wordBytes);
    return swapByteOrder(
      runLoop({ module, words, iterations, slice: ITERATIONS_PER_CALL }),
      wordBytes,
    );
  },
  [Symbol.dispose]: () => {},
};

/** Another thread, started when a count of iterations is worth it. */
export class HashThread implements HashIterator {
  #worker: Worker | undefined;

  /** Iterates in the thread, or here when that is sooner done. */
  readonly iterate: IterateHash = async (hash, digest, iterations) => {
    if (!hasLoop(hash) || iterations < MIN_THREAD_ITERATIONS) {
      return await localHashIterator.iterate(hash, digest, iterations);
    }
    const { module, wordBytes } = loadLoop(hash);
    const words = swapByteOrder(digest, wordBytes);
    return swapByteOrder(
      await this.#run({ module, words, iterations, slice: ITERATIONS_PER_CALL }),
      wordBytes,
    );
  };

  [Symbol.dispose](): void {
    this.#worker?.terminate();
    this.#worker = undefined;
  }

  async #run(work: Work): Promise<Uint8Array<ArrayBuffer>> {
    const worker = this.#worker ??= new Worker(WORKER_URL, { type: "module" });
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
    worker.onmessage = ({ data }: MessageEvent<Uint8Array<ArrayBuffer>>) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`the thread for hashing failed: ${event.message}`));
    };
    worker.postMessage(work);
    return await promise;
  }
}

/** Runs the loop; refers to nothing outside, because its source is the thread's program too. */
function runLoop({ module, words, iterations, slice }: Work): Uint8Array<ArrayBuffer> {
  const { memory, run } = new WebAssembly.Instance(module).exports;
  if (!(memory instanceof WebAssembly.Memory) || typeof run !== "function") {
    throw new Error("the loop exports other things than it should");
  }
  const place = new Uint8Array(memory.buffer, 0, words.length);
  place.set(words);
  for (let left = iterations; left > 0; left -= slice) run(Math.min(left, slice));
  const result = place.slice();
  place.fill(0);
  return result;
}

const WORKER_URL = `data:text/javascript,${
  encodeURIComponent(`onmessage = ({ data }) => postMessage((${runLoop})(data));`)
}`;

const loops = new Map<string, { module: WebAssembly.Module; wordBytes: number }>();

function loadLoop(hash: Parameters<typeof hashLoop>[0]) {
  const known = loops.get(hash);
  if (known) return known;
  const { module, wordBytes } = hashLoop(hash);
  const loaded = { module: new WebAssembly.Module(module), wordBytes };
  loops.set(hash, loaded);
  return loaded;
}

/** The bytes with each word turned round: WebAssembly's words are little-endian, the hash's are not. */
function swapByteOrder(bytes: Uint8Array, wordBytes: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    bytes,
    (_, i) => bytes[i - i % wordBytes + wordBytes - 1 - i % wordBytes] ?? 0,
  );
}

async function iterateWithNode(
  hash: string,
  digest: Uint8Array,
  iterations: number,
): Promise<Uint8Array<ArrayBuffer>> {
  let current = digest;
  for (let i = 1; i <= iterations; i++) {
    current = createHash(hash).update(current).digest();
    // Other work goes on meanwhile.
    if (i % MIN_LOOP_ITERATIONS === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return Uint8Array.from(current);
}
