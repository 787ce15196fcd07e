/**
 * TLS that accepts any server certificate, for `--no-verify-ssl`. Deno's own TLS cannot be told to in
 * a compiled program; Node's can, over a connection that is given the form of a Node stream.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import tls from "node:tls";
import { FairTurns } from "./fair_turns.ts";
import type { ByteStream } from "./http_exchange.ts";

/** TLS that has begun: it must not be written to before the handshake is done. */
export interface BegunTls extends ByteStream {
  handshake(): Promise<void>;
}

/** Decrypted bytes that wait for a reader; the connection is not read beyond them. */
const MAX_UNREAD = 65_536;

/** Starts TLS on `connection`, which it closes with itself. */
export function startUnverifiedTls(connection: Deno.Conn, hostname: string): BegunTls {
  const transport = asDuplex(connection);
  const socket = tls.connect({
    socket: transport,
    rejectUnauthorized: false,
    // A server name extension must not hold an address (RFC 6066 section 3).
    ...(/^[\d.]+$|:/.test(hostname) ? {} : { servername: hostname }),
  });
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => {}); // whoever reads or writes is told
  const secure = new Promise<void>((resolve) => socket.on("secureConnect", () => resolve()));
  // By events: the stream's own iterator never yields here.
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
  transport.on("error", failure.reject); // TLS says goodbye to a connection that is closed
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

function asDuplex(connection: Deno.Conn): Duplex {
  const turns = new FairTurns();
  return new Duplex({
    read() {
      const chunk = new Uint8Array(65_536);
      turns.next().then(() => connection.read(chunk)).then(
        (length) => this.push(length === null ? null : Buffer.from(chunk.subarray(0, length))),
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
    // closed already
  }
}
