/**
 * Request target: the requested path and host. Pure.
 *
 * @module
 */

/** Parts of a request's URL. */
export interface RequestTarget {
  readonly url: string;
  /** The normalized path: `/latest/…` for every version, no empty segments. */
  readonly path: string;
  /** Host, and port if present, as sent. */
  readonly authority: string;
  /** True if the host is allowed. */
  readonly isAllowed: boolean;
}

/**
 * Returns a reader of request URLs as Deno's server builds them: scheme, host as sent, request target.
 * It remembers the last URL, because clients repeat one.
 *
 * Measured by tests/bench/cells.ts: this is worth about 10 % of requests per second.
 */
export function targetReader(
  isAllowedHost: (authority: string) => boolean,
): (url: string) => RequestTarget {
  let last: RequestTarget = { url: "", path: "", authority: "", isAllowed: false };
  return (url) => {
    if (url !== last.url) {
      const authority = authorityOf(url);
      last = { url, path: pathOf(url), authority, isAllowed: isAllowedHost(authority) };
    }
    return last;
  };
}

/** Versions of the metadata service; EC2 lists them with the first, 1.0. */
const VERSION = /^\/(\d{4}-\d\d-\d\d|1\.0)(?=\/|$)/;

/** Returns the path with single slashes, without a trailing slash, and with version `latest`. */
export function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  if (start < 0) return "/";
  const query = url.indexOf("?", start);
  const path = url.slice(start, query < 0 ? undefined : query).replace(/\/{2,}/g, "/");
  return (path.length > 1 ? path.replace(/\/$/, "") : path).replace(VERSION, "/latest");
}

/** Returns the requested host and port: of an absolute target, else of the Host header. */
function authorityOf(url: string): string {
  const start = url.indexOf("://") + 3;
  const end = url.indexOf("/", start);
  return url.slice(start, end < 0 ? undefined : end);
}
