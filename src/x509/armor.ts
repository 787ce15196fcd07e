/**
 * Transport encodings of a file: DER, PEM in any text encoding, or base64 of one of these.
 *
 * @module
 */
import { decodeAnyBase64 } from "./base64.ts";
import { DerError, DerReader, TAG } from "./der.ts";
import { looksLikePem, parsePem, type PemBlock, PemError } from "./pem.ts";

/** Content of a file without its transport encoding. */
export type Unarmored =
  /** Consecutive DER elements, at least one. */
  | { readonly form: "der"; readonly elements: readonly Uint8Array[] }
  | { readonly form: "pem"; readonly blocks: readonly PemBlock[] }
  /** Bytes that `isKnown` accepts. `isDecoded` is true if the file has them in base64. */
  | { readonly form: "known"; readonly bytes: Uint8Array; readonly isDecoded?: true }
  /** Any other content. */
  | { readonly form: "other"; readonly text: string };

/**
 * Decodes the content of a file. `isKnown` accepts other binary formats.
 *
 * Throws {@link PemError} if the text is damaged PEM. The result shares the memory of `bytes`.
 */
export function unarmor(
  bytes: Uint8Array,
  isKnown: (bytes: Uint8Array) => boolean = () => false,
): Unarmored {
  const binary = readBinary(bytes, isKnown);
  if (binary) return binary;
  const text = decodeText(bytes);
  if (looksLikePem(text)) return readPemText(text);
  const decoded = decodeAnyBase64(text.replace(/\\+[rn]/g, "\n"));
  const inner = decoded && (readBinary(decoded, isKnown) ?? readInnerText(decoded));
  if (!inner) return { form: "other", text };
  return inner.form === "known" ? { ...inner, isDecoded: true } : inner;
}

function readBinary(
  bytes: Uint8Array,
  isKnown: (bytes: Uint8Array) => boolean,
): Unarmored | undefined {
  if (isKnown(bytes)) return { form: "known", bytes };
  const elements = derElements(bytes);
  return elements ? { form: "der", elements } : undefined;
}

function readInnerText(bytes: Uint8Array): Unarmored | undefined {
  const text = decodeText(bytes);
  return looksLikePem(text) ? readPemText(text) : undefined;
}

function readPemText(text: string): Unarmored {
  const blocks = parsePem(text);
  if (blocks.length > 0) return { form: "pem", blocks };
  throw new PemError(
    "a BEGIN line holds more than a label; its line breaks may be lost; export it again",
  );
}

/** Reads consecutive SEQUENCEs. Returns undefined for other bytes, except padding at the end. */
function derElements(bytes: Uint8Array): Uint8Array[] | undefined {
  const reader = new DerReader(bytes);
  const elements: Uint8Array[] = [];
  try {
    while (reader.peekTag() === TAG.sequence) elements.push(reader.next().encoded);
  } catch (thrown) {
    if (thrown instanceof DerError) return undefined;
    throw thrown;
  }
  const length = elements.reduce((sum, element) => sum + element.length, 0);
  const isWhole = bytes.subarray(length).every((byte) => TRAILING_BYTES.includes(byte));
  return elements.length > 0 && isWhole ? elements : undefined;
}

/** Bytes that editors append to a binary file: zero, line breaks, Ctrl-Z, space. */
const TRAILING_BYTES: readonly number[] = [0x00, 0x0a, 0x0d, 0x1a, 0x20];

/** Decodes UTF-8, or UTF-16 with a byte order mark, which some Windows editors write. */
export function decodeText(bytes: Uint8Array): string {
  const [first, second] = bytes;
  const encoding = first === 0xff && second === 0xfe
    ? "utf-16le"
    : first === 0xfe && second === 0xff
    ? "utf-16be"
    : "utf-8";
  return new TextDecoder(encoding).decode(bytes);
}
