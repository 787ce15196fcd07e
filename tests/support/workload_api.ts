/**
 * Double of the SPIFFE Workload API: an HTTP/2 server that is written frame by frame. So a test can
 * send any frame half, wrong or never.
 *
 * @module
 */
import { concatenate } from "../../src/bytes.ts";
import { parsePem } from "../../src/x509/pem.ts";

/** Contents of an X.509-SVID in a response. */
export interface DoubleSvid {
  readonly id: string;
  /** PEM of the end-entity certificate and its intermediates. */
  readonly certificates: string;
  /** PEM of the private key, PKCS#8. */
  readonly key: string;
  /** PEM of the trust domain's authorities. */
  readonly bundle: string;
}

/** Types of frames (RFC 9113 section 6). */
const FRAME = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
const FLAG = { endStream: 1, ack: 1, endHeaders: 4 } as const;
const PREFACE_LENGTH = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".length;
const FRAME_HEADER_LENGTH = 9;
/** Maximum size of a frame that a client must accept. */
const MAX_FRAME = 16_384;
/** Default window of a stream and of a connection. */
const WINDOW = 65_535;
/** Setting with the window of new streams. */
const INITIAL_WINDOW_SIZE = 4;

/** Encodes a protobuf field with a length. */
export function protobufField(number: number, bytes: Uint8Array): Uint8Array {
  return concatenate([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (; value > 0x7f; value = Math.floor(value / 0x80)) bytes.push(value % 0x80 | 0x80);
  return new Uint8Array([...bytes, value]);
}

/** Returns the DER of all PEM blocks, concatenated. */
export function derOf(pem: string): Uint8Array<ArrayBuffer> {
  return concatenate(parsePem(pem).map(({ bytes }) => bytes));
}

/** Encodes an `X509SVIDResponse`. */
export function encodeResponse(svids: readonly DoubleSvid[]): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder();
  return concatenate(svids.map(({ id, certificates, key, bundle }) =>
    protobufField(
      1,
      concatenate([
        protobufField(1, text.encode(id)),
        protobufField(2, derOf(certificates)),
        protobufField(3, derOf(key)),
        protobufField(4, derOf(bundle)),
      ]),
    )
  ));
}

/** Adds flag and length of gRPC to a message. */
export function grpcFrame(message: Uint8Array, length = message.length): Uint8Array {
  const header = new DataView(new ArrayBuffer(5));
  header.setUint32(1, length);
  return concatenate([new Uint8Array(header.buffer), message]);
}

/** One call of `FetchX509SVID`. */
export class WorkloadCall {
  readonly #ended = Promise.withResolvers<void>();

  /** @param windows of the stream and of the connection, which WINDOW_UPDATE widens */
  constructor(
    private readonly connection: Deno.Conn,
    private readonly stream: number,
    private readonly windows: readonly Window[],
  ) {}

  /** Resolves when the client closes the connection or resets the stream. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Sends response headers; by default those of a stream of messages. */
  async headers(fields: Readonly<Record<string, string>> = {}, endStream = false): Promise<void> {
    const all = { ":status": "200", "content-type": "application/grpc", ...fields };
    const flags = FLAG.endHeaders | (endStream ? FLAG.endStream : 0);
    await this.frame(FRAME.headers, flags, encodeHeaders(all));
  }

  /** Sends a response without messages whose headers have the status. */
  async refuse(status: number, message: string): Promise<void> {
    await this.headers({ "grpc-status": String(status), "grpc-message": message }, true);
  }

  /** Sends bytes of the body, as far as the client's window allows. */
  async data(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += MAX_FRAME) {
      const part = bytes.subarray(at, at + MAX_FRAME);
      for (const window of this.windows) {
        const isOpen = await Promise.race([window.take(part.length), this.ended]);
        if (!isOpen) return;
      }
      await this.frame(FRAME.data, 0, part);
    }
  }

  /** Sends headers and a response with SVIDs. */
  async send(svids: readonly DoubleSvid[]): Promise<void> {
    await this.headers();
    await this.message(svids);
  }

  /** Sends a response with SVIDs. */
  async message(svids: readonly DoubleSvid[]): Promise<void> {
    await this.data(grpcFrame(encodeResponse(svids)));
  }

  /** Ends the stream with a status in trailers. */
  async trailers(status: number, message = ""): Promise<void> {
    const fields = { "grpc-status": String(status), "grpc-message": message };
    await this.frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, encodeHeaders(fields));
  }

  /** Sends frames of a kind until the client closes the connection. */
  async flood(kind: "ping" | "empty data" | "settings" | "continued headers"): Promise<void> {
    const one = {
      "ping": encodeFrame(FRAME.ping, 0, new Uint8Array(8), 0),
      "settings": encodeFrame(FRAME.settings, 0, new Uint8Array(), 0),
      "empty data": encodeFrame(FRAME.data, 0, new Uint8Array(), this.stream),
      "continued headers": encodeFrame(
        FRAME.continuation,
        0,
        encodeHeaders({ "x": "y".repeat(100) }),
        this.stream,
      ),
    }[kind];
    if (kind === "empty data") await this.headers();
    if (kind === "continued headers") {
      await this.frame(FRAME.headers, 0, encodeHeaders({ ":status": "200" }));
    }
    const many = concatenate(Array.from({ length: 500 }, () => one));
    let ended = false;
    void this.ended.then(() => ended = true);
    while (!ended) await this.raw(many);
  }

  async goAway(): Promise<void> {
    await this.frame(FRAME.goAway, 0, new Uint8Array(8), 0);
  }

  async reset(): Promise<void> {
    await this.frame(FRAME.reset, 0, new Uint8Array([0, 0, 0, 2]));
  }

  /** Sends bytes that need not be frames. */
  async raw(bytes: Uint8Array): Promise<void> {
    await writeAll(this.connection, bytes);
  }

  async frame(
    type: number,
    flags: number,
    payload: Uint8Array,
    stream = this.stream,
  ): Promise<void> {
    await this.raw(encodeFrame(type, flags, payload, stream));
  }

  /** Closes the connection. */
  close(): void {
    closeQuietly(this.connection);
  }

  /** @internal */
  end(): void {
    this.#ended.resolve();
  }
}

/** Number of bytes that may be sent. */
class Window {
  #changed = Promise.withResolvers<void>();

  constructor(private size: number) {}

  widen(increment: number): void {
    this.size += increment;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  async take(length: number): Promise<true> {
    while (this.size < length) await this.#changed.promise;
    this.size -= length;
    return true;
  }
}

/** Behaviour of the double: answers a call, and returns when it has nothing more to send. */
export type Behaviour = (call: WorkloadCall, number: number) => Promise<void> | void;

/** Server of the double. */
export class WorkloadApiDouble implements AsyncDisposable {
  readonly #connections = new Set<Deno.Conn>();
  readonly #tasks = new Set<Promise<void>>();
  /** Number of calls so far. */
  calls = 0;

  private constructor(
    private readonly listener: Deno.Listener,
    private readonly behaviour: Behaviour,
  ) {}

  /** Listens on a Unix socket at `path`, or on a free port of loopback. */
  static start(path: string | undefined, behaviour: Behaviour): WorkloadApiDouble {
    const listener: Deno.Listener = path === undefined
      ? Deno.listen({ hostname: "127.0.0.1", port: 0 })
      : Deno.listen({ transport: "unix", path });
    const double = new WorkloadApiDouble(listener, behaviour);
    double.#track(double.#accept());
    return double;
  }

  /** Number of connections that are open. */
  get connections(): number {
    return this.#connections.size;
  }

  get port(): number {
    const { addr } = this.listener;
    return addr.transport === "tcp" ? addr.port : 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    closeQuietly(this.listener);
    for (const connection of this.#connections) closeQuietly(connection);
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }

  async #accept(): Promise<void> {
    try {
      for await (const connection of this.listener) {
        this.#connections.add(connection);
        this.#track(this.#serve(connection));
      }
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.BadResource)) throw thrown;
    }
  }

  /** Keeps a task until it ends. Errors of connections that the client closed are expected. */
  #track(task: Promise<void>): void {
    const settled: Promise<void> = task.catch((thrown) => {
      if (!isConnectionError(thrown)) throw thrown;
    }).finally(() => this.#tasks.delete(settled));
    this.#tasks.add(settled);
  }

  async #serve(connection: Deno.Conn): Promise<void> {
    const calls = new Map<number, WorkloadCall>();
    const windows = new Map([[0, new Window(WINDOW)]]);
    let initialWindow = WINDOW;
    try {
      if (!await readExactly(connection, PREFACE_LENGTH)) return;
      await writeAll(connection, encodeFrameHeader(0, FRAME.settings, 0, 0));
      for (;;) {
        const header = await readExactly(connection, FRAME_HEADER_LENGTH);
        if (!header) return;
        const view = new DataView(header.buffer);
        const [length, type, flags] = [view.getUint32(0) >>> 8, header[3] ?? 0, header[4] ?? 0];
        const stream = view.getUint32(5) & 0x7fff_ffff;
        const payload = await readExactly(connection, length);
        if (!payload) return;
        if (type === FRAME.settings && !(flags & FLAG.ack)) {
          initialWindow = readSetting(payload, INITIAL_WINDOW_SIZE) ?? initialWindow;
          await writeAll(connection, encodeFrameHeader(0, FRAME.settings, FLAG.ack, 0));
        } else if (type === FRAME.ping && !(flags & FLAG.ack)) {
          const pong = encodeFrameHeader(payload.length, FRAME.ping, FLAG.ack, 0);
          await writeAll(connection, concatenate([pong, payload]));
        } else if (type === FRAME.windowUpdate) {
          const increment = new DataView(payload.buffer).getUint32(0);
          windows.get(stream)?.widen(increment);
        } else if (type === FRAME.reset) {
          calls.get(stream)?.end();
        } else if (type === FRAME.headers) {
          const ofStream = new Window(initialWindow);
          windows.set(stream, ofStream);
          const ofConnection = windows.get(0);
          const both = ofConnection ? [ofStream, ofConnection] : [];
          const call = new WorkloadCall(connection, stream, both);
          calls.set(stream, call);
          this.#track(Promise.resolve(this.behaviour(call, ++this.calls)));
        }
      }
    } finally {
      for (const call of calls.values()) call.end();
      this.#connections.delete(connection);
      closeQuietly(connection);
    }
  }
}

/** Returns a setting: each has two bytes of number and four of value. */
function readSetting(payload: Uint8Array<ArrayBuffer>, number: number): number | undefined {
  const view = new DataView(payload.buffer);
  for (let at = 0; at + 6 <= payload.length; at += 6) {
    if (view.getUint16(at) === number) return view.getUint32(at + 2);
  }
  return undefined;
}

function encodeFrameHeader(length: number, type: number, flags: number, stream: number) {
  const view = new DataView(new ArrayBuffer(FRAME_HEADER_LENGTH));
  view.setUint32(0, length << 8 | type);
  view.setUint8(4, flags);
  view.setUint32(5, stream);
  return new Uint8Array(view.buffer);
}

function encodeFrame(type: number, flags: number, payload: Uint8Array, stream: number) {
  return concatenate([encodeFrameHeader(payload.length, type, flags, stream), payload]);
}

/** Encodes headers as literals without Huffman coding (RFC 7541 section 6.2.2). */
function encodeHeaders(fields: Readonly<Record<string, string>>): Uint8Array {
  const text = (value: string) => {
    const bytes = new TextEncoder().encode(value);
    if (bytes.length > 126) throw new Error("the double has no longer headers");
    return new Uint8Array([bytes.length, ...bytes]);
  };
  return concatenate(
    Object.entries(fields).map(([name, value]) =>
      concatenate([new Uint8Array([0]), text(name), text(value)])
    ),
  );
}

async function readExactly(
  connection: Deno.Conn,
  length: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const bytes = new Uint8Array(length);
  for (let filled = 0; filled < length;) {
    const read = await connection.read(bytes.subarray(filled));
    if (read === null) return undefined;
    filled += read;
  }
  return bytes;
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

function closeQuietly(resource: { close(): void }): void {
  try {
    resource.close();
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.BadResource)) throw thrown;
  }
}

function isConnectionError(thrown: unknown): boolean {
  return thrown instanceof Deno.errors.BadResource || thrown instanceof Deno.errors.BrokenPipe ||
    thrown instanceof Deno.errors.ConnectionReset || thrown instanceof Deno.errors.Interrupted;
}
