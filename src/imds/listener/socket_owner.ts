/**
 * User of this machine that owns a loopback connection, from the kernel by sock_diag(7). Linux only.
 *
 * @module
 */

const SYMBOLS = {
  // int socket(int domain, int type, int protocol)
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  // ssize_t send(int socket, const void *message, size_t length, int flags)
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  // ssize_t recv(int socket, void *buffer, size_t length, int flags)
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  // int close(int descriptor)
  close: { parameters: ["i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_SOCK_DIAG = 4;
const MSG_DONTWAIT = 0x40;
const IPPROTO_TCP = 6;

/** Offsets of the fields of `struct nlmsghdr` and `struct inet_diag_req_v2`, in bytes. */
const REQUEST = {
  bytes: 72,
  length: 0,
  type: 4,
  flags: 6,
  sequence: 8,
  family: 16,
  protocol: 17,
  states: 20,
  sourcePort: 24,
  destinationPort: 26,
  source: 28,
  destination: 44,
  cookie: 64,
} as const;
const SOCK_DIAG_BY_FAMILY = 20;
const NLM_F_REQUEST = 1;
/** `struct nlmsghdr` and `struct inet_diag_msg`. `ends` has both ports and both addresses. */
const REPLY = { min: 88, type: 4, sequence: 8, state: 17, ends: 20, user: 80, inode: 84 } as const;
/** Ports and addresses in a request and a reply, in the same layout. */
const ENDS_BYTES = 36;
/** The kernel looks for a listener if there is no connection. */
const TCP_LISTEN = 10;

/** One end of a connection. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** Returns the request to the kernel for the socket whose local end is `client`. Pure. */
export function ownerRequest(
  client: Endpoint,
  server: Endpoint,
  sequence = 0,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(REQUEST.bytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(REQUEST.length, REQUEST.bytes, true);
  view.setUint16(REQUEST.type, SOCK_DIAG_BY_FAMILY, true);
  view.setUint16(REQUEST.flags, NLM_F_REQUEST, true);
  view.setUint32(REQUEST.sequence, sequence, true);
  bytes[REQUEST.family] = client.address.includes(":") ? AF_INET6 : AF_INET;
  bytes[REQUEST.protocol] = IPPROTO_TCP;
  view.setUint32(REQUEST.states, 0xffffffff, true);
  view.setUint16(REQUEST.sourcePort, client.port);
  view.setUint16(REQUEST.destinationPort, server.port);
  bytes.set(addressBytes(client.address), REQUEST.source);
  bytes.set(addressBytes(server.address), REQUEST.destination);
  bytes.fill(0xff, REQUEST.cookie); // any cookie
  return bytes;
}

/**
 * Returns the owner in the kernel's reply; undefined if it is not the reply for this connection. A
 * socket that its program has closed has no inode, and the kernel then reports root. Pure.
 */
export function ownerOf(reply: Uint8Array<ArrayBuffer>, request: Uint8Array): number | undefined {
  if (reply.length < REPLY.min) return undefined;
  const view = new DataView(reply.buffer, reply.byteOffset);
  if (view.getUint16(REPLY.type, true) !== SOCK_DIAG_BY_FAMILY) return undefined;
  if (view.getUint8(REPLY.state) === TCP_LISTEN) return undefined;
  if (view.getUint32(REPLY.inode, true) === 0) return undefined;
  const isSame = reply.subarray(REPLY.ends, REPLY.ends + ENDS_BYTES)
    .every((byte, i) => byte === request[REQUEST.sourcePort + i]);
  return isSame ? view.getUint32(REPLY.user, true) : undefined;
}

/** Looks up the owners of connections. */
export class SocketOwners implements Disposable {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS> | undefined;
  readonly #socket: number = -1;
  #sequence = 0;

  /** On systems without sock_diag, every owner is unknown. */
  constructor() {
    if (Deno.build.os !== "linux") return;
    this.#library = Deno.dlopen("libc.so.6", SYMBOLS);
    this.#socket = this.#library.symbols.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_SOCK_DIAG);
  }

  /** Returns the user's number; undefined if it is unknown. */
  userOf(client: Endpoint, server: Endpoint): number | undefined {
    if (!this.#library || this.#socket < 0) return undefined;
    const { send, recv } = this.#library.symbols;
    const request = ownerRequest(client, server, ++this.#sequence);
    if (Number(send(this.#socket, request, BigInt(request.length), 0)) !== request.length) {
      return undefined;
    }
    const reply = new Uint8Array(4096);
    for (;;) {
      // The kernel has replied before `send` returns.
      const length = Number(recv(this.#socket, reply, BigInt(reply.length), MSG_DONTWAIT));
      if (length <= 0) return undefined;
      const isOfRequest = new DataView(reply.buffer).getUint32(REPLY.sequence, true) ===
        this.#sequence;
      if (isOfRequest) return ownerOf(reply.subarray(0, length), request);
    }
  }

  [Symbol.dispose](): void {
    if (this.#socket >= 0) this.#library?.symbols.close(this.#socket);
    this.#library?.close();
  }
}

function addressBytes(address: string): number[] {
  if (!address.includes(":")) return address.split(".").map(Number);
  const [left = "", right] = address.split("::");
  const groups = (part: string) => part === "" ? [] : part.split(":").map((g) => parseInt(g, 16));
  const [head, tail] = [groups(left), groups(right ?? "")];
  const zeros = Array<number>(Math.max(0, 8 - head.length - tail.length)).fill(0);
  return [...head, ...zeros, ...tail].flatMap((group) => [group >> 8, group & 0xff]);
}
