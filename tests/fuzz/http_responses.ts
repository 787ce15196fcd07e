/**
 * Responses for the fuzzers of the HTTP reader, and the connections that deliver them.
 *
 * @module
 */
import {
  type ByteStream,
  exchange,
  HttpProtocolError,
  requestTunnel,
  TruncatedResponseError,
} from "../../src/http/http_exchange.ts";
import type { Mutator } from "../support/mutator.ts";

const BODY = JSON.stringify({
  credentialSet: [{ credentials: { accessKeyId: "ASIA", expiration: "2030-01-01T00:00:00Z" } }],
});
const OK = "HTTP/1.1 200 OK\r\n";
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

/** Complete responses of every form that the reader supports. */
export const RESPONSES: readonly Uint8Array[] = [
  `HTTP/1.1 201 Created\r\nContent-Length: ${BODY.length}\r\nx-amzn-requestid: 1-2\r\n\r\n${BODY}`,
  `${OK}Connection: close\r\n\r\n${BODY}`,
  `${CHUNKED}${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`,
  `${CHUNKED}5;a=b\r\n{"a":\r\n2 ; "x"\r\n1}\r\n000\r\nTrailer: x\r\n\r\n`,
  `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${OK}\r\n${BODY}`,
  "HTTP/1.0 204 No Content\r\n\r\n",
  `HTTP/1.1 429 \r\nRetry-After: 1\r\nx-amzn-errortype: ThrottlingException:\r\nContent-Length: 2\r\n\r\n{}`,
  "HTTP/1.1 407 Proxy Authentication Required\nProxy-Authenticate: NTLM\n\n",
].map((text) => new TextEncoder().encode(text));

/** Tokens of HTTP, for mutations. */
export const WORDS: readonly string[] = [
  "HTTP/1.1 ",
  "HTTP/1.1 100 \r\n\r\n",
  "\r\n",
  "\r\n\r\n",
  "\n",
  ":",
  "0\r\n",
  "0\r\n\r\n",
  "ffffffff\r\n",
  "7fffffff\r\n",
  ";",
  "Content-Length: ",
  "Content-Length: 999999999999999\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: gzip, chunked\r\n",
];

/** Options of a {@link FakeConnection}. */
export interface Delivery {
  /** Returns how many bytes the next read gets at most. */
  readonly piece: () => number;
  /** Returns whether the next read lets the event loop run first. */
  readonly isLater: () => boolean;
  /** Sent after the response; absent, the connection ends. */
  readonly endless?: Uint8Array;
}

/** A connection whose peer has sent everything already. */
export class FakeConnection implements ByteStream {
  /** Bytes that were read. */
  delivered = 0;
  #at = 0;

  constructor(private bytes: Uint8Array, private readonly delivery: Delivery) {}

  async read(buffer: Uint8Array): Promise<number | null> {
    const { endless, isLater, piece } = this.delivery;
    if (isLater()) await new Promise((resolve) => setTimeout(resolve, 0));
    if (this.#at === this.bytes.length) {
      if (!endless) return null;
      this.bytes = endless;
      this.#at = 0;
    }
    const part = this.bytes.subarray(this.#at, this.#at + Math.min(piece(), buffer.length));
    buffer.set(part);
    this.#at += part.length;
    this.delivered += part.length;
    return part.length;
  }

  write(bytes: Uint8Array): Promise<number> {
    return Promise.resolve(bytes.length);
  }

  close(): void {}
}

/** Reads one response, or requests a tunnel; returns the outcome. Throws unexpected errors. */
export async function readResponse(connection: ByteStream, asTunnel: boolean): Promise<string> {
  const headers = new Map([["host", "x"]]);
  try {
    if (asTunnel) {
      const request = { method: "CONNECT", target: "x:443", headers };
      await requestTunnel(connection, request);
      return "tunnel";
    }
    const answer = await exchange(connection, { method: "POST", target: "/", headers });
    return `${Math.floor(answer.status / 100)}xx`;
  } catch (thrown) {
    if (thrown instanceof HttpProtocolError) return thrown.message.replaceAll(/\d+/g, "N");
    if (thrown instanceof TruncatedResponseError) return "truncated";
    throw thrown;
  }
}

/** Returns ways in which pieces arrive: whole, in single bytes, or in some of each. */
export function pieces(mutator: Mutator): () => number {
  const max = mutator.pick([1, 7, 64, 16_384]);
  return mutator.below(2) === 0 ? () => max : () => 1 + mutator.below(max);
}
