/**
 * TLS that accepts any server certificate, for `--no-verify-ssl`. Deno's own TLS cannot do this in a
 * compiled program. Node's TLS can, over a connection that is wrapped as a Node stream.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import tls from "node:tls";
import { FairTurns } from "./fair_turns.ts";
import type { ByteStream } from "./http_exchange.ts";

/** TLS connection; do not write to it before the handshake is done. */
export interface TlsStream extends ByteStream {
  handshake(): Promise<void>;
}

/** Maximum of decrypted unread bytes; then reading from the connection pauses. */
const MAX_UNREAD = 65_536;

/** Starts TLS on `connection`; closing the result closes both. */
export function startUnverifiedTls(connection: Deno.Conn, hostname: string): TlsStream {
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => {}); // readers and writers get the error
  let isSecure = false;
  // Node's TLS itself would wait without end.
  const transport = toDuplex(connection, () => {
    if (!isSecure) failure.reject(new Error("the connection was closed before TLS was ready"));
  });
  const socket = tls.connect({
    socket: transport,
    rejectUnauthorized: false,
    // A server name extension must not hold an address (RFC 6066 section 3).
    ...(/^[\d.]+$|:/.test(hostname) ? {} : { servername: hostname }),
  });
  const secure = new Promise<void>((resolve) => {
    socket.on("secureConnect", () => {
      isSecure = true;
      resolve();
    });
  });
  // With events, because the stream's iterator never yields here.
  const received: Uint8Array[] = [];
  let unread = 0;
  let ended = false;
  let arrived = Promise.withResolvers<void>();
  const wake = () => {
    arrived.resolve();
    arrived = Promise.withResolvers();
  };
  socket.on("data", (chunk: Uint8Array) => {
    received.push(new Uint8Array(chunk));
    unread += chunk.length;
    if (unread > MAX_UNREAD) socket.pause();
    wake();
  });
  socket.on("end", () => {
    ended = true;
    wake();
  });
  socket.on("error", failure.reject);
  transport.on("error", failure.reject); // TLS sends close_notify to a closed connection
  socket.on("close", () => failure.reject(new Error("the connection is closed")));
  return {
    handshake: () => Promise.race([secure, failure.promise]),
    async read(buffer) {
      let [chunk] = received;
      while (!chunk) {
        if (ended) return null;
        await Promise.race([arrived.promise, failure.promise]);
        [chunk] = received;
      }
      const length = Math.min(chunk.length, buffer.length);
      buffer.set(chunk.subarray(0, length));
      if (length < chunk.length) received[0] = chunk.subarray(length);
      else received.shift();
      unread -= length;
      if (unread <= MAX_UNREAD && socket.isPaused()) socket.resume();
      return length;
    },
    async write(bytes) {
      const written = new Promise<void>((resolve, reject) => {
        socket.write(bytes, (error) => error ? reject(error) : resolve());
      });
      await Promise.race([written, failure.promise]);
      return bytes.length;
    },
    close() {
      socket.destroy();
      closeQuietly(connection);
    },
  };
}

/** Wraps a connection as a stream of Node. `onEnd` is called when the peer has closed it. */
function toDuplex(connection: Deno.Conn, onEnd: () => void): Duplex {
  const turns = new FairTurns();
  return new Duplex({
    read() {
      const chunk = new Uint8Array(65_536);
      turns.next().then(() => connection.read(chunk)).then(
        (length) => {
          this.push(length === null ? null : Buffer.from(chunk.subarray(0, length)));
          if (length === null) onEnd();
        },
        (thrown) => this.destroy(thrown),
      );
    },
    write(chunk: Uint8Array, _encoding, done) {
      writeAll(connection, chunk).then(() => done(), done);
    },
    final(done) {
      done();
    },
    destroy(error, done) {
      closeQuietly(connection);
      done(error);
    },
  });
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await connection.write(bytes.subarray(written));
  }
}

function closeQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // already closed
  }
}
