/**
 * Parts of URLs. Pure.
 *
 * @module
 */

/** Returns a URL's `hostname` without the brackets of an IPv6 address. */
export function bareHost(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "");
}

/** Returns a URL's port, or that of its scheme. */
export function portOf(url: URL): number {
  return Number(url.port) || (url.protocol === "https:" ? 443 : 80);
}

/** Percent-decodes a part of a URL; returns it unchanged if it is not encoded. */
export function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // contains a literal percent sign
  }
}
