/**
 * TCP connection to a name with several addresses (RFC 8305, "Happy Eyeballs"). Some may not be
 * reachable, such as an IPv6 address on a network without IPv6.
 *
 * @module
 */
import { withOperationTimeout } from "../timeout.ts";

/** Network functions. */
export interface NetworkDeps {
  /** Connects to an address, or to the first address of a name. */
  connect(hostname: string, port: number): Promise<Deno.TcpConn>;
  /** Returns all addresses of a name, in the system's order. */
  resolve(hostname: string): Promise<readonly string[]>;
}

/** Network functions of the system. */
const SYSTEM_NETWORK: NetworkDeps = {
  // Without an AbortSignal: Deno leaks its resources if the connection fails.
  connect: (hostname, port) => Deno.connect({ hostname, port }),
  async resolve(hostname) {
    const { lookup } = await import("./name_lookup.ts");
    return await lookup(hostname);
  },
};

/** Delay after which the next attempt starts, milliseconds (RFC 8305 section 5). */
export const NEXT_ATTEMPT_DELAY = 250;

/**
 * Connects to the first address of `hostname`. If that fails or is slow, also connects to the
 * others, those of the other family first. Returns the first open connection and closes the others.
 *
 * Throws the error of the first address if all of them fail.
 */
export async function connectTcp(
  hostname: string,
  port: number,
  network: NetworkDeps = SYSTEM_NETWORK,
): Promise<Deno.TcpConn> {
  const first = network.connect(hostname, port);
  const attempts = [first];
  let connection = await firstConnection(attempts);
  // If the first address is reachable at once, the name is not looked up again.
  const others = connection ? [] : await otherAddresses(hostname, network);
  for (const address of others) {
    attempts.push(network.connect(address, port));
    connection = await firstConnection(attempts);
    if (connection) break;
  }
  const winner = connection ?? await Promise.any(attempts).catch(() => first);
  for (const attempt of attempts) {
    attempt.then((late) => late === winner || late.close(), () => {});
  }
  return winner;
}

/** Returns the first connection; undefined if the last attempt failed, or after the delay. */
async function firstConnection(
  attempts: readonly Promise<Deno.TcpConn>[],
): Promise<Deno.TcpConn | undefined> {
  const any = Promise.any(attempts).catch(() => undefined);
  const last = attempts.at(-1)?.catch(() => undefined);
  return await withOperationTimeout(Promise.race([any, last]), NEXT_ATTEMPT_DELAY, () => undefined);
}

/** Returns the other addresses, then the first one again, because DNS responses rotate. */
async function otherAddresses(hostname: string, network: NetworkDeps): Promise<readonly string[]> {
  const [first, ...rest] = await network.resolve(hostname).catch(() => []);
  if (first === undefined || rest.length === 0) return [];
  const isLikeFirst = (address: string) => address.includes(":") === first.includes(":");
  return [
    ...rest.filter((address) => !isLikeFirst(address)),
    ...rest.filter(isLikeFirst),
    first,
  ];
}
