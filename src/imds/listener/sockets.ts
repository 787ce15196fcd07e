/**
 * System calls on the sockets of Deno's server, which Deno does not offer. They set the IP hop
 * limit, list the connections, and end one of them.
 *
 * Sockets are found by requesting the address of each possible socket number. That is safe, because no
 * other thread opens or closes the server's sockets meanwhile.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import { SOCKET_SYSTEMS, type SocketSystem } from "./socket_constants.ts";

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

/** SHUT_RDWR, SD_BOTH. */
const BOTH_DIRECTIONS = 2;
const ADDRESS_BYTES = 128;

/** Offset of `sun_path` in `sockaddr_un`, bytes. */
const UNIX_PATH_OFFSET = 2;

/** A connection to the server. */
export interface ServerConnection {
  /** The number of its socket. */
  readonly socket: number;
  /** The client's port, which identifies one of a client's connections. */
  readonly clientPort: number;
}

/** A `sockaddr`; `port` is valid for IP only. */
export interface RawAddress {
  readonly family: number;
  readonly port: number;
  readonly bytes: Uint8Array;
}

type SocketOption = SocketSystem["timeToLive"];

/** System calls on the sockets of this process, by number. */
export class SocketCalls implements Disposable {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;

  private constructor(readonly system: SocketSystem, private readonly openFiles: number) {
    this.#library = Deno.dlopen(system.library, SYMBOLS);
  }

  /** Loads the system calls for a process limited to `openFiles` files. Throws `listen` on failure. */
  static open(openFiles = Infinity, operatingSystem: string = Deno.build.os): SocketCalls {
    const system = SOCKET_SYSTEMS[operatingSystem];
    if (!system) throw new HelperError("listen", `sockets are not supported on ${operatingSystem}`);
    try {
      return new SocketCalls(system, openFiles);
    } catch (cause) {
      throw new HelperError("listen", `${system.library} cannot be loaded`, { cause });
    }
  }

  /** Returns the possible socket numbers. */
  numbers(): number[] {
    try {
      return Array.from(Deno.readDirSync("/dev/fd"), ({ name }) => Number(name));
    } catch {
      const { step, max } = this.system.numbers;
      return Array.from({ length: Math.min(max / step, this.openFiles) }, (_, i) => i * step);
    }
  }

  /** Returns a socket's local or peer address as a `sockaddr`; undefined if it has none. */
  address(socket: number, which: "getsockname" | "getpeername"): RawAddress | undefined {
    const buffer = new Uint8Array(ADDRESS_BYTES);
    const length = new Uint32Array([ADDRESS_BYTES]);
    if (this.#library.symbols[which](BigInt(socket), buffer, bytesOf(length)) !== 0) {
      return undefined;
    }
    const view = new DataView(buffer.buffer);
    const { offset, bytes: width } = this.system.familyField;
    const family = width === 1 ? view.getUint8(offset) : view.getUint16(offset, true);
    return { family, port: view.getUint16(2), bytes: buffer.subarray(0, length[0]) };
  }

  /** Returns the path that a Unix socket is bound to; undefined for other sockets and files. */
  unixPath(socket: number): string | undefined {
    const address = this.address(socket, "getsockname");
    if (address?.family !== this.system.family.unix) return undefined;
    const path = address.bytes.subarray(UNIX_PATH_OFFSET);
    const end = path.indexOf(0);
    return new TextDecoder().decode(end < 0 ? path : path.subarray(0, end));
  }

  /** Returns whether a socket listens. */
  isListening(socket: number): boolean {
    const { level, option } = this.system.acceptsConnections;
    const value = new Int32Array(1);
    const length = bytesOf(new Uint32Array([4]));
    const { getsockopt } = this.#library.symbols;
    return getsockopt(BigInt(socket), level, option, bytesOf(value), length) === 0 &&
      value[0] !== 0;
  }

  /** Returns the bytes of an option; undefined if the system does not have it. */
  readOption(
    socket: number,
    { level, option }: SocketOption,
    length: number,
  ): Uint8Array<ArrayBuffer> | undefined {
    const value = new Uint8Array(length);
    const size = new Uint32Array([length]);
    const { getsockopt } = this.#library.symbols;
    const isRead = getsockopt(BigInt(socket), level, option, value, bytesOf(size)) === 0;
    return isRead && size[0] === length ? value : undefined;
  }

  /** Sets an option; returns whether the system accepted it. */
  setOption(socket: number, { level, option }: SocketOption, value: number): boolean {
    const bytes = bytesOf(new Int32Array([value]));
    return this.#library.symbols.setsockopt(BigInt(socket), level, option, bytes, 4) === 0;
  }

  /** Ends a connection in both directions. */
  shutdown(socket: number): void {
    this.#library.symbols.shutdown(BigInt(socket), BOTH_DIRECTIONS);
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }
}

/** Sockets of this process that belong to a listening port. */
export class ServerSockets {
  constructor(private readonly calls: SocketCalls, private readonly port: number) {}

  /**
   * Sets the IP hop limit on the listening sockets; accepted connections inherit it. Throws `listen` if
   * that is not possible.
   */
  setHopLimit(hops: number): void {
    const { timeToLive, unicastHops, family } = this.calls.system;
    let done = 0;
    for (const { socket, address } of this.#sockets()) {
      if (!this.calls.isListening(socket)) continue;
      // On an IPv6 socket this succeeds only if it accepts IPv4 connections too.
      const ipv4 = this.calls.setOption(socket, timeToLive, hops);
      const ipv6 = address.family === family.ipv6 &&
        this.calls.setOption(socket, unicastHops, hops);
      if (address.family === family.ipv6 ? ipv6 : ipv4) done += 1;
    }
    if (done === 0) {
      throw new HelperError(
        "listen",
        "--hop-limit cannot be set on this system; nothing is served",
      );
    }
  }

  /** Returns whether a socket still listens on the port. */
  isListening(): boolean {
    for (const { socket } of this.#sockets()) if (this.calls.isListening(socket)) return true;
    return false;
  }

  /** Returns the open connections. */
  connections(): ServerConnection[] {
    const found: ServerConnection[] = [];
    for (const { socket } of this.#sockets()) {
      const peer = this.calls.address(socket, "getpeername");
      if (peer) found.push({ socket, clientPort: peer.port });
    }
    return found;
  }

  /** Ends a connection in both directions; the server then closes it. */
  end(connection: ServerConnection): void {
    this.calls.shutdown(connection.socket);
  }

  *#sockets(): Generator<{ socket: number; address: RawAddress }> {
    const { ipv4, ipv6 } = this.calls.system.family;
    for (const socket of this.calls.numbers()) {
      const address = this.calls.address(socket, "getsockname");
      if (address?.port === this.port && [ipv4, ipv6].includes(address.family)) {
        yield { socket, address };
      }
    }
  }
}

function bytesOf(array: ArrayBufferView<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
