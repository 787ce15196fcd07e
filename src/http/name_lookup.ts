/**
 * Names by the system's resolver, all addresses of each.
 *
 * @module
 */
import dns from "node:dns/promises";

/** All addresses of `hostname`, in the system's order. Throws what the resolver says. */
export async function lookup(hostname: string): Promise<readonly string[]> {
  const answers = await dns.lookup(hostname, { all: true, order: "verbatim" });
  return answers.map(({ address }) => address);
}
