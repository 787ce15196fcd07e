/**
 * Distinguished names in text form (RFC 2253, RFC 4514).
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { ATTRIBUTE_NAMES } from "./attribute_types.ts";
import {
  decodeObjectIdentifier,
  type DerElement,
  DerError,
  DerReader,
  readSequence,
  TAG,
} from "./der.ts";
import { sameBytes } from "./public_key.ts";

/** Attribute of a name. It has `text` if its value has a string type, else only `encoded`. */
export interface NameAttribute {
  /** The attribute's type, a dotted object identifier. */
  readonly type: string;
  readonly text?: string;
  /** DER of the value; absent if the name was parsed from text and the value is text. */
  readonly encoded?: Uint8Array;
}

/** Relative distinguished name: a set of at least one attribute. */
export type RelativeName = readonly NameAttribute[];

/** Distinguished name in the order of RFC 2253: the most specific relative name first. */
export type DistinguishedName = readonly RelativeName[];

/** Text decoders of string types, by tag. They throw TypeError if the bytes are not text. */
const STRING_DECODERS: Readonly<Record<number, (contents: Uint8Array) => string>> = {
  [TAG.utf8String]: decoder("utf-8"),
  [TAG.printableString]: latin1,
  [TAG.ia5String]: latin1,
  [TAG.teletexString]: latin1,
  [TAG.bmpString]: decoder("utf-16be"),
};

function decoder(encoding: string): (contents: Uint8Array) => string {
  // ignoreBOM keeps a byte order mark, which is part of the value.
  return (contents) => new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(contents);
}

function latin1(contents: Uint8Array): string {
  return Array.from(contents, (byte) => String.fromCharCode(byte)).join("");
}

/** Reads a DER Name. Throws {@link DerError} if it is malformed. */
export function readName(encoded: Uint8Array): DistinguishedName {
  const relativeNames: RelativeName[] = [];
  for (const name = readSequence(encoded); !name.atEnd;) {
    const attributes: NameAttribute[] = [];
    for (const set = new DerReader(name.expect(TAG.set).contents); !set.atEnd;) {
      const attribute = set.sequence();
      const type = decodeObjectIdentifier(attribute.expect(TAG.objectIdentifier).contents);
      const value = attribute.next();
      attribute.end();
      attributes.push({ type, ...readValue(value) });
    }
    if (attributes.length === 0) throw new DerError("an empty relative distinguished name");
    relativeNames.unshift(attributes);
  }
  return relativeNames;
}

/** Returns the value of an attribute: its DER, and its text if it has a string type. */
export function readValue(value: DerElement): { encoded: Uint8Array; text?: string } {
  const { tag, contents, encoded } = value;
  try {
    const text = STRING_DECODERS[tag]?.(contents);
    return text === undefined ? { encoded } : { encoded, text };
  } catch {
    return { encoded }; // bytes that do not match their type
  }
}

/**
 * Returns true if both names are the same. The relative names have the same order, their attributes
 * any order. Compares text exactly, regardless of its string type.
 */
export function sameName(a: DistinguishedName, b: DistinguishedName): boolean {
  return a.length === b.length &&
    a.every((relativeName, i) => sameRelativeName(relativeName, b[i] ?? []));
}

function sameRelativeName(a: RelativeName, b: RelativeName): boolean {
  const left = [...b];
  return a.length === b.length && a.every((attribute) => {
    const at = left.findIndex((other) => sameAttribute(attribute, other));
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
}

function sameAttribute(a: NameAttribute, b: NameAttribute): boolean {
  if (a.type !== b.type) return false;
  if (a.text !== undefined || b.text !== undefined) return a.text === b.text;
  return a.encoded !== undefined && b.encoded !== undefined && sameBytes(a.encoded, b.encoded);
}

/**
 * Returns the RFC 2253 form of a DER Name: last relative name first, values escaped. Unknown
 * attribute types are dotted, with their value as `#` and hex. Throws {@link DerError} if it is
 * malformed.
 */
export function formatName(encoded: Uint8Array): string {
  return readName(encoded).map((relativeName) => relativeName.map(formatAttribute).join("+"))
    .join(",");
}

function formatAttribute({ type, text, encoded = new Uint8Array() }: NameAttribute): string {
  const shortName = ATTRIBUTE_NAMES[type];
  if (shortName === undefined || text === undefined) {
    return `${shortName ?? type}=#${encodeHex(encoded)}`;
  }
  return `${shortName}=${escapeValue(text)}`;
}

function escapeValue(value: string): string {
  return value
    .replace(/[,+"\\<>;=]/g, "\\$&")
    // Control and direction characters must not reach a terminal or break a line.
    .replace(/[\p{Cc}\p{Cf}]/gu, (c) => encodeHex(c).replace(/../g, "\\$&"))
    .replace(/^[ #]|(?<=.) $/gs, "\\$&");
}
