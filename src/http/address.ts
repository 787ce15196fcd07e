/**
 * Address literals and the networks they are in (RFC 4632, RFC 4291 section 2.3). Pure.
 *
 * @module
 */
import { bareHost } from "./url_parts.ts";

/**
 * Returns true when `host` is an address in `network`, which is an address or `address/bits`. Names
 * and malformed networks never match.
 */
export function isInNetwork(host: string, network: string): boolean {
  const [prefix = "", bits, ...more] = network.split("/");
  const [address, base] = [addressBits(host), addressBits(bareHost(prefix))];
  if (!address || !base || address.length !== base.length || more.length > 0) return false;
  const length = bits === undefined
    ? base.length
    : /^\d{1,3}$/.test(bits)
    ? Number(bits)
    : Infinity;
  return length <= base.length && address.slice(0, length) === base.slice(0, length);
}

/** Returns the bits of an IPv4 or IPv6 address as text; undefined for anything else. */
function addressBits(text: string): string | undefined {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) {
    const bytes = text.split(".").map(Number);
    return bytes.some((byte) => byte > 255) ? undefined : binary(bytes, 8);
  }
  if (!text.includes(":") || !URL.canParse(`http://[${text}]`)) return undefined;
  // The URL parser writes any form as groups in hex with the longest run of zeros left out.
  const [left = "", right] = new URL(`http://[${text}]`).hostname.slice(1, -1).split("::");
  const groups = (part: string) =>
    part === "" ? [] : part.split(":").map((hex) => parseInt(hex, 16));
  const [first, last] = [groups(left), groups(right ?? "")];
  const zeros = right === undefined ? 0 : 8 - first.length - last.length;
  return binary([...first, ...new Array<number>(zeros).fill(0), ...last], 16);
}

function binary(numbers: readonly number[], width: number): string {
  return numbers.map((number) => number.toString(2).padStart(width, "0")).join("");
}
