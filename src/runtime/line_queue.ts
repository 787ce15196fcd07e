/**
 * Bounded queue of lines for a stream whose reader may be slow or gone. It never blocks and never
 * throws. Pure.
 *
 * @module
 */

/** Result of a write: the number of bytes written, "full", or "gone" if the reader has closed it. */
export type WriteResult = number | "full" | "gone";

/** Maximum of queued bytes. */
export const MAX_WAITING_BYTES = 256 * 1024;
/** Maximum of one write: a pipe accepts this atomically (PIPE_BUF of Linux). */
const MAX_CHUNK = 4096;

/** Bounded queue of lines. */
export class LineQueue {
  readonly #waiting: Uint8Array[] = [];
  #bytes = 0;
  #dropped = 0;

  /** @param write writes some bytes without blocking, and never throws */
  constructor(private readonly write: (bytes: Uint8Array) => WriteResult) {}

  /** Number of lines dropped since the last report. */
  get dropped(): number {
    return this.#dropped;
  }

  /** True while lines are queued. */
  get isWaiting(): boolean {
    return this.#bytes > 0;
  }

  /** Adds a line and flushes. A line that does not fit is dropped and counted. */
  add(line: string): void {
    this.flush();
    const bytes = new TextEncoder().encode(`${line}\n`);
    if (this.#bytes + bytes.length > MAX_WAITING_BYTES) {
      this.#dropped += 1;
      return;
    }
    this.#push(bytes);
    this.flush();
  }

  /** Writes as much as can be written now. */
  flush(): void {
    for (let first; (first = this.#waiting[0]);) {
      const written = this.write(first.subarray(0, MAX_CHUNK));
      if (written === "full" || written === 0) return;
      if (written === "gone") {
        this.#dropped += this.#waiting.length;
        this.#waiting.length = 0;
        this.#bytes = 0;
        return;
      }
      this.#bytes -= written;
      if (written < first.length) this.#waiting[0] = first.subarray(written);
      else this.#waiting.shift();
      if (this.#waiting.length === 0) this.#reportDropped();
    }
  }

  #reportDropped(): void {
    if (this.#dropped === 0) return;
    const text = `aws_signing_helper: warning: ${this.#dropped} log lines were dropped; ` +
      "nobody read standard error\n";
    this.#dropped = 0;
    this.#push(new TextEncoder().encode(text));
  }

  #push(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
  }
}
