/**
 * What a request's URL says: the path that is asked for, and the host that is named. Pure.
 *
 * @module
 */

/** What a request's URL says. */
export interface RequestTarget {
  readonly url: string;
  /** The path in its shortest form: `/latest/…` for every version, no empty or last empty segment. */
  readonly path: string;
  /** The host, and the port if there is one, as the client sent them. */
  readonly authority: string;
  /** Whether it names this endpoint. */
  readonly isAllowed: boolean;
}

/**
 * Makes the reader of URLs as Deno's server gives them: scheme, the host as it was sent, and the
 * request's target. It remembers the last: clients ask for one again and again.
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

/** Returns the path with runs of slashes collapsed, without a trailing one, and of version latest. */
function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  if (start < 0) return "/";
  const query = url.indexOf("?", start);
  const path = url.slice(start, query < 0 ? undefined : query).replace(/\/{2,}/g, "/");
  return (path.length > 1 ? path.replace(/\/$/, "") : path).replace(VERSION, "/latest");
}

/** The host and port that a request names: by its target where that is absolute, else by Host. */
function authorityOf(url: string): string {
  const start = url.indexOf("://") + 3;
  const end = url.indexOf("/", start);
  return url.slice(start, end < 0 ? undefined : end);
}
