import { Buffer } from "node:buffer";

import { type Authorization, readAuthorization } from "./authorization_header.ts";
import { canonicalRequest, stringToSign } from "./canonical_request.ts";
import { type Certificate, readCertificate, sameBytes } from "./certificate.ts";
import { findTrustAnchor } from "./certificate_path.ts";
import { headerValues, type RawRequest, splitTarget } from "./raw_request.ts";
import { Refusal } from "./refusals.ts";
import { readSessionParameters, type SessionParameters } from "./session_parameters.ts";
import { type KeyKind, keyKind, verifySignature } from "./signature.ts";

/** Parameters of the verification. */
export interface VerificationOptions {
  readonly trustAnchors: readonly Certificate[];
  /** The region this endpoint serves. */
  readonly region: string;
  readonly time: Date;
  /** The endpoint's own path before `/sessions`, e.g. `/prefix`; default none. */
  readonly pathPrefix?: string;
  /** Maximum difference between the request's date and the time, milliseconds; default the service's 5 minutes. */
  readonly clockSkew?: number;
}

/** Verified request: its signer and its parameters. */
export interface VerifiedRequest extends SessionParameters {
  readonly endEntity: Certificate;
}

/** The key that each signature algorithm of the service needs. */
const ALGORITHMS: Readonly<Record<string, KeyKind>> = {
  "AWS4-X509-RSA-SHA256": "RSA",
  "AWS4-X509-ECDSA-SHA256": "EC",
  "AWS4-X509-MLDSA": "ML-DSA",
};
const CHAIN_LIMIT = 5;
const CLOCK_SKEW_MILLISECONDS = 5 * 60 * 1000;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Verifies a CreateSession request. Throws Refusal with the first rule that it breaks. Source: "The
 * IAM Roles Anywhere authentication signing process" (AWS, IAM Roles Anywhere user guide), which
 * describes it for clients.
 */
export async function verifyRequest(
  request: RawRequest,
  options: VerificationOptions,
): Promise<VerifiedRequest> {
  requireOperation(request, options.pathPrefix ?? "");
  const authorization = readAuthorization(onlyHeader(request, "authorization") ?? missing());
  const endEntity = readEndEntity(onlyHeader(request, "x-amz-x509"));
  const chain = readChain(onlyHeader(request, "x-amz-x509-chain"), endEntity);
  const date = requireDate(request, authorization, options);
  requireAlgorithm(authorization, endEntity);
  requireSignedHeaders(request, authorization);
  if (authorization.serialNumber !== endEntity.serialNumber.toString()) {
    throw new Refusal("serial-mismatch");
  }
  await requireSignature(request, authorization, date, endEntity);
  requireEndEntity(endEntity);
  await findTrustAnchor(endEntity, chain, options.trustAnchors, options.time);
  return { ...readSessionParameters(request, options.region), endEntity };
}

function requireOperation(request: RawRequest, pathPrefix: string): void {
  const { path } = splitTarget(request.url);
  if (path !== `${pathPrefix}/sessions`) throw new Refusal("unknown-path");
  if (request.method !== "POST") throw new Refusal("unknown-method");
}

function missing(): never {
  throw new Refusal("authorization-missing");
}

function onlyHeader(request: RawRequest, name: string): string | undefined {
  const values = headerValues(request, name);
  if (values.length > 1) throw new Refusal("header-repeated", name);
  return values[0];
}

function readEndEntity(header: string | undefined): Certificate {
  try {
    return readBase64Certificate(header ?? "");
  } catch {
    throw new Refusal("certificate-malformed");
  }
}

function readChain(header: string | undefined, endEntity: Certificate): Certificate[] {
  if (header === undefined) return [];
  const entries = header.split(",");
  if (entries.length > CHAIN_LIMIT) throw new Refusal("chain-too-long");
  let chain: Certificate[];
  try {
    chain = entries.map(readBase64Certificate);
  } catch {
    throw new Refusal("chain-malformed");
  }
  if (chain.some((certificate) => sameBytes(certificate.der, endEntity.der))) {
    throw new Refusal("chain-holds-end-entity");
  }
  return chain;
}

function readBase64Certificate(text: string): Certificate {
  if (!BASE64.test(text)) throw new RangeError("not base64");
  return readCertificate(Uint8Array.from(Buffer.from(text, "base64")));
}

function requireDate(
  request: RawRequest,
  authorization: Authorization,
  options: VerificationOptions,
): string {
  const text = onlyHeader(request, "x-amz-date") ?? "";
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (parts === null) throw new Refusal("date-malformed");
  const [, year, month, day, hours, minutes, seconds] = parts;
  const date = Date.parse(`${year}-${month}-${day}T${hours}:${minutes}:${seconds}Z`);
  if (Number.isNaN(date)) throw new Refusal("date-malformed");
  if (authorization.date !== text.slice(0, 8)) throw new Refusal("scope-date-mismatch");
  if (authorization.region !== options.region) throw new Refusal("scope-region-mismatch");
  if (Math.abs(options.time.getTime() - date) > (options.clockSkew ?? CLOCK_SKEW_MILLISECONDS)) {
    throw new Refusal("date-stale");
  }
  return text;
}

function requireAlgorithm({ algorithm }: Authorization, endEntity: Certificate): void {
  const needed = ALGORITHMS[algorithm];
  if (needed === undefined) throw new Refusal("algorithm-unknown", algorithm);
  if (needed !== keyKind(endEntity.publicKeyInfo)) throw new Refusal("algorithm-mismatch");
}

function requireSignedHeaders(request: RawRequest, { signedHeaders }: Authorization): void {
  const present = (name: string) => headerValues(request, name).length > 0;
  const needed = ["host", "x-amz-date", "x-amz-x509"];
  if (present("content-type")) needed.push("content-type");
  if (present("x-amz-x509-chain")) needed.push("x-amz-x509-chain");
  for (const name of needed) {
    if (!signedHeaders.includes(name)) throw new Refusal("signed-headers-incomplete", name);
  }
  for (const name of signedHeaders) {
    if (!present(name)) throw new Refusal("signed-header-absent", name);
  }
}

async function requireSignature(
  request: RawRequest,
  { algorithm, scope, signedHeaders, signature }: Authorization,
  date: string,
  endEntity: Certificate,
): Promise<void> {
  let canonical: string;
  try {
    canonical = canonicalRequest(request, signedHeaders);
  } catch {
    throw new Refusal("parameter-malformed", "broken percent-encoding");
  }
  const text = stringToSign(algorithm, date, scope, canonical);
  const message = new TextEncoder().encode(text);
  if (!await verifySignature(endEntity.publicKeyInfo, "SHA-256", message, signature)) {
    throw new Refusal("signature-mismatch");
  }
}

function requireEndEntity(certificate: Certificate): void {
  if (certificate.version !== 3) throw new Refusal("end-entity-version");
  if (certificate.isAuthority) throw new Refusal("end-entity-is-authority");
  if (certificate.keyUsage?.digitalSignature === false) throw new Refusal("end-entity-key-usage");
}
