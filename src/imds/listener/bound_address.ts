/**
 * Checks with the kernel that the server listens on the requested address and nowhere else. The runtime
 * may report the requested address instead.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import type { BindAddress } from "./bind_address.ts";
import type { RawAddress, SocketCalls } from "./sockets.ts";

/** Returns the numbers of this process's listening sockets. */
export function listeningSockets(calls: SocketCalls): ReadonlySet<number> {
  return new Set(calls.numbers().filter((socket) => calls.isListening(socket)));
}

/**
 * Returns the number of the only listening socket that is not in `before`. Throws `listen` unless there is exactly
 * one, bound to `bind`. A port of 0 matches any. The message has the address that the user asked for.
 */
export function checkBound(
  calls: SocketCalls,
  before: ReadonlySet<number>,
  bind: BindAddress,
  asked: BindAddress = bind,
): number {
  const sockets = [...listeningSockets(calls)].filter((socket) => !before.has(socket));
  const bound = sockets.map((socket) => parseAddress(calls.address(socket, "getsockname"), calls));
  const [socket] = sockets;
  const [first, ...others] = bound;
  const isRight = others.length === 0 && first !== undefined && isExpected(first, bind);
  if (isRight && socket !== undefined) return socket;
  const requested = formatAddress(asked);
  const found = bound.map(formatAddress).join(", ") || "nothing";
  throw new HelperError(
    "listen",
    `--bind ${requested}: the process listens on ${found} instead; nothing is served`,
  );
}

function isExpected(bound: BindAddress, bind: BindAddress): boolean {
  if (bound.kind === "unix" || bind.kind === "unix") {
    return bound.kind === "unix" && bind.kind === "unix" && bound.path === bind.path;
  }
  return bound.address === bind.address && (bind.port === 0 || bound.port === bind.port);
}

function formatAddress(bound: BindAddress): string {
  return bound.kind === "unix" ? bound.path : `${bound.address} port ${bound.port}`;
}

/** Offsets of the fields of `sockaddr_in`, `sockaddr_in6` and `sockaddr_un`, in bytes. */
const FIELDS = { ipv4: 4, ipv6: 8, path: 2 } as const;

function parseAddress(address: RawAddress | undefined, { system }: SocketCalls): BindAddress {
  const { family } = system;
  if (address?.family === family.ipv4) {
    const bytes = address.bytes.subarray(FIELDS.ipv4, FIELDS.ipv4 + 4);
    return { kind: "ip", address: bytes.join("."), port: address.port };
  }
  if (address?.family === family.ipv6) {
    const bytes = address.bytes.subarray(FIELDS.ipv6, FIELDS.ipv6 + 16);
    return { kind: "ip", address: ipv6Text(bytes), port: address.port };
  }
  if (address?.family === family.unix) {
    const path = address.bytes.subarray(FIELDS.path);
    const end = path.indexOf(0);
    return { kind: "unix", path: new TextDecoder().decode(end < 0 ? path : path.subarray(0, end)) };
  }
  return { kind: "unix", path: "a socket of another kind" };
}

/** Returns the shortest form, as in `BindAddress`. */
function ipv6Text(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => {
    const [high = 0, low = 0] = bytes.subarray(2 * i);
    return (256 * high + low).toString(16);
  });
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}
