/** Bytes that a hostile service sends: a start, then `rest` forever. */
export interface EndlessResponse {
  readonly start: string;
  readonly rest: string;
  /** Pause after each `rest`, milliseconds; default none, in blocks of 16 KiB. */
  readonly pause?: number;
}

const CHUNKED = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/** Endless responses. */
export const ENDLESS = {
  "interim responses": { start: "", rest: "HTTP/1.1 100 Continue\r\n\r\n" },
  "header lines": { start: "HTTP/1.1 200 OK\r\n", rest: "a: b\r\n" },
  "a header line": { start: "HTTP/1.1 200 OK\r\na: ", rest: "b" },
  "trailer lines": { start: `${CHUNKED}0\r\n`, rest: "a: b\r\n" },
  "a trailer line": { start: `${CHUNKED}0\r\na: `, rest: "b" },
  "small chunks": { start: CHUNKED, rest: "1\r\nx\r\n" },
  "a chunk extension": { start: `${CHUNKED}1;`, rest: "x" },
  "a chunk of zeros": { start: CHUNKED, rest: "0" },
  "a body": { start: "HTTP/1.1 200 OK\r\n\r\n", rest: "x" },
  "a body of a length": {
    start: "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
    rest: "x",
  },
  "blank lines": { start: "", rest: "\r\n" },
  "drops of a header": { start: "HTTP/1.1 200 OK\r\n", rest: "a", pause: 20 },
  "drops of a body": { start: "HTTP/1.1 200 OK\r\n\r\n", rest: "x", pause: 20 },
  "drops of interim responses": {
    start: "",
    rest: "HTTP/1.1 102 Processing\r\n\r\n",
    pause: 4_000,
  },
  "nothing": { start: "", rest: "", pause: 1_000 },
} as const satisfies Record<string, EndlessResponse>;

/** Returns a CreateSession response with this lifetime, seconds. */
export function sessionResponse(seconds: number): string {
  const body = JSON.stringify({
    credentialSet: [{
      credentials: {
        accessKeyId: "ASIAHOSTILE",
        secretAccessKey: "hostile-secret",
        sessionToken: "hostile-token",
        expiration: new Date(Date.now() + seconds * 1000).toISOString(),
      },
    }],
  });
  return `HTTP/1.1 201 Created\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

/** A plain HTTP service with the given responses; it does not verify requests. */
export class HostileService implements AsyncDisposable {
  /** Number of requests so far. */
  requests = 0;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections = new Set<Deno.Conn>();
  readonly #served: Promise<void>;

  /** `answer` returns each response: complete, or endless. */
  constructor(private readonly answer: (request: number) => string | EndlessResponse) {
    this.#served = this.#serve();
  }

  get url(): string {
    return `http://127.0.0.1:${this.#listener.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of [...this.#connections]) this.#close(connection);
    await this.#served;
  }

  #close(connection: Deno.Conn): void {
    this.#connections.delete(connection);
    try {
      connection.close();
    } catch {
      // closed already
    }
  }

  async #serve(): Promise<void> {
    const answers: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      this.#connections.add(connection);
      const answered = this.#answer(connection).catch(() => {}); // the client has gone
      answers.push(answered.finally(() => this.#close(connection)));
    }
    await Promise.all(answers);
  }

  async #answer(connection: Deno.Conn): Promise<void> {
    await connection.read(new Uint8Array(65_536));
    const answer = this.answer(++this.requests);
    if (typeof answer === "string") return await write(connection, answer);
    const { start, rest, pause } = answer;
    await write(connection, start);
    const block = pause === undefined ? rest.repeat(Math.ceil(16_384 / rest.length)) : rest;
    for (let written = 0; this.#connections.has(connection); written++) {
      await write(connection, block);
      // Writes that are always ready must not keep the test waiting.
      const wait = pause ?? (written % 8 === 0 ? 0 : undefined);
      if (wait !== undefined) await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

async function write(connection: Deno.Conn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let written = 0; written < bytes.length;) {
    written += await connection.write(bytes.subarray(written));
  }
}
