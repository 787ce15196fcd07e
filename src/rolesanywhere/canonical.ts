/**
 * Canonical request and string to sign of an AWS4-X509 signature. Pure. Sources: "Signing process"
 * in the AWS IAM Roles Anywhere User Guide, and AWS Signature Version 4.
 *
 * @module
 */

/** Request as sent. */
export interface SignableRequest {
  readonly method: string;
  /** Absolute path, as sent. */
  readonly path: string;
  /** Query parameters, not encoded. */
  readonly query: ReadonlyMap<string, string>;
  /** The headers to sign; names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
}

/** Percent-encodes all characters except the unreserved ones of RFC 3986. */
export function encodeUriComponent(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Returns the query string, sorted by encoded name and value; it is sent and signed in this form. */
export function canonicalQuery(query: ReadonlyMap<string, string>): string {
  return [...query]
    .map(([name, value]) => [encodeUriComponent(name), encodeUriComponent(value)] as const)
    .sort(([a, av], [b, bv]) => (a === b ? compare(av, bv) : compare(a, b)))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

/** Returns the names of the signed headers, sorted and joined by semicolons. */
export function signedHeaderNames(headers: ReadonlyMap<string, string>): string {
  return [...headers.keys()].sort(compare).join(";");
}

/** Returns the canonical request; `bodyHash` is the lower-case hex SHA-256 of the body. */
export function canonicalRequest(request: SignableRequest, bodyHash: string): string {
  const headers = [...request.headers]
    .sort(([a], [b]) => compare(a, b))
    .map(([name, value]) => `${name}:${value.trim().replace(/ +/g, " ")}\n`)
    .join("");
  return [
    request.method,
    canonicalPath(request.path),
    canonicalQuery(request.query),
    headers,
    signedHeaderNames(request.headers),
    bodyHash,
  ].join("\n");
}

/** Encodes the segments of the path; Signature Version 4 encodes a sent path once more. */
function canonicalPath(path: string): string {
  return path === "" ? "/" : path.split("/").map(encodeUriComponent).join("/");
}

/** Returns the string to sign; `requestHash` is the lower-case hex SHA-256 of the canonical request. */
export function stringToSign(
  algorithm: string,
  amzDate: string,
  scope: string,
  requestHash: string,
): string {
  return [algorithm, amzDate, scope, requestHash].join("\n");
}

/** Returns `date/region/rolesanywhere/aws4_request`. */
export function credentialScope(amzDate: string, region: string): string {
  return `${amzDate.slice(0, 8)}/${region}/rolesanywhere/aws4_request`;
}

/** Formats a time as `YYYYMMDDThhmmssZ`. */
export function formatAmzDate(time: Date): string {
  return time.toISOString().replace(/[:-]|\.\d{3}/g, "");
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
