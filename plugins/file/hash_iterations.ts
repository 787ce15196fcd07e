/**
 * Repeated hashing of a digest, in this thread or in a worker.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { hashLoop, hasLoop } from "./hash_loop.ts";

/** Function that hashes a digest `iterations` times. */
export type IterateHash = (
  hash: string,
  digest: Uint8Array,
  iterations: number,
) => Promise<Uint8Array<ArrayBuffer>>;

/** This thread or a worker. Disposal ends the worker. */
export interface HashIterator extends Disposable {
  readonly iterate: IterateHash;
}

/** Fewest iterations for which compiling the loop saves time. */
const MIN_LOOP_ITERATIONS = 4_096;
/** Fewest iterations for which starting a worker saves time. */
const MIN_THREAD_ITERATIONS = 100_000;
/** Iterations of one call. The optimizing compiler replaces the code only between calls. */
const ITERATIONS_PER_CALL = 1_000;

/** Input of the loop, as a message to the worker. */
interface Work {
  readonly module: WebAssembly.Module;
  /** Digest with little-endian words. */
  readonly words: Uint8Array<ArrayBuffer>;
  readonly iterations: number;
  readonly slice: number;
}

/** Iterator in this thread. */
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

/** Worker, started by the first long iteration. */
export class HashThread implements HashIterator {
  #worker: Worker | undefined;

  /** Iterates in the worker, or in this thread if that is faster. */
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
      reject(new Error(`the hashing worker failed: ${event.message}`));
    };
    worker.postMessage(work);
    return await promise;
  }
}

/** Runs the loop. Uses nothing from outside, because its source is also the worker's program. */
function runLoop({ module, words, iterations, slice }: Work): Uint8Array<ArrayBuffer> {
  const { memory, run } = new WebAssembly.Instance(module).exports;
  if (!(memory instanceof WebAssembly.Memory) || typeof run !== "function") {
    throw new Error("the loop has unexpected exports");
  }
  const buffer = new Uint8Array(memory.buffer, 0, words.length);
  buffer.set(words);
  for (let left = iterations; left > 0; left -= slice) run(Math.min(left, slice));
  const result = buffer.slice();
  buffer.fill(0);
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

/** Reverses the bytes of each word: WebAssembly is little-endian, the hashes are big-endian. */
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
    // Lets other tasks run.
    if (i % MIN_LOOP_ITERATIONS === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return Uint8Array.from(current);
}
