/**
 * Host header syntax (RFC 9112 section 3.2, RFC 3986 section 3.2.2). `host_check.ts` decides which valid
 * hosts are allowed. Pure.
 *
 * @module
 */
import { isIpv4 } from "./listener/bind_address.ts";
import { isIpv6 } from "./host_check.ts";

const MAX_PORT = 65_535;
/** Unreserved characters, sub-delimiters and percent escapes. */
const NAME = /^(?:[a-z0-9._~!$&'()*+,;=-]|%[0-9a-f]{2})+$/i;
/** Last label that makes a host an IPv4 address (URL Standard). */
const NUMERIC_LABEL = /(?:^|\.)(?:\d+|0x[0-9a-f]*)\.?$/i;

/**
 * Returns a function that checks the value of a request's Host headers. Several headers are joined by
 * ", ", which no valid host contains; null means no header.
 */
export function hostHeaderCheck(): (value: string | null) => boolean {
  // Clients repeat the same host. Worth about 10 % of requests per second (tests/bench/cells.ts).
  let last: { value: string | null; valid: boolean } = { value: null, valid: false };
  return (value) => {
    if (value !== last.value) last = { value, valid: value !== null && isValidHost(value) };
    return last.valid;
  };
}

/** Returns true for `host`, `host:port`, `[IPv6]:port`, and IPv6 without brackets. */
function isValidHost(value: string): boolean {
  if (isIpv6(value)) return true; // as AWS's Common Runtime sends it
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d{0,5}))?$/.exec(value);
  if (!match || Number(match[3] ?? "") > MAX_PORT) return false;
  const [, bracketed, host = ""] = match;
  if (bracketed !== undefined) return isIpv6(bracketed);
  return NAME.test(host) && (!NUMERIC_LABEL.test(host) || isIpv4(host.replace(/\.$/, "")));
}
