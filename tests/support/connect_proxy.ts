/** An HTTP proxy that only tunnels (RFC 9110 section 9.3.6) and records its requests. */
export class ConnectProxy implements AsyncDisposable {
  /** The heads of the requests, in order. */
  readonly heads: string[] = [];
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections = new Set<Deno.Conn>();
  readonly #served: Promise<void>;

  /**
   * Sends `answer` to each request. With a 200 it opens the tunnel, to `targetPort` instead of the
   * requested port.
   */
  constructor(
    readonly answer = "HTTP/1.1 200 Connection established\r\n\r\n",
    readonly targetPort: number | undefined = undefined,
  ) {
    this.#served = this.#serve();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) close(connection);
    await this.#served;
  }

  async #serve(): Promise<void> {
    const tunnels: Promise<void>[] = [];
    for await (const client of this.#listener) tunnels.push(this.#tunnel(client));
    await Promise.all(tunnels);
  }

  async #tunnel(client: Deno.Conn): Promise<void> {
    this.#connections.add(client);
    try {
      const head = await readHead(client);
      this.heads.push(head);
      await client.write(new TextEncoder().encode(this.answer));
      const [, port] = /^CONNECT [^ ]*:(\d+) /.exec(head) ?? [];
      if (!/ 200 /.test(this.answer) || port === undefined) return;
      // Every name means this machine, so that the target need not exist.
      const target = await Deno.connect({
        hostname: "127.0.0.1",
        port: this.targetPort ?? Number(port),
      });
      this.#connections.add(target);
      await Promise.all([copy(client, target), copy(target, client)]);
    } catch {
      // the client or the target is gone
    } finally {
      close(client);
    }
  }
}

async function readHead(connection: Deno.Conn): Promise<string> {
  let head = "";
  const byte = new Uint8Array(1);
  while (!head.endsWith("\r\n\r\n") && await connection.read(byte) !== null) {
    head += String.fromCharCode(byte[0] ?? 0);
  }
  return head;
}

async function copy(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const chunk = new Uint8Array(16_384);
  try {
    for (let length = await from.read(chunk); length !== null; length = await from.read(chunk)) {
      for (let at = 0; at < length;) at += await to.write(chunk.subarray(at, length));
    }
  } catch {
    // one side is gone: so is the tunnel
  } finally {
    close(from);
    close(to);
  }
}

function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // it is closed already
  }
}
