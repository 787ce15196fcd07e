/** Request as sent. */
export interface RawRequest {
  readonly method: string;
  /** The request target: path and query, undecoded. */
  readonly url: string;
  /** Names and values in order, repeats and letter case kept. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Returns all values of the header, by its name in any case; empty if it is absent. */
export function headerValues(request: RawRequest, name: string): string[] {
  return request.headers
    .filter(([candidate]) => candidate.toLowerCase() === name.toLowerCase())
    .map(([, value]) => value);
}

/** Returns the request target's path and its query (without the question mark, "" if there is none). */
export function splitTarget(target: string): { path: string; query: string } {
  const at = target.indexOf("?");
  if (at < 0) return { path: target, query: "" };
  return { path: target.slice(0, at), query: target.slice(at + 1) };
}

/**
 * Returns the query's names and values, percent-decoded, in order; a plus sign stays one (RFC 3986).
 * Throws URIError on a broken escape.
 */
export function queryParameters(query: string): [name: string, value: string][] {
  return query.split("&").filter((part) => part !== "").map((part) => {
    const at = part.indexOf("=");
    const name = at < 0 ? part : part.slice(0, at);
    return [decodeURIComponent(name), at < 0 ? "" : decodeURIComponent(part.slice(at + 1))];
  });
}
