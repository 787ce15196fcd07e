/**
 * Host header check. A web page whose name was changed to resolve to this machine (DNS rebinding)
 * sends that name and is refused. An address cannot be rebound, so every address literal is allowed.
 *
 * @module
 */
import { HelperError, refusedValue } from "../errors.ts";
import { isIpv4 } from "./listener/bind_address.ts";

/** Letters, digits, hyphens and underscores (Docker's service names have them), in labels. */
const NAME = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/;
/** DNS's limit for a name. */
const MAX_NAME_LENGTH = 253;

/**
 * Returns a function that checks the authority of a request: `host` or `host:port`. It allows address
 * literals, `localhost` and these names, in upper or lower case, with or without a trailing dot.
 */
export function hostCheck(names: readonly string[]): (authority: string) => boolean {
  const allowed = new Set(["localhost", ...names.map(normalizeHost)]);
  return (authority) => {
    if (isIpv6(authority)) return true; // `::1` without brackets, as AWS's Common Runtime sends it
    const host = hostOf(authority);
    return host !== undefined && (allowed.has(host) || isIpv4(host) || isIpv6(host));
  };
}

/** Returns the text of a 403 for this authority. It repeats the host only if that is a name. */
export function hostRefusal(authority: string): string {
  const host = hostOf(authority) ?? "";
  return isName(host)
    ? `Host ${host}: not a name of this endpoint; start serve with --allow-host ${host}`
    : "Host: not a name of this endpoint; start serve with --allow-host NAME";
}

/**
 * Returns the names of `--allow-host`. A text may hold several, separated by commas or blanks, because
 * an environment variable holds all of them. Throws `usage` for anything else.
 */
export function parseHostNames(texts: readonly string[], source: string): string[] {
  return texts.flatMap((text) => text.split(/[\s,]+/)).filter((text) => text !== "").map((text) => {
    const name = normalizeHost(text);
    if (isName(name) || isIpv6(name)) return name;
    throw new HelperError(
      "usage",
      `${source}${refusedValue(text)}: not a host name; use one without scheme, port or wildcard`,
    );
  });
}

/** Returns the host of `host`, `host:port` or `[IPv6]:port`; undefined if there is none. */
function hostOf(authority: string): string | undefined {
  const [, bracketed, host] = /^(?:\[([^\]@/]+)\]|([^:@/[\]\s]+))(?::\d{0,5})?$/.exec(authority) ??
    [];
  if (bracketed !== undefined) return isIpv6(bracketed) ? bracketed : undefined;
  return host === undefined ? undefined : normalizeHost(host);
}

function normalizeHost(host: string): string {
  return host.toLowerCase().replace(/\.$/, "");
}

function isName(text: string): boolean {
  return text.length <= MAX_NAME_LENGTH && NAME.test(text);
}

/** Returns true for an IPv6 address without brackets, with or without a zone (`fe80::1%eth0`). */
export function isIpv6(text: string): boolean {
  const address = text.replace(/%[\w.~-]+$/, "");
  return /^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(address) && URL.canParse(`http://[${address}]`);
}
