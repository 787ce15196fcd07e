import { Buffer } from "node:buffer";
import { createHash, createPrivateKey, sign, X509Certificate } from "node:crypto";

import { openssl } from "../support/openssl.ts";
import type { RawRequest } from "./raw_request.ts";

/** Signer of a request. */
export interface Identity {
  readonly certificatePem: string;
  readonly keyPem: string;
  /** For keys that neither node:crypto nor openssl can use. */
  readonly sign?: (message: Uint8Array) => Uint8Array;
}

/** Parameters of a request, and deviations that a test needs. */
export interface SigningOptions {
  readonly algorithm?: string;
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly time?: Date;
  readonly region?: string;
  readonly scopeDate?: string;
  readonly serial?: string;
  readonly query?: readonly (readonly [string, string])[];
  readonly body?: string;
  readonly contentType?: string;
  /** PEM certificates for X-Amz-X509-Chain. */
  readonly chain?: readonly string[];
  /** Additional headers, sent and signed. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Changes the sorted list of signed headers. */
  readonly signedHeaders?: (names: string[]) => string[];
}

/** ARNs for a test, of one region and account. */
export const QUERY: readonly (readonly [string, string])[] = [
  ["profileArn", "arn:aws:rolesanywhere:us-east-1:123456789012:profile/6f4943fb-13d4-4242"],
  ["roleArn", "arn:aws:iam::123456789012:role/path/tester"],
  ["trustAnchorArn", "arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/a545a1fc-5d86"],
];
/** A time at which the tests' certificates are valid. */
export const NOW = new Date(Math.floor(Date.now() / 1000) * 1000);

/**
 * Makes a signed `POST /sessions` from AWS's description of the signing process. It shares nothing
 * with the code that verifies, so that both cannot share a mistake.
 */
export async function signRequest(
  identity: Identity,
  options: SigningOptions = {},
): Promise<RawRequest> {
  const certificate = new X509Certificate(identity.certificatePem);
  const time = (options.time ?? NOW).toISOString().replace(/\.\d+/, "").replaceAll(/[-:]/g, "");
  const headers: Record<string, string> = {
    host: options.host ?? "localhost:8443",
    "content-type": options.contentType ?? "application/json",
    "x-amz-date": time,
    "x-amz-x509": certificate.raw.toString("base64"),
    ...(options.chain === undefined ? {} : {
      "x-amz-x509-chain": options.chain.map((pem) =>
        new X509Certificate(pem).raw.toString("base64")
      ).join(","),
    }),
    ...options.headers,
  };
  const method = options.method ?? "POST";
  const path = options.path ?? "/sessions";
  const body = options.body ?? '{"durationSeconds":3600}';
  const query = [...options.query ?? QUERY].sort().map(([name, value]) =>
    `${escape(name)}=${escape(value)}`
  ).join("&");
  const sorted = Object.keys(headers).sort();
  const names = options.signedHeaders?.(sorted) ?? sorted;
  const canonical = `${method}\n${path}\n${query}\n` +
    names.map((name) => `${name}:${(headers[name] ?? "").trim()}\n`).join("") +
    `\n${names.join(";")}\n${sha256(body)}`;
  const algorithm = options.algorithm ?? readAlgorithmIdentifier(identity);
  const scope = `${options.scopeDate ?? time.slice(0, 8)}/${
    options.region ?? "us-east-1"
  }/rolesanywhere/aws4_request`;
  const text = `${algorithm}\n${time}\n${scope}\n${sha256(canonical)}`;
  const signature = Buffer.from(await signText(identity, text)).toString("hex");
  const serial = options.serial ?? BigInt(`0x${certificate.serialNumber}`).toString();
  const authorization = `${algorithm} Credential=${serial}/${scope}, SignedHeaders=${
    names.join(";")
  }, Signature=${signature}`;
  return {
    method,
    url: `${path}?${query}`,
    headers: Object.entries({ ...headers, Authorization: authorization }),
    body: new TextEncoder().encode(body),
  };
}

/** Returns the request with one header's value changed after signing, or removed (null). */
export function withHeader(request: RawRequest, name: string, value: string | null): RawRequest {
  const others = request.headers.filter(([other]) => other.toLowerCase() !== name.toLowerCase());
  return { ...request, headers: value === null ? others : [...others, [name, value]] };
}

function readAlgorithmIdentifier(identity: Identity): string {
  if (identity.sign !== undefined) return "AWS4-X509-MLDSA";
  const type = createPrivateKey(identity.keyPem).asymmetricKeyType;
  return type === "rsa" ? "AWS4-X509-RSA-SHA256" : "AWS4-X509-ECDSA-SHA256";
}

async function signText(identity: Identity, text: string): Promise<Uint8Array> {
  const message = new TextEncoder().encode(text);
  if (identity.sign !== undefined) return identity.sign(message);
  const key = createPrivateKey(identity.keyPem);
  if (key.asymmetricKeyDetails?.namedCurve !== "secp521r1") return sign("sha256", message, key);
  // Deno 2.7's node:crypto cannot sign with P-521 and SHA-256.
  const keyPath = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(keyPath, identity.keyPem);
    return await openssl(["dgst", "-sha256", "-sign", keyPath], { stdin: message });
  } finally {
    await Deno.remove(keyPath);
  }
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function escape(text: string): string {
  return [...new TextEncoder().encode(text)].map((octet) => {
    const character = String.fromCharCode(octet);
    const hex = octet.toString(16).toUpperCase().padStart(2, "0");
    return /[A-Za-z0-9_.~-]/.test(character) ? character : `%${hex}`;
  }).join("");
}
