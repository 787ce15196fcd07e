/**
 * What a request's URL says: the path that is asked for, and the host that is named. Pure.
 *
 * @module
 */

/** What a request's URL says. */
export interface RequestTarget {
  readonly url: string;
  readonly path: string;
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
  let last: RequestTarget = { url: "", path: "", isAllowed: false };
  return (url) => {
    if (url !== last.url) {
      last = { url, path: pathOf(url), isAllowed: isAllowedHost(authorityOf(url)) };
    }
    return last;
  };
}

/** The path with runs of leading slashes collapsed and without a trailing one. */
function pathOf(url: string): string {
  let start = url.indexOf("/", url.indexOf("://") + 3);
  if (start < 0) return "/";
  const query = url.indexOf("?", start);
  let end = query < 0 ? url.length : query;
  while (url[start + 1] === "/") start += 1;
  if (end - start > 1 && url[end - 1] === "/") end -= 1;
  return url.slice(start, end);
}

/** The host and port that a request names: by its target where that is absolute, else by Host. */
function authorityOf(url: string): string {
  const start = url.indexOf("://") + 3;
  const end = url.indexOf("/", start);
  return url.slice(start, end < 0 ? undefined : end);
}
