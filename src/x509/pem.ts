/**
 * Finding PEM blocks in text (RFC 7468, and RFC 1421 headers as OpenSSL's older files have them).
 *
 * @module
 */
import { encodeBase64 } from "@std/encoding/base64";
import { decodeAnyBase64 } from "./base64.ts";

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

/**
 * A BEGIN or END line up to its last dashes, anywhere in the text: transport loses line breaks and
 * first dashes, and adds blanks. What is between the dashes must be a label, as it could be part of a
 * key otherwise.
 */
const MARKER =
  /----\s{0,3}(BEGIN|END)\s{1,3}([A-Z0-9](?:[A-Z0-9 #.]{0,62}[A-Z0-9])?)\s{0,3}(?=-----)/g;
const BEGIN = /----\s{0,3}BEGIN\s/;

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
/** Damages of a text in place of base64 → their names. */
const DAMAGES: readonly (readonly [pattern: RegExp, message: string])[] = [
  [/\.\.\.|\u2026/, "is shortened with dots; copy all of it"],
  [/\*\*\*/, "is masked with asterisks; get it from where it is stored"],
  [/%[0-9A-F]{2}/i, "is URL-encoded; decode it first"],
  [/[<&]/, "has HTML or XML in it; export it again"],
  [/\ufffd/, "has lost characters in a conversion of text; export it again"],
];

/** True when the text has the beginning of a PEM block anywhere. */
export function looksLikePem(text: string): boolean {
  return BEGIN.test(text);
}

/** A block whose BEGIN line was found. */
interface OpenBlock {
  readonly label: string;
  readonly start: number;
  /** True if the marker is part of a sentence or of a comment. */
  readonly isInSentence: boolean;
}

/**
 * Returns every block in the text, in order. Text around blocks is passed over, line breaks may be
 * missing or escaped. A block without its end or with other than base64 in it is a {@link PemError},
 * unless it begins in a sentence and there are other blocks.
 */
export function parsePem(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  let problem: PemError | undefined;
  const passOver = ({ isInSentence }: OpenBlock, error: PemError) => {
    if (!isInSentence) throw error;
    problem ??= error;
  };
  let open: OpenBlock | undefined;
  for (const { 0: marker, 1: mark, 2: written = "", index } of text.matchAll(MARKER)) {
    const label = written.replace(/ +/g, " ");
    if (mark === "BEGIN") {
      if (open) passOver(open, missingEndError(open.label));
      const start = index + marker.length;
      open = { label, start, isInSentence: isInSentence(text, index, start) };
    } else if (open) {
      try {
        if (open.label !== label) throw missingEndError(open.label);
        blocks.push(parseOpen(open, text.slice(open.start, index)));
      } catch (thrown) {
        if (!(thrown instanceof PemError)) throw thrown;
        passOver(open, thrown);
      }
      open = undefined;
    }
  }
  if (open) passOver(open, missingEndError(open.label));
  if (problem && blocks.length === 0) throw problem;
  return blocks;
}

/** Characters of the line before and after a marker that {@link isInSentence} looks at. */
const CONTEXT = 24;
/** A word or a sign of a comment, then a blank. An escaped line break ends in a letter, too. */
const AFTER_WORD = /(?<!\\)[\p{L}\p{N}#;*.,/)][ \t]{1,3}["'`(]?-*$/u;
/** A blank, then a word; the lines of a key are longer, its headers have a hyphen or a colon. */
const BEFORE_WORD = /^-{5,6}["'`)]?[ \t]{1,3}\p{L}{1,15}(?:[\s.,;]|$)/u;

/** Returns true if people wrote the marker, as in a comment about where the key goes. */
function isInSentence(text: string, start: number, end: number): boolean {
  return AFTER_WORD.test(text.slice(Math.max(0, start - CONTEXT), start)) ||
    BEFORE_WORD.test(text.slice(end, end + CONTEXT));
}

/** Parses a block. Between two markers of one sentence there are words, and no run of base64. */
function parseOpen({ label, isInSentence }: OpenBlock, written: string): PemBlock {
  if (isInSentence && !/[\w+/=]{16}/.test(written)) throw notBase64Error(label);
  return parseBlock(label, written);
}

/** Returns a block's name for messages. */
function describeBlock(label: string): string {
  return KNOWN_LABELS.has(label) ? `the ${label} block` : "a block with an unknown label";
}

function missingEndError(label: string): PemError {
  return new PemError(`${describeBlock(label)} has no end line; the file may be truncated`);
}

/** The beginning of a line in a mail's quote or in quotation marks. */
const QUOTED = /^[\s>"']+/;

function parseBlock(label: string, written: string): PemBlock {
  const lines = restorePluses(restoreLines(withoutDashes(written)).split(/\r\n?|\n/));
  const headers = new Map<string, string>();
  let base64 = "";
  for (const written of lines) {
    const line = written.replace(QUOTED, "");
    // Base64 has no colon, and headers come before it.
    const colon = base64 === "" ? line.indexOf(":") : -1;
    if (colon > 0) headers.set(line.slice(0, colon).trim(), line.slice(colon + 1).trim());
    else base64 += line.trim();
  }
  if (base64 === "") throw new PemError(`${describeBlock(label)} is empty`);
  const bytes = decodeAnyBase64(base64);
  if (bytes) return { label, headers, bytes };
  const damage = DAMAGES.find(([pattern]) => pattern.test(base64));
  throw damage ? new PemError(`${describeBlock(label)} ${damage[1]}`) : notBase64Error(label);
}

function notBase64Error(label: string): PemError {
  return new PemError(`${describeBlock(label)} does not hold base64; export it again`);
}

/** The dashes of the markers, of which there may be more than the marker takes. */
function withoutDashes(text: string): string {
  let [start, end] = [0, text.length];
  while (text[start] === "-") start++;
  while (end > start && text[end - 1] === "-") end--;
  return text.slice(start, end);
}

const ESCAPES: readonly (readonly [pattern: RegExp, character: string])[] = [
  [/\\+/g, "\\"], // escaped more than once
  [/\\[rnt]|&#(?:1[03]|x[ad]);/gi, "\n"],
  [/\\u002b/gi, "+"],
  [/\\u002f|\\\//gi, "/"],
  [/\\u003d/gi, "="],
  [/\\(?=\s|$)/g, ""],
];

/** The headers of OpenSSL's traditional format, which may be on one line with the key. */
const TRADITIONAL_HEADERS =
  /^\s{0,9}(Proc-Type:\s{0,9}4\s{0,9},\s{0,9}ENCRYPTED)\s{0,9}(DEK-Info:\s{0,9}(?:AES-\d{3}-CBC,[0-9A-F]{32}|DES(?:-EDE3)?-CBC,[0-9A-F]{16}))/i;

/** Undoes what JSON, shells, YAML and XML do to line breaks: base64 has neither backslash nor `&`. */
function restoreLines(text: string): string {
  const unescaped = text.includes("\\") || text.includes("&#")
    ? ESCAPES.reduce((result, [pattern, character]) => result.replace(pattern, character), text)
    : text;
  return unescaped.replace(TRADITIONAL_HEADERS, "$1\n$2\n");
}

const FULL_LINE = 64;

/** URL decoding turns `+` to a blank: a line with blanks inside is full when they count. */
function restorePluses(lines: readonly string[]): readonly string[] {
  const written = lines.filter((line) => line.trim() !== "");
  const isFull = written.length > 1 &&
    written.slice(0, -1).every((line) => line.length === FULL_LINE && !line.includes(":"));
  return isFull ? lines.map((line) => line.replaceAll(" ", "+")) : lines;
}

/** Writes one block, 64 characters a line, with a final newline. */
export function formatPem(label: string, bytes: Uint8Array): string {
  const lines = encodeBase64(bytes).match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
