/**
 * Listening address of the endpoint: `--bind`, `--port`, and the rules that keep credentials off the
 * network. Pure.
 *
 * @module
 */
import { HelperError, refusedValue } from "../../errors.ts";

/** An address and port, or the path of a Unix socket. */
export type BindAddress =
  | { readonly kind: "ip"; readonly address: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

const IPV4 = /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/;
const LOOPBACK = /^127\.|^::1$/;
/** URL, except `unix://`. */
const URL_TEXT = /^(?!unix:)[a-z][a-z0-9+.-]*:\/\//i;
/** Address with a port: `127.0.0.1:80`, `localhost:80`, `[::1]:80`. */
const WITH_PORT = /^([^:]+|\[.*\]):\d{1,5}$/;

/** Rules for an address, and the flag or variable that has it, `--bind` by default. */
export interface BindRules {
  readonly hopLimit: number;
  readonly allowRemote: boolean;
  readonly source?: string;
}

/**
 * Parses `--bind`: an IPv4 or IPv6 address (brackets allowed), `localhost`, or a Unix socket. The
 * path of a socket contains a slash.
 *
 * Throws `usage` with `source` for other text. Throws it too for an address off loopback, unless the
 * hop limit is 1 or `allowRemote` is set. Other machines could request credentials there.
 */
export function parseBindAddress(
  text: string,
  port: number,
  { hopLimit, allowRemote, source = "--bind" }: BindRules,
): BindAddress {
  const refuse = (reason: string) => new HelperError("usage", `${source}${reason}`);
  if (URL_TEXT.test(text)) {
    throw refuse(" is a URL; write the IP address only, and its port with --port");
  }
  if (text.includes("/")) return { kind: "unix", path: text.replace(/^unix:/, "") };
  const bare = text.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  const address = bare === "localhost" ? "127.0.0.1" : isIpv4(bare) ? bare : canonicalIpv6(bare);
  if (address === undefined) {
    if (WITH_PORT.test(text)) {
      throw refuse(" has a port; write the address only, and the port with --port");
    }
    throw refuse(
      `${refusedValue(text)} is not an address; ` +
        "write an IP address, localhost, or a socket's path with a slash",
    );
  }
  if (!isLoopback(address) && hopLimit !== 1 && !allowRemote) {
    throw refuse(
      ` ${address} would send credentials to other machines; add --hop-limit 1 (this ` +
        "machine's own network only) or --allow-remote",
    );
  }
  return { kind: "ip", address, port };
}

/** Returns true for 127.0.0.0/8 and ::1. */
export function isLoopback(address: string): boolean {
  return LOOPBACK.test(address);
}

/** Returns true for four decimal numbers of at most 255. */
export function isIpv4(text: string): boolean {
  return IPV4.test(text);
}

/** Returns the shortest form, as in URLs and Host headers; undefined for other text. */
function canonicalIpv6(text: string): string | undefined {
  if (!/^[0-9a-f:.]+$/.test(text) || !text.includes(":")) return undefined;
  return URL.canParse(`http://[${text}]`)
    ? new URL(`http://[${text}]`).hostname.slice(1, -1)
    : undefined;
}

/** Returns the URL of the endpoint, without a trailing slash: paths are appended to it. */
export function endpointUrl({ address, port }: { address: string; port: number }): string {
  // A socket bound to every address is reached through loopback.
  const reached = { "0.0.0.0": "127.0.0.1", "::": "::1" }[address] ?? address;
  return `http://${reached.includes(":") ? `[${reached}]` : reached}:${port}`;
}
