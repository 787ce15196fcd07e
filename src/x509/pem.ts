/**
 * Parser of PEM blocks (RFC 7468), with the RFC 1421 headers of older OpenSSL files.
 *
 * @module
 */
import { encodeBase64 } from "@std/encoding/base64";
import { decodeAnyBase64 } from "./base64.ts";

/** PEM block: `-----BEGIN label-----` … `-----END label-----`. */
export interface PemBlock {
  readonly label: string;
  /** RFC 1421 headers such as `Proc-Type` and `DEK-Info`, by their names in the file. */
  readonly headers: ReadonlyMap<string, string>;
  readonly bytes: Uint8Array;
}

/** Error for a damaged block. The message repeats nothing from the file except a known label. */
export class PemError extends Error {
  override readonly name = "PemError";
}

/**
 * BEGIN or END line up to its last dashes, anywhere in the text. Transport can lose line breaks and
 * first dashes, and add blanks. Accepts only a label between the dashes, because other text could
 * be part of a key.
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
/** Patterns of damaged base64, with their messages. */
const DAMAGES: readonly (readonly [pattern: RegExp, message: string])[] = [
  [/\.\.\.|\u2026/, "is shortened with dots; copy all of it"],
  [/\*\*\*/, "is masked with asterisks; get it from where it is stored"],
  [/%[0-9A-F]{2}/i, "is URL-encoded; decode it first"],
  [/[<&]/, "has HTML or XML in it; export it again"],
  [/\ufffd/, "has lost characters in a conversion of text; export it again"],
];

/** Returns true if the text has the beginning of a PEM block anywhere. */
export function looksLikePem(text: string): boolean {
  return BEGIN.test(text);
}

/** Block after its BEGIN line. */
interface OpenBlock {
  readonly label: string;
  readonly start: number;
  /** True if the marker is part of a sentence or of a comment. */
  readonly isInSentence: boolean;
}

/**
 * Returns every block in the text, in order, except blocks that are commented out. Ignores text
 * around blocks. Line breaks may be missing or escaped. Throws {@link PemError} for a block without
 * an end or with content that is not base64. Ignores such a block if it begins in a sentence and
 * there are other blocks.
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
      if (isWholeLine(text, index, start)) {
        open = { label, start, isInSentence: false };
        continue;
      }
      if (isCommentedOut(text, index)) {
        open = undefined;
        problem ??= new PemError(
          `${describeBlock(label)} is commented out; remove the comment signs`,
        );
        continue;
      }
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

/**
 * Returns true if a line has only the marker. Most lines do: the patterns for the others, which take long
 * to compile, do not match them.
 */
function isWholeLine(text: string, start: number, end: number): boolean {
  const first = text[start - 1] === "-" ? start - 1 : start;
  return isLineEnd(text[first - 1]) && isLineEnd(text[end + DASHES]);
}

/** Number of dashes after a label. */
const DASHES = 5;

/** Returns true for a character of a line break, and beyond the text. */
function isLineEnd(character: string | undefined): boolean {
  return character === undefined || character === "\n" || character === "\r";
}

/** Number of characters before and after a marker that {@link isInSentence} checks. */
const CONTEXT = 24;
// Patterns as text: V8 would parse literals in each run, which takes 1 ms for these classes of Unicode.
/** A word or a comment sign, then a blank. An escaped line break also ends with a letter. */
const AFTER_WORD = String.raw`(?<!\\)[\p{L}\p{N}#;*.,/)][ \t]{1,3}["'\x60(]?-*$`;
/** A blank, then a word. Lines of a key are longer; its headers have a hyphen or a colon. */
const BEFORE_WORD = String.raw`^-{5,6}["'\x60)]?[ \t]{1,3}\p{L}{1,15}(?:[\s.,;]|$)`;

/** Returns true if the marker is part of prose, such as a comment about the key's place. */
function isInSentence(text: string, start: number, end: number): boolean {
  return new RegExp(AFTER_WORD, "u").test(text.slice(Math.max(0, start - CONTEXT), start)) ||
    new RegExp(BEFORE_WORD, "u").test(text.slice(end, end + CONTEXT));
}

/** The beginning of a line up to a marker, with a comment sign; line breaks may be escaped. */
const COMMENT = /(?:^|[\r\n]|\\n)[ \t]*(?:#+|;+|\/{2,}|\*+|%+|--[ \t]|rem[ \t])[ \t]*-?$/i;

/** Returns true for a block that is commented out. Like OpenSSL, the program does not read it. */
function isCommentedOut(text: string, start: number): boolean {
  const from = Math.max(0, start - CONTEXT);
  return COMMENT.test(`${from > 0 ? "." : ""}${text.slice(from, start)}`);
}

/** Parses a block. Between two markers of one sentence there is no long run of base64. */
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

/** Beginning of a line in a mail's quote or in quotation marks. */
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

/** Removes dashes of the markers that {@link MARKER} did not match. */
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

/** Headers of OpenSSL's traditional format, which may be on one line with the key. */
const TRADITIONAL_HEADERS =
  /^\s{0,9}(Proc-Type:\s{0,9}4\s{0,9},\s{0,9}ENCRYPTED)\s{0,9}(DEK-Info:\s{0,9}(?:AES-\d{3}-CBC,[0-9A-F]{32}|DES(?:-EDE3)?-CBC,[0-9A-F]{16}))/i;

/** Restores line breaks escaped by JSON, shells, YAML or XML. Base64 has neither `\` nor `&`. */
function restoreLines(text: string): string {
  const unescaped = text.includes("\\") || text.includes("&#")
    ? ESCAPES.reduce((result, [pattern, character]) => result.replace(pattern, character), text)
    : text;
  return unescaped.includes(":") ? unescaped.replace(TRADITIONAL_HEADERS, "$1\n$2\n") : unescaped;
}

const FULL_LINE = 64;

/** Restores each `+` that URL decoding turned into a blank, if the blanks complete the line. */
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
