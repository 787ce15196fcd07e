import { createHash } from "node:crypto";

import { headerValues, queryParameters, type RawRequest, splitTarget } from "./raw_request.ts";

/** Amazon S3's exceptions to the canonical request of all other services. */
export interface S3Form {
  /** The value of x-amz-content-sha256, which need not be a digest of the body. */
  readonly payloadHash: string;
}

/**
 * Returns the canonical request (SigV4, task 1 of the Roles Anywhere signing process) of a received
 * request. Every name in `signedHeaders` must be on the request. Throws URIError on a broken escape.
 */
export function canonicalRequest(
  request: RawRequest,
  signedHeaders: readonly string[],
  s3?: S3Form,
): string {
  const { path, query } = splitTarget(request.url);
  const lines = signedHeaders.map((name) => `${name}:${canonicalValue(request, name)}\n`);
  return [
    request.method,
    canonicalPath(s3 === undefined ? path : decodeURIComponent(path)),
    canonicalQuery(query),
    lines.join(""),
    signedHeaders.join(";"),
    s3?.payloadHash ?? createHash("sha256").update(request.body).digest("hex"),
  ].join("\n");
}

/** Returns the string to sign (task 2): `date` is X-Amz-Date as sent, `scope` the credential scope. */
export function stringToSign(
  algorithm: string,
  date: string,
  scope: string,
  canonical: string,
): string {
  return [algorithm, date, scope, createHash("sha256").update(canonical).digest("hex")].join("\n");
}

// SigV4 encodes the path of every service but S3 twice: once on the wire and once more here.
function canonicalPath(path: string): string {
  return path.split("/").map(encodeRfc3986).join("/");
}

function canonicalQuery(query: string): string {
  return queryParameters(query)
    .map(([name, value]) => [encodeRfc3986(name), encodeRfc3986(value)] as const)
    .sort(([name, value], [otherName, otherValue]) =>
      compare(name, otherName) || compare(value, otherValue)
    )
    .map((pair) => pair.join("="))
    .join("&");
}

function canonicalValue(request: RawRequest, name: string): string {
  return headerValues(request, name).map((value) => value.trim().replaceAll(/ +/g, " ")).join(",");
}

function encodeRfc3986(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
