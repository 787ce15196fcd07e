/**
 * Verifier of a request's AWS Signature Version 4, as a service verifies it. It is written from
 * "Create a signed AWS API request" of the IAM User Guide. It shares nothing with the code under
 * test.
 *
 * @module
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

import { canonicalRequest, type S3Form, stringToSign } from "../emulator/canonical_request.ts";
import { headerValues, type RawRequest } from "../emulator/raw_request.ts";
import { chunks } from "./streamed_body.ts";

/** Credentials that a service has issued; temporary ones have a token and an expiry. */
export interface KnownCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: string;
}

/** Input of the verification. */
export interface VerificationRules {
  readonly known: readonly KnownCredentials[];
  /** The service's name in credential scopes. */
  readonly service: string;
  readonly now: Date;
}

/** Signer of a request, and its region. */
export interface VerifiedSignature {
  readonly accessKeyId: string;
  readonly region: string;
}

/** A request that is refused; `code` as AWS's services name it. */
export class SignatureRefusal extends Error {
  override readonly name = "SignatureRefusal";

  constructor(readonly code: string, message: string) {
    super(message);
  }
}

const ALGORITHM = "AWS4-HMAC-SHA256";
const AUTHORIZATION = new RegExp(
  `^${ALGORITHM} Credential=(?<accessKeyId>[^/ ,]+)/(?<scope>(?<date>\\d{8})/(?<region>[a-z0-9-]+)/` +
    "(?<service>[a-z0-9-]+)/aws4_request), ?SignedHeaders=(?<signedHeaders>[a-z0-9;-]+), ?" +
    "Signature=(?<signature>[0-9a-f]{64})$",
);
/** Values of x-amz-content-sha256 that leave the body out of the signature. */
const UNSIGNED_PAYLOADS: readonly string[] = [
  "UNSIGNED-PAYLOAD",
  "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
];
/** Beginning of the values of x-amz-content-sha256 that have each chunk signed. */
const CHUNK_ALGORITHM = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
/** Maximum difference between a request's time and the service's, milliseconds. */
const MAX_SKEW = 15 * 60 * 1000;

/** Verifies scope, time, token, signed headers and signature; throws SignatureRefusal. */
export function verifySignature(request: RawRequest, rules: VerificationRules): VerifiedSignature {
  const groups = AUTHORIZATION.exec(oneHeader(request, "authorization"))?.groups;
  if (!groups) throw new SignatureRefusal("IncompleteSignature", "Authorization is malformed");
  const { accessKeyId = "", scope = "", date = "", region = "", service = "" } = groups;
  const signedHeaders = (groups["signedHeaders"] ?? "").split(";");

  if (service !== rules.service) {
    throw new SignatureRefusal("SignatureDoesNotMatch", `scope names the service ${service}`);
  }
  const time = oneHeader(request, "x-amz-date");
  checkTime(time, date, rules.now);
  checkSignedHeaders(request, signedHeaders);
  const credentials = rules.known.find((one) => one.accessKeyId === accessKeyId);
  if (!credentials) throw new SignatureRefusal("InvalidClientTokenId", "unknown access key id");
  checkSession(request, credentials, rules.now);

  const key = [date, region, service, "aws4_request"]
    .reduce<string | Uint8Array>(hmac, `AWS4${credentials.secretAccessKey}`);
  const s3 = service === "s3" ? s3Form(request) : undefined;
  const canonical = canonicalRequest(request, signedHeaders, s3);
  const signature = groups["signature"] ?? "";
  checkSignature(signature, key, stringToSign(ALGORITHM, time, scope, canonical), canonical);
  if (s3?.payloadHash.startsWith(CHUNK_ALGORITHM)) {
    checkChunks(request, key, { signature, time, scope });
  }
  return { accessKeyId, region };
}

function checkSignature(
  signature: string,
  key: string | Uint8Array,
  text: string,
  shown = text,
): void {
  const given = Uint8Array.from(signature.match(/../g) ?? [], (octet) => parseInt(octet, 16));
  const expected = hmac(key, text);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new SignatureRefusal("SignatureDoesNotMatch", `not the signature of:\n${shown}`);
  }
}

/** Checks x-amz-content-sha256 against the body, unless its value means an unsigned body or chunks. */
function s3Form(request: RawRequest): S3Form {
  const payloadHash = oneHeader(request, "x-amz-content-sha256");
  if (UNSIGNED_PAYLOADS.includes(payloadHash)) return { payloadHash };
  if (payloadHash.startsWith(CHUNK_ALGORITHM)) return { payloadHash };
  if (payloadHash !== sha256(request.body)) {
    throw new SignatureRefusal(
      "XAmzContentSHA256Mismatch",
      `not the body's digest: ${payloadHash}`,
    );
  }
  return { payloadHash };
}

/** Checks the signature of each chunk ("Signature calculations: transferring a payload in chunks"). */
function checkChunks(
  { body }: RawRequest,
  key: string | Uint8Array,
  first: { readonly signature: string; readonly time: string; readonly scope: string },
): void {
  let previous = first.signature;
  for (const { data, signature } of chunks(body)) {
    const lines = ["AWS4-HMAC-SHA256-PAYLOAD", first.time, first.scope, previous];
    checkSignature(signature, key, [...lines, sha256(""), sha256(data)].join("\n"));
    previous = signature;
  }
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

function hmac(key: string | Uint8Array, text: string): Uint8Array {
  return createHmac("sha256", key).update(text).digest();
}

function oneHeader(request: RawRequest, name: string): string {
  const [value, ...more] = headerValues(request, name);
  if (value === undefined) {
    throw new SignatureRefusal("MissingAuthenticationToken", `${name} is missing`);
  }
  if (more.length > 0) throw new SignatureRefusal("IncompleteSignature", `${name} is repeated`);
  return value;
}

function checkTime(time: string, date: string, now: Date): void {
  const [, year, month, day, hours, minutes, seconds] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(time) ?? [];
  const sent = Date.parse(`${year}-${month}-${day}T${hours}:${minutes}:${seconds}Z`);
  if (Number.isNaN(sent) || !time.startsWith(date)) {
    throw new SignatureRefusal("SignatureDoesNotMatch", "x-amz-date is not of the scope's date");
  }
  if (Math.abs(now.getTime() - sent) > MAX_SKEW) {
    throw new SignatureRefusal("SignatureDoesNotMatch", `signature expired: ${time}`);
  }
}

/** Checks that Host and all of x-amz-* are signed, in order of their names. */
function checkSignedHeaders(request: RawRequest, signedHeaders: readonly string[]): void {
  const sent = new Set(request.headers.map(([name]) => name.toLowerCase()));
  const needed = [...sent].filter((name) => name === "host" || name.startsWith("x-amz-"));
  const isWhole = needed.includes("host") && needed.every((name) => signedHeaders.includes(name)) &&
    signedHeaders.every((name) => sent.has(name));
  if (!isWhole || signedHeaders.join() !== signedHeaders.toSorted().join()) {
    throw new SignatureRefusal("SignatureDoesNotMatch", `signed headers: ${signedHeaders}`);
  }
}

function checkSession(request: RawRequest, known: KnownCredentials, now: Date): void {
  const [token] = headerValues(request, "x-amz-security-token");
  if (token !== known.sessionToken) {
    throw new SignatureRefusal("InvalidClientTokenId", "not this access key's session token");
  }
  if (known.expiration !== undefined && Date.parse(known.expiration) <= now.getTime()) {
    throw new SignatureRefusal("ExpiredToken", "the credentials have expired");
  }
}
