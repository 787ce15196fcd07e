/**
 * Constants of each system's socket functions
 * (`<sys/socket.h>`, `<netinet/in.h>`, `winsock2.h`, `ws2ipdef.h`).
 *
 * @module
 */

/** One system's library and constants. */
export interface SocketSystem {
  /** Library with the functions. */
  readonly library: string;
  /** AF_INET, AF_INET6 and AF_UNIX. */
  readonly family: { readonly ipv4: number; readonly ipv6: number; readonly unix: number };
  /** Offset and width of the family in a `sockaddr`, in bytes. */
  readonly familyField: { readonly offset: number; readonly bytes: 1 | 2 };
  /** SOL_SOCKET and SO_ACCEPTCONN: true for a listening socket. */
  readonly acceptsConnections: { readonly level: number; readonly option: number };
  /** IPPROTO_IP and IP_TTL. */
  readonly timeToLive: { readonly level: number; readonly option: number };
  /** IPPROTO_IPV6 and IPV6_UNICAST_HOPS. */
  readonly unicastHops: { readonly level: number; readonly option: number };
  /** SO_PEERCRED and SO_COOKIE, which only Linux has. */
  readonly peers?: {
    readonly level: number;
    readonly credentials: number;
    readonly cookie: number;
  };
  /** Possible socket numbers: consecutive descriptors, or handles, which are multiples of four. */
  readonly numbers: { readonly step: 1 | 4; readonly max: number };
}

/** The systems that the program is built for, by `Deno.build.os`. */
export const SOCKET_SYSTEMS: Readonly<Record<string, SocketSystem>> = {
  linux: {
    library: "libc.so.6",
    family: { ipv4: 2, ipv6: 10, unix: 1 },
    familyField: { offset: 0, bytes: 2 },
    acceptsConnections: { level: 1, option: 30 },
    timeToLive: { level: 0, option: 2 },
    unicastHops: { level: 41, option: 16 },
    peers: { level: 1, credentials: 17, cookie: 57 },
    numbers: { step: 1, max: 1 << 20 },
  },
  darwin: {
    library: "/usr/lib/libSystem.B.dylib",
    family: { ipv4: 2, ipv6: 30, unix: 1 },
    familyField: { offset: 1, bytes: 1 },
    acceptsConnections: { level: 0xffff, option: 0x0002 },
    timeToLive: { level: 0, option: 4 },
    unicastHops: { level: 41, option: 4 },
    numbers: { step: 1, max: 10_240 },
  },
  windows: {
    library: "ws2_32.dll",
    family: { ipv4: 2, ipv6: 23, unix: 1 },
    familyField: { offset: 0, bytes: 2 },
    acceptsConnections: { level: 0xffff, option: 0x0002 },
    timeToLive: { level: 0, option: 4 },
    unicastHops: { level: 41, option: 4 },
    numbers: { step: 4, max: 1 << 16 },
  },
};
