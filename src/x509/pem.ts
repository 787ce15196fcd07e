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

/** Thrown when a block is broken; the message names the label and never holds the contents. */
export class PemError extends Error {
  override readonly name = "PemError";
}

const BEGIN = "-----BEGIN ";
const END = "-----END ";
const DASHES = "-----";

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

/** The label of a BEGIN or END line; undefined when it is not one. */
function labelOf(line: string, mark: string): string | undefined {
  if (!line.startsWith(mark) || !line.endsWith(DASHES)) return undefined;
  return line.slice(mark.length, -DASHES.length);
}

function withoutEnd(label: string): PemError {
  return new PemError(`the ${label} block has no end line; the file may be truncated`);
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
  if (base64 === "") throw new PemError(`the ${label} block is empty`);
  try {
    return { label, headers, bytes: decodeBase64(base64) };
  } catch (cause) {
    throw new PemError(`the ${label} block does not hold base64`, { cause });
  }
}

/** Writes one block, 64 characters a line, with a final newline. */
export function formatPem(label: string, bytes: Uint8Array): string {
  const lines = encodeBase64(bytes).match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
