/**
 * Name lookup by the system's resolver. A separate file, because it is imported only when a second
 * address is needed: `node:dns` would slow down the start.
 *
 * @module
 */
import dns from "node:dns/promises";

/** Returns all addresses of `hostname`, in the system's order. Throws the resolver's error. */
export async function lookup(hostname: string): Promise<readonly string[]> {
  const addresses = await dns.lookup(hostname, { all: true, order: "verbatim" });
  return addresses.map(({ address }) => address);
}
