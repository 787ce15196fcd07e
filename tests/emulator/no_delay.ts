/**
 * TCP_NODELAY for a TLS listener, as set by servers of HTTPS. Deno cannot set it there, and writes
 * each record by itself. The rest of its part of a handshake then waits until the client
 * acknowledges the first record. This takes 40 ms more often than not.
 *
 * @module
 */

const SYMBOLS = {
  // int getsockname(int socket, struct sockaddr *address, socklen_t *length)
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  // int setsockopt(int socket, int level, int option, const void *value, socklen_t length)
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Linux' numbers, netinet/in.h and netinet/tcp.h. */
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;

/**
 * Lets connections to the listener on `port` send without delay: they inherit the option from it.
 * Does nothing on other systems than Linux. Throws if no socket of this process has that port.
 */
export function sendWithoutDelay(port: number): void {
  if (Deno.build.os !== "linux") return;
  const library = Deno.dlopen("libc.so.6", SYMBOLS);
  try {
    const done = socketsAt(port, library)
      .filter((socket) => {
        const one = new Int32Array([1]);
        return library.symbols.setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, one, 4) === 0;
      });
    if (done.length === 0) throw new Error(`no socket listens on port ${port}`);
  } finally {
    library.close();
  }
}

/** Returns this process's sockets with that local port. */
function socketsAt(port: number, { symbols }: Deno.DynamicLibrary<typeof SYMBOLS>): number[] {
  return [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => Number(name)).filter((socket) => {
    const address = new DataView(new ArrayBuffer(128));
    const length = new Uint32Array([address.byteLength]);
    return symbols.getsockname(socket, address, length) === 0 && address.getUint16(2) === port;
  });
}
