/**
 * Reading of an open input to its end.
 *
 * @module
 */
import { type Kind, SOURCE_LIMITS, SourceError, timeoutError } from "./source_error.ts";

/** Opened input. `read` returns undefined if no data is ready. */
export interface Input {
  readonly kind: Kind;
  readonly read: (into: Uint8Array<ArrayBuffer>) => Promise<number | undefined>;
}

/** Reads to the end: a read that returns less than was asked for, after which there are `size` bytes. */
export async function readToEnd(
  read: Input["read"],
  kind: Kind,
  maxBytes: number,
  size = 0,
): Promise<Uint8Array<ArrayBuffer>> {
  const buffer = new SourceBuffer(maxBytes);
  try {
    for (;;) {
      const count = await read(buffer.rest());
      const delay = buffer.accept(count, kind);
      const isWhole = size > 0 && buffer.length === size && buffer.free > 0;
      if (delay === "end" || isWhole) return buffer.contents();
      if (delay > 0) await pause(delay);
    }
  } finally {
    buffer.wipe();
  }
}

/** Collector of the bytes read, which decides when to read again. */
class SourceBuffer {
  #bytes = new Uint8Array(16 * 1024);
  #length = 0;
  #hadWriter = false;
  #pause: number = SOURCE_LIMITS.pollInterval.first;
  readonly #started = performance.now();

  constructor(private readonly maxBytes: number) {}

  /** Number of bytes that were read. */
  get length(): number {
    return this.#length;
  }

  get free(): number {
    return this.#bytes.length - this.#length;
  }

  /** Returns the free part of the buffer. */
  rest(): Uint8Array<ArrayBuffer> {
    if (this.free === 0) this.#grow();
    return this.#bytes.subarray(this.#length);
  }

  /**
   * Takes the result of a read: the number of bytes, or undefined if there are none yet. Returns
   * "end", or how long to wait before the next read.
   */
  accept(count: number | undefined, kind: Kind): number | "end" {
    const elapsed = performance.now() - this.#started;
    if (kind !== "file" && elapsed > SOURCE_LIMITS.pipe) throw timeoutError(kind);
    if (count) {
      this.#length += count;
      this.#hadWriter = true;
      if (this.#length > this.maxBytes) {
        throw new SourceError("large", `is larger than ${sizeOf(this.maxBytes)}; check the path`);
      }
      this.#pause = SOURCE_LIMITS.pollInterval.first;
      return 0;
    }
    if (count === undefined) {
      if (kind === "file" && elapsed > SOURCE_LIMITS.writer) {
        throw new SourceError("device", "has neither data nor an end; name a file");
      }
      this.#hadWriter = true;
    } else if (kind !== "named-fifo" || this.#hadWriter) return "end";
    else if (elapsed > SOURCE_LIMITS.writer) {
      throw new SourceError("no-writer", "is a FIFO that no program writes to; start its writer");
    }
    const pause = this.#pause;
    this.#pause = Math.min(2 * pause, SOURCE_LIMITS.pollInterval.max);
    return pause;
  }

  contents(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  wipe(): void {
    this.#bytes.fill(0);
  }

  #grow(): void {
    const larger = new Uint8Array(2 * this.#bytes.length);
    larger.set(this.#bytes);
    this.#bytes.fill(0);
    this.#bytes = larger;
  }
}

function sizeOf(bytes: number): string {
  return bytes < 1 << 20 ? `${bytes >> 10} KiB` : `${bytes >> 20} MiB`;
}

/** Waits this long. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
