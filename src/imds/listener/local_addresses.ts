/**
 * Addresses of this machine. The loopback interface can have other addresses than loopback, such as
 * 169.254.169.254 on `lo`. Other machines reach them too: Linux answers ARP for them on every
 * network.
 *
 * @module
 */

/** Returns whether the address is on the interface with the loopback addresses. */
export function isOnLoopbackInterface(address: string): boolean {
  const interfaces = Deno.networkInterfaces();
  const loopback = interfaces.filter((each) => each.address === "127.0.0.1")
    .map(({ name }) => name);
  return interfaces.some((each) => each.address === address && loopback.includes(each.name));
}

/** Returns whether the address belongs to this machine. */
export function isLocalAddress(address: string): boolean {
  return address.startsWith("127.") ||
    Deno.networkInterfaces().some((each) => each.address === address);
}
