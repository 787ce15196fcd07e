/**
 * Which Host a request may name. A web page whose name was made to point at this machine (DNS
 * rebinding) asks with that name, and is refused.
 *
 * @module
 */

/** Names and addresses of the machine itself. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/;
const ADDRESS = /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f:.]*:[0-9a-f:.]*)$/;
/** Addresses that stand for every address of the machine. */
const EVERY_ADDRESS: readonly string[] = ["0.0.0.0", "::"];

/**
 * Makes the check for a server that is bound to `address` (no brackets). Bound to every address, it
 * takes any literal address, as a name is what rebinding needs.
 */
export function hostCheck(address: string): (authority: string) => boolean {
  const isAllowed = (authority: string): boolean => {
    const host = hostOf(authority);
    if (host === undefined) return false;
    if (LOOPBACK.test(host) || host === address) return true;
    return EVERY_ADDRESS.includes(address) && ADDRESS.test(host);
  };
  // Clients name the same host again and again.
  let last = { authority: "", allowed: false };
  return (authority) => {
    if (authority !== last.authority) last = { authority, allowed: isAllowed(authority) };
    return last.allowed;
  };
}

/** The host of `host`, `host:port` or `[address]:port`, in lower case; undefined when it is none. */
function hostOf(authority: string): string | undefined {
  const match = /^(?:\[([^\]@/]+)\]|([^:@/[\]\s]+))(?::\d{1,5})?$/.exec(authority.toLowerCase());
  return match?.[1] ?? match?.[2];
}
