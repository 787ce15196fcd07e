import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import {
  contextTag,
  type DerElement,
  DerReader,
  encodeElement,
  encodeSequence,
  TAG,
} from "../../src/x509/der.ts";
import { parsePem } from "../../src/x509/pem.ts";
import { openssl } from "./openssl.ts";
import type { Folder } from "./temporary_directory.ts";

/** The arguments of `openssl genpkey` for each type of key the tests use. */
const KEY_ARGUMENTS = {
  "rsa-1024": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
  "rsa-2048": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
  "rsa-4096": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"],
  "ec-p256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
  "ec-p384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
  "ec-p521": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
} as const satisfies Record<string, readonly string[]>;

/** Extensions that `openssl ca` 3.2 and later adds by itself. */
const KEY_IDENTIFIERS = {
  subjectKeyIdentifier: "2.5.29.14",
  authorityKeyIdentifier: "2.5.29.35",
} as const;

const DEFAULT_DIGEST = "sha256";
/** Tags of a certificate's version and extensions. */
const VERSION = contextTag(0, true);
const EXTENSIONS = contextTag(3, true);

/** An RSA key of 8192 bits, which openssl takes half a minute to make. */
export const RSA_8192_KEY_PATH = fileURLToPath(new URL("rsa_8192_key.pem", import.meta.url));

/** A type and size of key that `createAuthority` and `issueCertificate` can make. */
export type KeyType = keyof typeof KEY_ARGUMENTS;

/** Contents of a certificate to issue. */
export interface CertificateRequest {
  /** As `openssl req -subj` reads it: `/C=US/CN=name`, `\/` for a slash in a value. */
  readonly subject: string;
  /** Default `ec-p256`; ignored if `keyPath` names a key. */
  readonly keyType?: KeyType;
  /** An existing unencrypted PEM key to use instead of a new one. */
  readonly keyPath?: string;
  /** Positive serial number; default: 127 random bits. */
  readonly serial?: bigint;
  /** Days from now, default 30. `notBefore` and `notAfter` override it. */
  readonly days?: number;
  /** Default an hour ago, or an hour before `notAfter` if that has passed. */
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** A certificate authority's (true) or an end-entity certificate (false, the default). */
  readonly ca?: boolean;
  /** DNS names and IP addresses for the subject alternative name; makes it a TLS server's certificate. */
  readonly hosts?: readonly string[];
  /**
   * Extensions in OpenSSL's syntax that override the defaults; null omits an extension. Without any
   * extension, the certificate is of version 1.
   */
  readonly extensions?: Readonly<Record<string, string | null>>;
  /** The hash of the signature on the certificate, default sha256. */
  readonly digest?: "sha1" | "sha256" | "sha384" | "sha512";
}

/** A certificate with its private key, as files and as text. */
export interface CertificateFiles {
  readonly certificatePath: string;
  /** Unencrypted PKCS#8. */
  readonly keyPath: string;
  readonly certificatePem: string;
  readonly keyPem: string;
}

/** A certificate that can issue others, for `issueCertificate`. */
export interface Authority extends CertificateFiles {
  /** Directory for the files of issued certificates. */
  readonly directory: string;
}

/** Makes a private key with openssl. Returns its PEM (unencrypted PKCS#8). */
export async function generateKey(keyType: KeyType): Promise<string> {
  return new TextDecoder().decode(await openssl(["genpkey", ...KEY_ARGUMENTS[keyType]]));
}

/** Makes a self-signed certificate authority with its files in `directory`. */
export async function createAuthority(
  directory: Folder | string,
  request: CertificateRequest,
): Promise<Authority> {
  const path = typeof directory === "string" ? directory : directory.path;
  const files = await issue(path, null, { ca: true, days: 365, ...request });
  return { ...files, directory: path };
}

/**
 * Makes a certificate signed by `authority`: by default an end-entity certificate for TLS clients.
 * With `hosts` it is a TLS server's; with `ca` an intermediate authority's.
 */
export async function issueCertificate(
  authority: Authority,
  request: CertificateRequest,
): Promise<Authority> {
  const files = await issue(authority.directory, authority, request);
  return { ...files, directory: authority.directory };
}

// `openssl ca` is used, not `openssl x509`, because OpenSSL 3.0 lets only that set both dates.
async function issue(
  directory: string,
  issuer: CertificateFiles | null,
  request: CertificateRequest,
): Promise<CertificateFiles> {
  const folder = await Deno.makeTempDir({ dir: directory, prefix: "certificate-" });
  const certificatePath = join(folder, "certificate.pem");
  const keyPath = join(folder, "key.pem");
  const keyPem = request.keyPath === undefined
    ? await generateKey(request.keyType ?? "ec-p256")
    : await Deno.readTextFile(request.keyPath);
  await Deno.writeTextFile(keyPath, keyPem, { mode: 0o600 });
  const configuration = join(folder, "openssl.cnf");
  await Deno.writeTextFile(configuration, configurationText(folder, request, issuer !== null));
  await Deno.writeTextFile(join(folder, "database"), "");
  await Deno.writeTextFile(join(folder, "serial"), `${serialText(request.serial)}\n`);

  const requestPath = join(folder, "request.pem");
  const { subject } = request;
  // deno-fmt-ignore
  await openssl([
    "req", "-new", "-config", configuration, "-utf8",
    "-subj", subject, "-key", keyPath, "-out", requestPath,
  ]);
  const { notBefore, notAfter } = validity(request);
  const signer = issuer === null
    ? ["-selfsign", "-keyfile", keyPath]
    : ["-cert", issuer.certificatePath, "-keyfile", issuer.keyPath];
  // deno-fmt-ignore
  await openssl([
    "ca", "-batch", "-notext", "-config", configuration, ...signer,
    "-startdate", opensslTime(notBefore), "-enddate", opensslTime(notAfter),
    "-in", requestPath, "-out", certificatePath,
  ]);
  const extensions = extensionsOf(request, issuer !== null).map(([name]) => name);
  const unwanted = Object.entries(KEY_IDENTIFIERS).flatMap(([name, oid]) =>
    extensions.includes(name) ? [] : [oid]
  );
  if (unwanted.length > 0) {
    const signingKey = issuer?.keyPath ?? keyPath;
    await removeExtensions(certificatePath, unwanted, signingKey, request.digest);
  }
  return {
    certificatePath,
    keyPath,
    certificatePem: await Deno.readTextFile(certificatePath),
    keyPem,
  };
}

/** Removes extensions, and the version if none is left, and signs the certificate again. */
async function removeExtensions(
  path: string,
  unwanted: readonly string[],
  signingKey: string,
  digest = DEFAULT_DIGEST,
): Promise<void> {
  const certificate = new DerReader(certificateDer(await Deno.readTextFile(path))).sequence();
  const body = elementsOf(certificate.expect(TAG.sequence).contents);
  const last = body.at(-1);
  if (last?.tag !== EXTENSIONS) return;
  const all = elementsOf(new DerReader(last.contents).expect(TAG.sequence).contents);
  const wanted = all.filter(({ contents }) =>
    !unwanted.includes(new DerReader(contents).objectIdentifier())
  );
  if (wanted.length === all.length) return;
  const fields = body.filter(({ tag }) => tag !== EXTENSIONS && tag !== VERSION);
  const changed = wanted.length === 0
    ? encodeSequence(...fields.map(({ encoded }) => encoded))
    : encodeSequence(
      ...body.slice(0, -1).map(({ encoded }) => encoded),
      encodeElement(EXTENSIONS, encodeSequence(...wanted.map(({ encoded }) => encoded))),
    );
  const signature = await openssl(["dgst", `-${digest}`, "-sign", signingKey], { stdin: changed });
  const { encoded: algorithm } = certificate.next();
  const signed = encodeSequence(
    changed,
    algorithm,
    encodeElement(TAG.bitString, Uint8Array.of(0), signature),
  );
  await openssl(["x509", "-inform", "DER", "-out", path], { stdin: signed });
}

function certificateDer(pem: string): Uint8Array {
  const [block] = parsePem(pem);
  if (!block) throw new Error("no PEM block in what openssl made");
  return block.bytes;
}

function elementsOf(contents: Uint8Array): DerElement[] {
  const reader = new DerReader(contents);
  const elements: DerElement[] = [];
  while (!reader.atEnd) elements.push(reader.next());
  return elements;
}

function extensionsOf(request: CertificateRequest, issued: boolean): [string, string | null][] {
  return Object.entries({ ...defaultExtensions(request, issued), ...request.extensions })
    .filter(([, value]) => value !== null);
}

/** Returns a path for a configuration of openssl, in which a backslash is an escape. */
function forOpenssl(path: string): string {
  return Deno.build.os === "windows" ? path.replaceAll("\\", "/") : path;
}

function configurationText(folder: string, request: CertificateRequest, issued: boolean): string {
  const extensions = extensionsOf(request, issued);
  return [
    "[req]",
    "distinguished_name = subject",
    "[subject]",
    "[ca]",
    "default_ca = authority",
    "[authority]",
    `database = ${forOpenssl(join(folder, "database"))}`,
    `serial = ${forOpenssl(join(folder, "serial"))}`,
    `new_certs_dir = ${forOpenssl(folder)}`,
    `default_md = ${request.digest ?? DEFAULT_DIGEST}`,
    "unique_subject = no",
    "preserve = yes",
    "email_in_dn = yes",
    "policy = any",
    ...(extensions.length === 0 ? [] : ["x509_extensions = extensions"]),
    "[any]",
    "commonName = optional",
    "[extensions]",
    ...extensions.map(([name, value]) => `${name} = ${value}`),
    "",
  ].join("\n");
}

function defaultExtensions(request: CertificateRequest, issued: boolean): Record<string, string> {
  const identifiers = {
    subjectKeyIdentifier: "hash",
    ...(issued ? { authorityKeyIdentifier: "keyid" } : {}),
  };
  if (request.ca === true) {
    return {
      basicConstraints: "critical,CA:TRUE",
      keyUsage: "critical,keyCertSign,cRLSign",
      ...identifiers,
    };
  }
  const common = {
    basicConstraints: "critical,CA:FALSE",
    keyUsage: "critical,digitalSignature",
    ...identifiers,
  };
  if (request.hosts === undefined) return { ...common, extendedKeyUsage: "clientAuth" };
  const names = request.hosts.map((host) => `${/^[\d.]+$|:/.test(host) ? "IP" : "DNS"}:${host}`);
  return { ...common, extendedKeyUsage: "serverAuth", subjectAltName: names.join(",") };
}

function validity(request: CertificateRequest): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  const hour = 3_600_000;
  const notAfter = request.notAfter ?? new Date(now + (request.days ?? 30) * 24 * hour);
  const notBefore = request.notBefore ?? new Date(Math.min(now, notAfter.getTime()) - hour);
  return { notBefore, notAfter };
}

function serialText(serial: bigint | undefined): string {
  const number = serial ?? BigInt(`0x${randomBytes(16).toString("hex")}`) >> 1n;
  const text = number.toString(16).toUpperCase();
  return text.length % 2 === 0 ? text : `0${text}`;
}

function opensslTime(date: Date): string {
  return `${date.toISOString().replace(/\.\d+Z$/, "").replaceAll(/[-:T]/g, "")}Z`;
}
