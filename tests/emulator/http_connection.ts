import { STATUS_CODES } from "node:http";

import type { EmulatedResponse } from "./answer.ts";
import type { RawRequest } from "./raw_request.ts";

const MAX_HEAD_BYTES = 128 * 1024;
const MAX_BODY_BYTES = 1024 * 1024;

/** The client did not send HTTP/1.1 as the emulator reads it. */
export class BadHttp extends Error {
  override readonly name = "BadHttp";
}

/**
 * One HTTP/1.1 connection, server side (RFC 9112). It exists because Deno's node:http returns
 * request headers sorted, joined and in lower case, and its `socket.destroy()` closes nothing.
 */
export class HttpConnection {
  #unread = new Uint8Array(0);

  constructor(readonly connection: Deno.Conn) {}

  /** Reads the next request; null if the client has closed. Throws BadHttp on what is not HTTP/1.1. */
  async read(): Promise<RawRequest | null> {
    const lines: string[] = [];
    for (let size = 0;;) {
      const line = await this.#line();
      if (line === null) {
        if (lines.length === 0) return null;
        throw new BadHttp("request is cut off");
      }
      if (line === "" && lines.length > 0) break;
      size += line.length;
      if (size > MAX_HEAD_BYTES) throw new BadHttp("request head is too large");
      if (line !== "") lines.push(line);
    }
    const [requestLine = "", ...fields] = lines;
    const [, method, url] = /^([A-Z]+) (\S+) HTTP\/1\.1$/.exec(requestLine) ?? [];
    if (method === undefined || url === undefined) throw new BadHttp("not a request line");
    const headers = fields.map((field): [string, string] => {
      const [, name, value] = /^([^\s:]+):[ \t]*(.*?)[ \t]*$/.exec(field) ?? [];
      if (name === undefined || value === undefined) throw new BadHttp("not a header field");
      return [name, value];
    });
    return { method, url, headers, body: await this.#body(headers) };
  }

  /** Sends the whole response, or its head and half of its body. */
  async write(answer: EmulatedResponse): Promise<void> {
    const head = [
      `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ""}`,
      ...Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}`),
      `content-length: ${answer.body.length}`,
      "\r\n",
    ].join("\r\n");
    const octets = Math.ceil(answer.body.length * (answer.delivery === "half" ? 0.5 : 1));
    // In one piece: a second small write would wait 40 ms for the client's delayed acknowledgement.
    const message = new Blob([head, answer.body.subarray(0, octets)]);
    await this.#send(new Uint8Array(await message.arrayBuffer()));
  }

  /** Waits until the client, or `close()`, has ended the connection. */
  async drain(): Promise<void> {
    while (await this.#fill());
  }

  /** Ends the connection at once; may be called again. */
  close(): void {
    try {
      this.connection.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }

  async #body(headers: readonly (readonly [string, string])[]): Promise<Uint8Array<ArrayBuffer>> {
    const value = (wanted: string) =>
      headers.find(([name]) => name.toLowerCase() === wanted)?.[1].toLowerCase();
    if (value("transfer-encoding") === "chunked") return await this.#chunks();
    return await this.#take(Number(value("content-length") ?? 0));
  }

  async #chunks(): Promise<Uint8Array<ArrayBuffer>> {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for (;;) {
      const size = parseInt(await this.#line() ?? "", 16);
      const part = await this.#take(size);
      await this.#line();
      if (size === 0) break;
      parts.push(part);
    }
    return new Uint8Array(await new Blob(parts).arrayBuffer());
  }

  async #line(): Promise<string | null> {
    for (let from = 0;;) {
      const end = this.#unread.indexOf(0x0a, from);
      if (end >= 0) {
        const line = new TextDecoder("latin1").decode(this.#unread.subarray(0, end));
        this.#unread = this.#unread.slice(end + 1);
        return line.replace(/\r$/, "");
      }
      from = this.#unread.length;
      if (from > MAX_HEAD_BYTES) throw new BadHttp("line is too long");
      if (!await this.#fill()) return null;
    }
  }

  async #take(size: number): Promise<Uint8Array<ArrayBuffer>> {
    if (!(size >= 0 && size <= MAX_BODY_BYTES)) throw new BadHttp("body is too large");
    while (this.#unread.length < size) {
      if (!await this.#fill()) throw new BadHttp("request is cut off");
    }
    const taken = this.#unread.slice(0, size);
    this.#unread = this.#unread.slice(size);
    return taken;
  }

  async #fill(): Promise<boolean> {
    const buffer = new Uint8Array(64 * 1024);
    const count = await this.connection.read(buffer);
    if (count === null) return false;
    const joined = new Uint8Array(this.#unread.length + count);
    joined.set(this.#unread);
    joined.set(buffer.subarray(0, count), this.#unread.length);
    this.#unread = joined;
    return true;
  }

  async #send(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.connection.write(bytes.subarray(sent));
    }
  }
}
