/**
 * HTTP/1.1 exchange of one request and one response over its own connection (RFC 9112).
 *
 * Deno's fetch cannot skip verification in a compiled program. It has no separate timeout for the
 * connection, and it sends a proxy's password to the service too. Node's client in Deno hangs or crashes
 * on a truncated response. One request on one connection needs little code.
 *
 * @module
 */
import { FairTurns } from "./fair_turns.ts";
import { concatenate } from "../bytes.ts";

/** Connection: bytes in both directions. `Deno.Conn` is one. */
export interface ByteStream {
  /** Reads into `buffer`; returns the number of bytes, or null at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes some of `bytes`; returns their number. */
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** Request as sent. */
export interface ExchangeRequest {
  readonly method: string;
  /** Path and query, or `host:port` for CONNECT. */
  readonly target: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body?: Uint8Array;
}

/** Response; header names are in lower case, repeated headers joined by commas. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

/** The response breaks the protocol or a limit, so it is not the service's. */
export class HttpProtocolError extends Error {
  override readonly name = "HttpProtocolError";
}

/** The connection ended before the response did. */
export class TruncatedResponseError extends Error {
  override readonly name = "TruncatedResponseError";
}

/** Limits of one response. Everything that a peer can repeat is counted. */
export const RESPONSE_LIMITS = {
  /** Bytes of the body. */
  body: 1 << 20,
  /** Bytes of all heads and trailers together. */
  head: 65_536,
  /** Lines of all heads and trailers together. */
  lines: 256,
  /** Interim responses (1xx) before the final one. */
  interim: 8,
  /** Chunks of the body. */
  chunks: 16_384,
  /** Bytes of a line with a chunk's size. */
  chunkLine: 1_024,
  /** Bytes from the connection, all framing included. */
  total: 1 << 21,
  /** Reads from the connection: a peer that sends single bytes costs processor time for each. */
  reads: 16_384,
} as const;

/**
 * Sends `request` and reads the response, which must be the last of the connection.
 *
 * Throws {@link HttpProtocolError}, {@link TruncatedResponseError}, and the stream's errors.
 */
export async function exchange(
  stream: ByteStream,
  request: ExchangeRequest,
): Promise<HttpResponse> {
  await sendRequest(stream, request);
  const reader = new ResponseReader(stream);
  let head = await reader.readHead();
  for (let interim = 0; head.status < 200; interim++) {
    if (interim === RESPONSE_LIMITS.interim) throw new HttpProtocolError("too many 1xx responses");
    head = await reader.readHead();
  }
  return { ...head, body: await reader.readBody(head) };
}

/** Requests a tunnel from a proxy (RFC 9110 section 9.3.6) and returns the head of its response. */
export async function requestTunnel(
  stream: ByteStream,
  request: ExchangeRequest,
): Promise<Omit<HttpResponse, "body">> {
  await sendRequest(stream, request);
  const reader = new ResponseReader(stream);
  const head = await reader.readHead();
  // The client speaks first in a tunnel. Bytes read ahead would be lost.
  if (head.status < 300 && reader.hasUnread) {
    throw new HttpProtocolError("data before the tunnel was used");
  }
  return head;
}

/** Sends head and body in one write: a second write would wait for the acknowledgement of the first. */
async function sendRequest(stream: ByteStream, request: ExchangeRequest): Promise<void> {
  const lines = [`${request.method} ${request.target} HTTP/1.1`];
  for (const [name, value] of request.headers) {
    if (/[\r\n]/.test(value)) throw new HttpProtocolError(`a line break in ${name}`);
    lines.push(`${name}: ${value}`);
  }
  if (request.body) lines.push(`content-length: ${request.body.length}`, "connection: close");
  const head = new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
  const bytes = concatenate([head, request.body ?? new Uint8Array(0)]);
  for (let written = 0; written < bytes.length;) {
    written += await stream.write(bytes.subarray(written));
  }
}

type ResponseHead = Omit<HttpResponse, "body">;

/** Reader of a response within {@link RESPONSE_LIMITS}, with the bytes that were read ahead. */
class ResponseReader {
  /** The bytes received; those before `#start` are consumed. */
  #buffer = new Uint8Array(16_384);
  #start = 0;
  #end = 0;
  #total = 0;
  #reads = 0;
  #headBytes = 0;
  #headLines = 0;
  readonly #turns = new FairTurns();

  constructor(readonly stream: ByteStream) {}

  /** True if received bytes are unread. */
  get hasUnread(): boolean {
    return this.#end > this.#start;
  }

  async readHead(): Promise<ResponseHead> {
    const statusLine = await this.#readHeadLine();
    const status = /^HTTP\/1\.[01] ([1-5]\d\d)(?: .*)?$/.exec(statusLine)?.[1];
    if (status === undefined) throw new HttpProtocolError("no HTTP/1.1 status line");
    const headers = new Map<string, string>();
    for (;;) {
      const line = await this.#readHeadLine();
      if (line === "") break;
      const colon = line.indexOf(":");
      if (colon <= 0) throw new HttpProtocolError("a header line without a name");
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      const known = headers.get(name);
      headers.set(name, known === undefined ? value : `${known}, ${value}`);
    }
    return { status: Number(status), headers };
  }

  async readBody({ status, headers }: ResponseHead): Promise<Uint8Array> {
    if (status === 204 || status === 304) return new Uint8Array(0);
    const coding = headers.get("transfer-encoding");
    if (coding !== undefined) {
      if (coding.toLowerCase() !== "chunked") throw new HttpProtocolError("an unknown coding");
      return await this.#readChunks();
    }
    const length = headers.get("content-length");
    if (length === undefined) return await this.#readToEnd();
    if (!/^\d{1,15}$/.test(length)) throw new HttpProtocolError("an invalid content-length");
    return await this.#readExactly(Number(length));
  }

  async #readChunks(): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let total = 0;
    for (;;) {
      const line = await this.#readLine(RESPONSE_LIMITS.chunkLine);
      const size = /^([0-9A-Fa-f]{1,8})(?:[ \t]*;.*)?$/.exec(line)?.[1];
      if (size === undefined) throw new HttpProtocolError("a chunk without a size");
      const length = parseInt(size, 16);
      if (length === 0) break;
      total += length;
      checkSize(total);
      if (chunks.length === RESPONSE_LIMITS.chunks) throw new HttpProtocolError("too many chunks");
      chunks.push(await this.#readExactly(length));
      if (await this.#readLine(0) !== "") throw new HttpProtocolError("a chunk without an end");
    }
    while (await this.#readHeadLine() !== "") {
      // Trailer fields are not used.
    }
    return concatenate(chunks);
  }

  async #readExactly(length: number): Promise<Uint8Array> {
    checkSize(length);
    while (this.#end - this.#start < length) {
      if (!await this.#fill()) throw new TruncatedResponseError("the response is truncated");
    }
    return this.#take(length);
  }

  async #readToEnd(): Promise<Uint8Array> {
    while (await this.#fill()) checkSize(this.#end - this.#start);
    return this.#take(this.#end - this.#start);
  }

  /** Reads a line of a head or trailer, within their common limits. */
  async #readHeadLine(): Promise<string> {
    if (++this.#headLines > RESPONSE_LIMITS.lines) throw new HttpProtocolError("too many headers");
    const line = await this.#readLine(RESPONSE_LIMITS.head - this.#headBytes);
    this.#headBytes += line.length;
    return line;
  }

  /** Reads a line; returns it without its line end. */
  async #readLine(max: number): Promise<string> {
    for (let searched = 0;;) {
      const end = this.#buffer.subarray(0, this.#end).indexOf(LINE_FEED, this.#start + searched);
      const length = (end < 0 ? this.#end : end) - this.#start;
      if (length > max + 1) throw new HttpProtocolError("a line that is too long");
      if (end >= 0) {
        const line = LATIN1.decode(this.#take(length + 1).subarray(0, length));
        return line.replace(/\r$/, "");
      }
      searched = length;
      if (!await this.#fill()) throw new TruncatedResponseError("the response is truncated");
    }
  }

  /** Reads more; returns false at the end of the connection. */
  async #fill(): Promise<boolean> {
    if (++this.#reads > RESPONSE_LIMITS.reads) throw new HttpProtocolError("too many pieces");
    await this.#turns.next();
    this.#ensureCapacity();
    const length = await this.stream.read(this.#buffer.subarray(this.#end));
    if (length === null) return false;
    this.#end += length;
    this.#total += length;
    if (this.#total > RESPONSE_LIMITS.total) throw new HttpProtocolError("too much framing");
    return true;
  }

  /** Moves the unread bytes to the front, or into a larger buffer, if the buffer is full. */
  #ensureCapacity(): void {
    if (this.#end < this.#buffer.length) return;
    const unread = this.#buffer.subarray(this.#start, this.#end);
    const isHalfUsed = this.#start >= this.#buffer.length / 2;
    const buffer = isHalfUsed ? this.#buffer : new Uint8Array(2 * this.#buffer.length);
    buffer.set(unread);
    this.#buffer = buffer;
    this.#start = 0;
    this.#end = unread.length;
  }

  #take(length: number): Uint8Array {
    const taken = this.#buffer.slice(this.#start, this.#start + length);
    this.#start += length;
    return taken;
  }
}

const LINE_FEED = 10;
const LATIN1 = new TextDecoder("latin1");

function checkSize(bytes: number): void {
  if (bytes > RESPONSE_LIMITS.body) {
    throw new HttpProtocolError(`a response larger than ${RESPONSE_LIMITS.body} bytes`);
  }
}
