/**
 * Signature of a CreateSession request.
 *
 * @module
 */
import { encodeBase64 } from "@std/encoding/base64";
import { encodeHex } from "@std/encoding/hex";
import type { HttpRequest } from "../http/request.ts";
import type { Identity } from "../keystore/open_identity.ts";
import { publicKeyOf } from "../x509/certificate.ts";
import { SIGNING_ALGORITHMS } from "./algorithms.ts";
import {
  canonicalQuery,
  canonicalRequest,
  credentialScope,
  formatAmzDate,
  signedHeaderNames,
  stringToSign,
} from "./canonical.ts";

/** Request before signing. */
export interface UnsignedRequest {
  /** The service's base URL; its path is a prefix. */
  readonly endpoint: URL;
  /** The operation's path below the endpoint, beginning with a slash. */
  readonly path: string;
  readonly query: ReadonlyMap<string, string>;
  readonly body: Uint8Array<ArrayBuffer>;
}

/**
 * Signs `request` at time `now` for `region`, with one signature.
 *
 * `debug` gets the canonical request and the string to sign; neither contains a secret.
 */
export async function signRequest(
  request: UnsignedRequest,
  identity: Identity,
  region: string,
  now: Date,
  debug: (message: string) => void,
): Promise<HttpRequest> {
  const algorithm = SIGNING_ALGORITHMS[publicKeyOf(identity.certificate).keyType];
  const amzDate = formatAmzDate(now);
  const url = new URL(request.endpoint);
  url.pathname = url.pathname.replace(/\/+$/, "") + request.path;
  url.search = canonicalQuery(request.query);

  const signedHeaders = new Map([
    ["content-type", "application/json"],
    ["host", url.host],
    ["x-amz-date", amzDate],
    ["x-amz-x509", encodeBase64(identity.certificate.encoded)],
  ]);
  if (identity.chain.length > 0) {
    const chain = identity.chain.map((issuer) => encodeBase64(issuer.encoded));
    signedHeaders.set("x-amz-x509-chain", chain.join(","));
  }

  const canonical = canonicalRequest(
    { method: "POST", path: url.pathname, query: request.query, headers: signedHeaders },
    await sha256Hex(request.body),
  );
  const scope = credentialScope(amzDate, region);
  const toSign = stringToSign(
    algorithm.name,
    amzDate,
    scope,
    await sha256Hex(new TextEncoder().encode(canonical)),
  );
  debug(`canonical request:\n${canonical}`);
  debug(`string to sign:\n${toSign}`);

  const signature = await identity.signer.sign(
    new TextEncoder().encode(toSign),
    algorithm.digest,
  );
  const headers = new Map(signedHeaders);
  headers.delete("host");
  headers.set(
    "authorization",
    `${algorithm.name} Credential=${identity.certificate.serialNumber}/${scope}, ` +
      `SignedHeaders=${signedHeaderNames(signedHeaders)}, Signature=${encodeHex(signature)}`,
  );
  return { url, method: "POST", headers, body: request.body };
}

async function sha256Hex(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return encodeHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}
