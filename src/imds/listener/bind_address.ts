/**
 * Where the endpoint listens: `--bind`, `--port`, and the rules against handing credentials to the
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

/**
 * Parses `--bind`: an IPv4 or IPv6 address (brackets allowed), `localhost`, or a path for a Unix
 * socket, which is told by its slash.
 *
 * Off loopback every machine on the way could ask for credentials: `usage`, unless packets go no
 * further than one hop or `allowRemote` says that this is meant.
 */
export function parseBindAddress(
  text: string,
  port: number,
  { hopLimit, allowRemote }: { hopLimit: number; allowRemote: boolean },
): BindAddress {
  if (text.includes("/")) return { kind: "unix", path: text.replace(/^unix:/, "") };
  const bare = text.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  const address = bare === "localhost" ? "127.0.0.1" : isIpv4(bare) ? bare : canonicalIpv6(bare);
  if (address === undefined) {
    throw new HelperError(
      "usage",
      `--bind${refusedValue(text)} must be an IPv4 or IPv6 address or the path of a Unix socket`,
    );
  }
  if (!isLoopback(address) && hopLimit !== 1 && !allowRemote) {
    throw new HelperError(
      "usage",
      `--bind ${address} would hand credentials to other machines; add --hop-limit 1, so that answers ` +
        "go no further than this machine's own network, or --allow-remote",
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

/** The shortest form, as URLs and Host headers have it. */
function canonicalIpv6(text: string): string | undefined {
  if (!/^[0-9a-f:.]+$/.test(text) || !text.includes(":")) return undefined;
  return URL.canParse(`http://[${text}]`)
    ? new URL(`http://[${text}]`).hostname.slice(1, -1)
    : undefined;
}

/** Returns the URL of the endpoint, without a trailing slash: paths are appended to it. */
export function endpointUrl({ address, port }: { address: string; port: number }): string {
  // What is bound to every address is reached by that of loopback.
  const reached = { "0.0.0.0": "127.0.0.1", "::": "::1" }[address] ?? address;
  return `http://${reached.includes(":") ? `[${reached}]` : reached}:${port}`;
}
