/**
 * A TCP connection to a name with several addresses of which some may lead nowhere, such as an IPv6
 * address on a network without IPv6 (RFC 8305, "Happy Eyeballs").
 *
 * @module
 */
import { withTimeout } from "../timeout.ts";

/** What the network is asked for. */
export interface Network {
  /** A connection to an address, or to the first address of a name. */
  connect(hostname: string, port: number): Promise<Deno.TcpConn>;
  /** All addresses of a name, in the system's order. */
  addressesOf(hostname: string): Promise<readonly string[]>;
}

/** The system's. */
export const SYSTEM_NETWORK: Network = {
  // Not with a signal: Deno keeps what belongs to it when the connection fails.
  connect: (hostname, port) => Deno.connect({ hostname, port }),
  async addressesOf(hostname) {
    const { lookup } = await import("./name_lookup.ts");
    return await lookup(hostname);
  },
};

/** An attempt that has not succeeded after so long is joined by the next, milliseconds (section 5). */
export const NEXT_ATTEMPT_DELAY = 250;

/**
 * Connects to the first address of `hostname` and, when that fails or is slow, to the others beside
 * it, the other family's first. The first connection that stands is given, the others are closed.
 *
 * Throws what the first address gave when all of them fail.
 */
export async function connectTcp(
  hostname: string,
  port: number,
  network: Network = SYSTEM_NETWORK,
): Promise<Deno.TcpConn> {
  const first = network.connect(hostname, port);
  const attempts = [first];
  let connection = await firstOf(attempts);
  // A name whose first address answers at once is not looked up a second time.
  const others = connection ? [] : await otherAddresses(hostname, network);
  for (const address of others) {
    attempts.push(network.connect(address, port));
    connection = await firstOf(attempts);
    if (connection) break;
  }
  const winner = connection ?? await Promise.any(attempts).catch(() => first);
  for (const attempt of attempts) {
    attempt.then((late) => late === winner || late.close(), () => {});
  }
  return winner;
}

/** The first connection; undefined when the last attempt failed, or none stands in time. */
async function firstOf(
  attempts: readonly Promise<Deno.TcpConn>[],
): Promise<Deno.TcpConn | undefined> {
  const any = Promise.any(attempts).catch(() => undefined);
  const last = attempts.at(-1)?.catch(() => undefined);
  return await withTimeout(Promise.race([any, last]), NEXT_ATTEMPT_DELAY, () => undefined);
}

/** The addresses to try after the first one, which comes again at the end: names' answers rotate. */
async function otherAddresses(hostname: string, network: Network): Promise<readonly string[]> {
  const [first, ...rest] = await network.addressesOf(hostname).catch(() => []);
  if (first === undefined || rest.length === 0) return [];
  const isLikeFirst = (address: string) => address.includes(":") === first.includes(":");
  return [
    ...rest.filter((address) => !isLikeFirst(address)),
    ...rest.filter(isLikeFirst),
    first,
  ];
}
