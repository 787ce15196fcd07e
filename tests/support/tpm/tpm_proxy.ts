import type { SoftwareTpm } from "./software_tpm.ts";

/** TPM_CC of commands that tests use. */
export const COMMAND = { sign: 0x15d, createPrimary: 0x131, readPublic: 0x173 } as const;

/** Options of a {@link TpmProxy}. */
export interface ProxyOptions {
  /** Returns the delay of a command's response in milliseconds; Infinity: never sent. */
  delayOf?(command: number): number;
  /** Returns what a command's response waits for, before its delay. */
  heldUntil?(command: number): Promise<void> | undefined;
}

/**
 * TCP proxy to a software TPM. It records the traffic and delays responses. It accepts several
 * programs at a time, like a TPM without a resource manager. It opens a connection to the TPM for
 * each command, so that commands of other programs can run in between.
 */
export class TpmProxy implements AsyncDisposable {
  /** All commands and responses, in order. */
  readonly messages: Uint8Array[] = [];
  /** TPM_CC of the commands, in order. */
  readonly commands: number[] = [];
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #timers = new Map<ReturnType<typeof setTimeout>, () => void>();
  #last: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly tpm: SoftwareTpm,
    readonly port: number,
    private readonly data: Deno.TcpListener,
    private readonly control: Deno.TcpListener,
    private readonly options: ProxyOptions,
  ) {}

  static start(tpm: SoftwareTpm, options: ProxyOptions = {}): TpmProxy {
    for (;;) {
      const data = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = data.addr;
      try {
        const control = Deno.listen({ hostname: "127.0.0.1", port: port + 1 });
        const proxy = new TpmProxy(tpm, port, data, control, options);
        proxy.#serve(data, (connection) => proxy.#forward(connection));
        proxy.#serve(control, respondToControl);
        return proxy;
      } catch (thrown) {
        data.close();
        if (!(thrown instanceof Deno.errors.AddrInUse)) throw thrown;
      }
    }
  }

  /** Environment variables to connect to the TPM through the proxy. */
  get env(): Record<string, string> {
    return { TPM2TOOLS_TCTI: `swtpm:host=127.0.0.1,port=${this.port}` };
  }

  /** Returns true if the recorded traffic contains the bytes, in either direction. */
  contains(bytes: Uint8Array): boolean {
    return this.messages.some((message) =>
      message.some((_, i) => bytes.every((byte, j) => message[i + j] === byte))
    );
  }

  async #serve(
    listener: Deno.TcpListener,
    handle: (connection: Deno.TcpConn) => Promise<void>,
  ): Promise<void> {
    for await (const connection of listener) {
      this.#connections.add(connection);
      // Ignore programs that disconnect.
      handle(connection).catch(() => {}).finally(() => this.#drop(connection));
    }
  }

  async #forward(connection: Deno.TcpConn): Promise<void> {
    for (;;) {
      const command = await readMessage(connection);
      const code = new DataView(command.buffer).getUint32(6);
      this.commands.push(code);
      this.messages.push(command);
      const pending = this.#last.then(() => this.#send(command));
      this.#last = pending.catch(() => {});
      const response = await pending;
      this.messages.push(response);
      await this.options.heldUntil?.(code);
      await this.#delay(this.options.delayOf?.(code) ?? 0);
      await writeAll(connection, response);
    }
  }

  async #send(command: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    using upstream = await Deno.connect({ hostname: "127.0.0.1", port: this.tpm.port });
    await writeAll(upstream, command);
    return await readMessage(upstream);
  }

  async #delay(milliseconds: number): Promise<void> {
    if (milliseconds === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        resolve();
      }, Math.min(milliseconds, 2 ** 31 - 1));
      this.#timers.set(timer, resolve);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.data.close();
    this.control.close();
    for (const [timer, resume] of this.#timers) {
      clearTimeout(timer);
      resume();
    }
    for (const connection of this.#connections) this.#drop(connection);
    await this.#last;
  }

  #drop(connection: Deno.TcpConn): void {
    if (this.#connections.delete(connection)) connection.close();
  }
}

/** Sends success for every request of the TCTI to swtpm's control channel. */
async function respondToControl(connection: Deno.TcpConn): Promise<void> {
  const request = new Uint8Array(64);
  while (await connection.read(request) !== null) await writeAll(connection, new Uint8Array(4));
}

/** Reads one command or response: tag, total length, code, parameters. */
async function readMessage(connection: Deno.TcpConn): Promise<Uint8Array<ArrayBuffer>> {
  const header = await readExactly(connection, 10);
  const rest = await readExactly(connection, new DataView(header.buffer).getUint32(2) - 10);
  return Uint8Array.from([...header, ...rest]);
}

async function readExactly(
  connection: Deno.TcpConn,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  for (let read = 0; read < length;) {
    const count = await connection.read(bytes.subarray(read));
    if (count === null) throw new Error("the connection ended");
    read += count;
  }
  return bytes;
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await connection.write(bytes.subarray(written));
  }
}
