/**
 * Finding PEM blocks in text (RFC 7468, and RFC 1421 headers as OpenSSL's older files have them).
 *
 * @module
 */
import { decodeBase64, encodeBase64 } from "@std/encoding/base64";

/** One block: `-----BEGIN label-----` … `-----END label-----`. */
export interface PemBlock {
  readonly label: string;
  /** RFC 1421 headers such as `Proc-Type` and `DEK-Info`, names as written. */
  readonly headers: ReadonlyMap<string, string>;
  readonly bytes: Uint8Array;
}

/** Thrown when a block is broken; its message repeats nothing of the file but a known label. */
export class PemError extends Error {
  override readonly name = "PemError";
}

const BEGIN = "-----BEGIN ";
const END = "-----END ";
const DASHES = "-----";

/** Labels that a message may repeat. Any other text after BEGIN could be part of a key. */
const KNOWN_LABELS: ReadonlySet<string> = new Set([
  "CERTIFICATE",
  "X509 CERTIFICATE",
  "TRUSTED CERTIFICATE",
  "CERTIFICATE REQUEST",
  "NEW CERTIFICATE REQUEST",
  "X509 CRL",
  "PRIVATE KEY",
  "ENCRYPTED PRIVATE KEY",
  "RSA PRIVATE KEY",
  "EC PRIVATE KEY",
  "DSA PRIVATE KEY",
  "OPENSSH PRIVATE KEY",
  "TSS2 PRIVATE KEY",
  "TSS2 KEY BLOB",
  "PUBLIC KEY",
  "RSA PUBLIC KEY",
  "EC PARAMETERS",
  "DH PARAMETERS",
  "PKCS7",
  "PKCS #7 SIGNED DATA",
  "CMS",
  "PKCS12",
]);
/** `label` of RFC 7468 section 3. */
const LABEL = /^[!-,.-~]+(?:[- ][!-,.-~]+)*$/;
const LONGEST_LABEL = 64;

/** True when the text has the beginning of a PEM block anywhere. */
export function looksLikePem(text: string): boolean {
  return text.includes(BEGIN);
}

/**
 * Every block in the text, in order. Text around blocks, blank lines, leading blanks and Windows
 * line endings are all allowed; a block without its end or with other than base64 in it is a
 * {@link PemError}.
 */
export function parsePem(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  let label: string | undefined;
  let body: string[] = [];
  for (const written of text.split(/\r\n?|\n/)) {
    const line = written.trim();
    const begun = labelOf(line, BEGIN);
    if (begun !== undefined) {
      if (label !== undefined) throw withoutEnd(label);
      label = begun;
      body = [];
    } else if (label === undefined) {
      continue; // text around the blocks
    } else if (labelOf(line, END) === label) {
      blocks.push(parseBlock(label, body));
      label = undefined;
    } else body.push(line);
  }
  if (label !== undefined) throw withoutEnd(label);
  return blocks;
}

/**
 * Returns the label of a BEGIN or END line, or undefined when it is another line.
 *
 * Throws {@link PemError} when more than a label is between the dashes.
 */
function labelOf(line: string, mark: string): string | undefined {
  if (!line.startsWith(mark) || !line.endsWith(DASHES)) return undefined;
  const label = line.slice(mark.length, -DASHES.length);
  if (label.length <= LONGEST_LABEL && LABEL.test(label)) return label;
  throw new PemError(
    "a BEGIN or END line holds more than a label; its line breaks may be lost; export it again",
  );
}

/** Returns a block's name for messages. */
function named(label: string): string {
  return KNOWN_LABELS.has(label) ? `the ${label} block` : "a block with an unknown label";
}

function withoutEnd(label: string): PemError {
  return new PemError(`${named(label)} has no end line; the file may be truncated`);
}

function parseBlock(label: string, body: readonly string[]): PemBlock {
  const headers = new Map<string, string>();
  let base64 = "";
  for (const line of body) {
    // Base64 has no colon, and headers stand before it.
    const colon = base64 === "" ? line.indexOf(":") : -1;
    if (colon > 0) headers.set(line.slice(0, colon).trimEnd(), line.slice(colon + 1).trim());
    else base64 += line;
  }
  if (base64 === "") throw new PemError(`${named(label)} is empty`);
  try {
    return { label, headers, bytes: decodeBase64(base64) };
  } catch (cause) {
    throw new PemError(`${named(label)} does not hold base64`, { cause });
  }
}

/** Writes one block, 64 characters a line, with a final newline. */
export function formatPem(label: string, bytes: Uint8Array): string {
  const lines = encodeBase64(bytes).match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
