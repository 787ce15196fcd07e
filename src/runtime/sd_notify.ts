/**
 * Service notification for systemd (sd_notify(3)): one datagram to the socket in NOTIFY_SOCKET. It uses
 * the C library, because Deno does not have such sockets.
 *
 * @module
 */

const SYMBOLS = {
  // int socket(int domain, int type, int protocol)
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  // ssize_t sendto(int socket, const void *message, size_t length, int flags,
  //   const struct sockaddr *address, socklen_t address_length)
  sendto: {
    parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"],
    result: "isize",
  },
  // int close(int descriptor)
  close: { parameters: ["i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const MSG_NOSIGNAL = 0x4000;
/** sizeof(sockaddr_un.sun_path) */
const MAX_PATH_BYTES = 108;

/** Function that sends a state such as `READY=1`; returns whether it was sent. Linux only. */
export type Notify = (state: string) => boolean;

/**
 * Returns the sender for a socket: an absolute path, or `@` and a name in the abstract namespace.
 * Without a socket nothing is sent. Failures are not errors: the service runs without notification.
 */
export function systemdNotifier(socket: string | undefined): Notify {
  if (!socket || Deno.build.os !== "linux" || !/^[/@]/.test(socket)) return () => false;
  const path = new TextEncoder().encode(socket);
  if (path.length > MAX_PATH_BYTES) return () => false;
  const address = new Uint8Array(2 + path.length);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(path, 2);
  if (socket.startsWith("@")) address[2] = 0;
  return (state) => {
    using library = new LibraryOnUse();
    return library.send(address, new TextEncoder().encode(state));
  };
}

class LibraryOnUse implements Disposable {
  readonly #library = Deno.dlopen("libc.so.6", SYMBOLS);

  send(address: Uint8Array<ArrayBuffer>, message: Uint8Array<ArrayBuffer>): boolean {
    const { socket, sendto, close } = this.#library.symbols;
    const descriptor = socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
    if (descriptor < 0) return false;
    const sent = sendto(
      descriptor,
      message,
      BigInt(message.length),
      MSG_NOSIGNAL,
      address,
      address.length,
    );
    close(descriptor);
    return Number(sent) === message.length;
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }
}
