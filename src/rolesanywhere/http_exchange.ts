/**
 * One HTTP/1.1 request and its answer over a connection of its own (RFC 9112).
 *
 * Deno's fetch cannot do what is asked here: skip verification in a compiled program, time the
 * connection apart from the answer, or keep a proxy's password from the service behind it; and
 * Node's client in Deno hangs or crashes when an answer breaks off. What is left to do for one
 * request on one connection is little.
 *
 * @module
 */

/** A connection: bytes in both directions. `Deno.Conn` is one. */
export interface ByteStream {
  /** Reads into `buffer`: the number of bytes, or null at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes some of `bytes`: their number. */
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** A request as it goes on the wire. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query, or `host:port` for CONNECT. */
  readonly target: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body?: Uint8Array;
}

/** The answer; header names are in lower case, repeated headers joined by commas. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

/** The answer breaks the protocol or a limit: whoever answered is not the service. */
export class HttpProtocolError extends Error {
  override readonly name = "HttpProtocolError";
}

/** The connection ended before the answer did. */
export class TruncatedAnswerError extends Error {
  override readonly name = "TruncatedAnswerError";
}

/** An answer's head may have this many bytes. */
const LONGEST_HEAD = 65_536;
/** An answer's body may have this many bytes. */
export const LARGEST_BODY = 1 << 20;

/**
 * Sends `request` and reads the answer, which must be the connection's last.
 *
 * Throws {@link HttpProtocolError}, {@link TruncatedAnswerError}, and what the stream throws.
 */
export async function exchange(stream: ByteStream, request: HttpRequest): Promise<HttpAnswer> {
  await sendRequest(stream, request);
  const reader = new AnswerReader(stream);
  let head = await reader.readHead();
  while (head.status >= 100 && head.status < 200) head = await reader.readHead();
  return { ...head, body: await reader.readBody(head) };
}

/** Asks a proxy for a tunnel (RFC 9110 section 9.3.6) and returns the head of its response. */
export async function requestTunnel(
  stream: ByteStream,
  request: HttpRequest,
): Promise<Omit<HttpAnswer, "body">> {
  await sendRequest(stream, request);
  // Byte by byte: what follows the head belongs to whom the tunnel leads to.
  return await new AnswerReader(stream, 1).readHead();
}

/** One write for head and body: a second one would wait for the first to be acknowledged. */
async function sendRequest(stream: ByteStream, request: HttpRequest): Promise<void> {
  const lines = [`${request.method} ${request.target} HTTP/1.1`];
  for (const [name, value] of request.headers) {
    if (/[\r\n]/.test(value)) throw new HttpProtocolError(`a line break in ${name}`);
    lines.push(`${name}: ${value}`);
  }
  if (request.body) lines.push(`content-length: ${request.body.length}`, "connection: close");
  const head = new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
  const body = request.body ?? new Uint8Array(0);
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  for (let written = 0; written < bytes.length;) {
    written += await stream.write(bytes.subarray(written));
  }
}

type AnswerHead = Omit<HttpAnswer, "body">;

/** Reads an answer piece by piece; holds what was read ahead. */
class AnswerReader {
  #buffered = new Uint8Array(0);

  constructor(readonly stream: ByteStream, readonly readAhead = 16_384) {}

  async readHead(): Promise<AnswerHead> {
    let size = 0;
    const statusLine = await this.#readLine(LONGEST_HEAD);
    const status = /^HTTP\/1\.[01] ([1-5]\d\d)(?: .*)?$/.exec(statusLine)?.[1];
    if (status === undefined) throw new HttpProtocolError("no HTTP/1.1 status line");
    const headers = new Map<string, string>();
    for (;;) {
      const line = await this.#readLine(LONGEST_HEAD);
      if (line === "") break;
      size += line.length;
      if (size > LONGEST_HEAD) throw new HttpProtocolError("too many headers");
      const colon = line.indexOf(":");
      if (colon <= 0) throw new HttpProtocolError("a header line without a name");
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      const known = headers.get(name);
      headers.set(name, known === undefined ? value : `${known}, ${value}`);
    }
    return { status: Number(status), headers };
  }

  async readBody({ status, headers }: AnswerHead): Promise<Uint8Array> {
    if (status === 204 || status === 304) return new Uint8Array(0);
    const coding = headers.get("transfer-encoding");
    if (coding !== undefined) {
      if (coding.toLowerCase() !== "chunked") throw new HttpProtocolError("an unknown coding");
      return await this.#readChunks();
    }
    const length = headers.get("content-length");
    if (length === undefined) return await this.#readToEnd();
    if (!/^\d{1,15}$/.test(length)) throw new HttpProtocolError("a content-length that is none");
    return await this.#readExactly(Number(length));
  }

  async #readChunks(): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let total = 0;
    for (;;) {
      const size = /^([0-9A-Fa-f]{1,8})(?:[ \t]*;.*)?$/.exec(await this.#readLine(1024))?.[1];
      if (size === undefined) throw new HttpProtocolError("a chunk without its size");
      const length = parseInt(size, 16);
      if (length === 0) break;
      total += length;
      checkSize(total);
      chunks.push(await this.#readExactly(length));
      if (await this.#readLine(0) !== "") throw new HttpProtocolError("a chunk without its end");
    }
    while (await this.#readLine(LONGEST_HEAD) !== "") {
      // trailer fields say nothing that is needed
    }
    return concatenate(chunks);
  }

  async #readExactly(length: number): Promise<Uint8Array> {
    checkSize(length);
    while (this.#buffered.length < length) {
      if (!await this.#fill()) throw new TruncatedAnswerError("the answer breaks off");
    }
    return this.#take(length);
  }

  async #readToEnd(): Promise<Uint8Array> {
    while (await this.#fill()) checkSize(this.#buffered.length);
    return this.#take(this.#buffered.length);
  }

  /** A line without its end. */
  async #readLine(longest: number): Promise<string> {
    for (let searched = 0;;) {
      const end = this.#buffered.indexOf(LINE_FEED, searched);
      if (end >= 0) {
        const line = new TextDecoder("latin1").decode(this.#take(end + 1).subarray(0, end));
        return line.replace(/\r$/, "");
      }
      searched = this.#buffered.length;
      if (searched > longest + 1) throw new HttpProtocolError("a line that is too long");
      if (!await this.#fill()) throw new TruncatedAnswerError("the answer breaks off");
    }
  }

  async #fill(): Promise<boolean> {
    const chunk = new Uint8Array(this.readAhead);
    const length = await this.stream.read(chunk);
    if (length === null) return false;
    this.#buffered = concatenate([this.#buffered, chunk.subarray(0, length)]);
    return true;
  }

  #take(length: number): Uint8Array {
    const taken = this.#buffered.slice(0, length);
    this.#buffered = this.#buffered.slice(length);
    return taken;
  }
}

const LINE_FEED = 10;

function checkSize(bytes: number): void {
  if (bytes > LARGEST_BODY) {
    throw new HttpProtocolError(`an answer larger than ${LARGEST_BODY} bytes`);
  }
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
