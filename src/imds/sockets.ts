/**
 * What Deno does not offer for the sockets of its server, by the system's own functions: the IP hop
 * limit, a list of the connections, ending one of them.
 *
 * Sockets are found by asking each number the process may have for its address. That is safe, as no
 * other thread opens or closes the server's sockets meanwhile.
 *
 * @module
 */
import { HelperError } from "../errors.ts";
import { SOCKET_SYSTEMS, type SocketSystem } from "./socket_table.ts";

const SYMBOLS = {
  // int getsockname(int socket, struct sockaddr *address, socklen_t *length)
  getsockname: { parameters: ["usize", "buffer", "buffer"], result: "i32" },
  // int getpeername(int socket, struct sockaddr *address, socklen_t *length)
  getpeername: { parameters: ["usize", "buffer", "buffer"], result: "i32" },
  // int getsockopt(int socket, int level, int option, void *value, socklen_t *length)
  getsockopt: { parameters: ["usize", "i32", "i32", "buffer", "buffer"], result: "i32" },
  // int setsockopt(int socket, int level, int option, const void *value, socklen_t length)
  setsockopt: { parameters: ["usize", "i32", "i32", "buffer", "u32"], result: "i32" },
  // int shutdown(int socket, int how)
  shutdown: { parameters: ["usize", "i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const LIMIT_SYMBOLS = {
  // int getrlimit(int resource, struct rlimit *limits)
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  // int setrlimit(int resource, const struct rlimit *limits)
  setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** SHUT_RDWR, SD_BOTH. */
const BOTH_DIRECTIONS = 2;
const ADDRESS_BYTES = 128;

/** A connection to the server. */
export interface ServerConnection {
  /** The number of its socket. */
  readonly socket: number;
  /** The client's port, which tells the connections of one client apart. */
  readonly clientPort: number;
}

interface SocketAddress {
  readonly family: number;
  readonly port: number;
}

/** The sockets of this process that belong to a port it listens on. */
export class ServerSockets implements Disposable {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;

  private constructor(private readonly system: SocketSystem, private readonly port: number) {
    this.#library = Deno.dlopen(system.library, SYMBOLS);
  }

  /** Opens the system's functions for the server that listens on `port`. */
  static open(port: number, operatingSystem: string = Deno.build.os): ServerSockets {
    const system = SOCKET_SYSTEMS[operatingSystem];
    if (!system) throw new HelperError("listen", `no sockets are known on ${operatingSystem}`);
    try {
      return new ServerSockets(system, port);
    } catch (cause) {
      throw new HelperError("listen", `${system.library} cannot be loaded`, { cause });
    }
  }

  /**
   * Sets the IP hop limit of every packet that the server sends, on its listening sockets: accepted
   * connections inherit it. Throws `listen` when that is not possible.
   */
  setHopLimit(hops: number): void {
    const value = new Int32Array([hops]);
    const { timeToLive, unicastHops, family } = this.system;
    let done = 0;
    for (const { socket, address } of this.#sockets()) {
      if (!this.#listens(socket)) continue;
      const set = ({ level, option }: typeof timeToLive) =>
        this.#library.symbols.setsockopt(BigInt(socket), level, option, bytesOf(value), 4) === 0;
      // An IPv6 socket may take IPv4 connections too; whether it does decides if this succeeds.
      const ipv4 = set(timeToLive);
      if (address.family === family.ipv6 ? set(unicastHops) : ipv4) done += 1;
    }
    if (done === 0) {
      throw new HelperError(
        "listen",
        "--hop-limit cannot be set on this system; nothing is served",
      );
    }
  }

  /** Whether anything still listens on the port. */
  isListening(): boolean {
    for (const { socket } of this.#sockets()) if (this.#listens(socket)) return true;
    return false;
  }

  /** The connections that are open. */
  connections(): ServerConnection[] {
    const found: ServerConnection[] = [];
    for (const { socket } of this.#sockets()) {
      const peer = this.#address(socket, "getpeername");
      if (peer) found.push({ socket, clientPort: peer.port });
    }
    return found;
  }

  /** Ends a connection in both directions; the server then closes it. */
  end(connection: ServerConnection): void {
    this.#library.symbols.shutdown(BigInt(connection.socket), BOTH_DIRECTIONS);
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }

  *#sockets(): Generator<{ socket: number; address: SocketAddress }> {
    const { ipv4, ipv6 } = this.system.family;
    for (const socket of this.#numbers()) {
      const address = this.#address(socket, "getsockname");
      if (address?.port === this.port && [ipv4, ipv6].includes(address.family)) {
        yield { socket, address };
      }
    }
  }

  #numbers(): number[] {
    try {
      return Array.from(Deno.readDirSync("/dev/fd"), ({ name }) => Number(name));
    } catch {
      const { step, most } = this.system.numbers;
      return Array.from({ length: most / step }, (_, i) => i * step);
    }
  }

  #address(socket: number, which: "getsockname" | "getpeername"): SocketAddress | undefined {
    const bytes = new Uint8Array(ADDRESS_BYTES);
    const length = bytesOf(new Uint32Array([ADDRESS_BYTES]));
    if (this.#library.symbols[which](BigInt(socket), bytes, length) !== 0) return undefined;
    const view = new DataView(bytes.buffer);
    const { offset, bytes: width } = this.system.familyField;
    const family = width === 1 ? view.getUint8(offset) : view.getUint16(offset, true);
    return { family, port: view.getUint16(2) };
  }

  #listens(socket: number): boolean {
    const { level, option } = this.system.acceptsConnections;
    const value = new Int32Array(1);
    const length = bytesOf(new Uint32Array([4]));
    const { getsockopt } = this.#library.symbols;
    return getsockopt(BigInt(socket), level, option, bytesOf(value), length) === 0 &&
      value[0] !== 0;
  }
}

/**
 * Lets the process open as many files as the system allows it: each connection is one. Gives the
 * limit, or undefined where there is none or it cannot be told.
 */
export function raiseOpenFilesLimit(operatingSystem: string = Deno.build.os): number | undefined {
  const system = SOCKET_SYSTEMS[operatingSystem];
  if (system?.openFilesLimit === undefined) return undefined;
  const library = Deno.dlopen(system.library, LIMIT_SYMBOLS);
  try {
    const limits = new BigUint64Array(2); // struct rlimit: rlim_cur, rlim_max
    const bytes = bytesOf(limits);
    if (library.symbols.getrlimit(system.openFilesLimit, bytes) !== 0) return undefined;
    const [current = 0n, most = 0n] = limits;
    limits[0] = most;
    const raised = library.symbols.setrlimit(system.openFilesLimit, bytes) === 0;
    return Number(raised ? most : current);
  } finally {
    library.close();
  }
}

function bytesOf(array: ArrayBufferView<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
