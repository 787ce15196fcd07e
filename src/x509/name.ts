/**
 * Distinguished names as people read and write them (RFC 2253, RFC 4514).
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { decodeObjectIdentifier, DerError, DerReader, readSequence, TAG } from "./der.ts";

/** Short names of attribute types, by object identifier (RFC 4519, and E from PKCS#9). */
export const ATTRIBUTE_NAMES: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.4": "SN",
  "2.5.4.5": "SERIALNUMBER",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.9": "STREET",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "2.5.4.12": "T",
  "2.5.4.17": "POSTALCODE",
  "2.5.4.42": "GN",
  "0.9.2342.19200300.100.1.1": "UID",
  "0.9.2342.19200300.100.1.25": "DC",
  "1.2.840.113549.1.9.1": "E",
};

/** Text decoders of the string types that names use, by tag. */
const STRING_DECODERS: Readonly<Record<number, (contents: Uint8Array) => string>> = {
  [TAG.utf8String]: (contents) => new TextDecoder().decode(contents),
  [TAG.printableString]: latin1,
  [TAG.ia5String]: latin1,
  [TAG.teletexString]: latin1,
  [TAG.bmpString]: (contents) => new TextDecoder("utf-16be").decode(contents),
};

function latin1(contents: Uint8Array): string {
  return Array.from(contents, (byte) => String.fromCharCode(byte)).join("");
}

/**
 * The RFC 2253 form of a DER Name: last relative name first, values escaped, unknown attribute
 * types dotted with their value as `#` and hex. Throws {@link DerError} when it is malformed.
 */
export function formatName(encoded: Uint8Array): string {
  const relativeNames: string[] = [];
  for (const name = readSequence(encoded); !name.atEnd;) {
    const attributes: string[] = [];
    for (const set = new DerReader(name.expect(TAG.set).contents); !set.atEnd;) {
      attributes.push(formatAttribute(set.sequence()));
    }
    if (attributes.length === 0) throw new DerError("an empty relative distinguished name");
    relativeNames.unshift(attributes.join("+"));
  }
  return relativeNames.join(",");
}

function formatAttribute(attribute: DerReader): string {
  const type = decodeObjectIdentifier(attribute.expect(TAG.objectIdentifier).contents);
  const value = attribute.next();
  attribute.end();
  const shortName = ATTRIBUTE_NAMES[type];
  const decode = STRING_DECODERS[value.tag];
  if (shortName === undefined || decode === undefined) {
    return `${shortName ?? type}=#${encodeHex(value.encoded)}`;
  }
  return `${shortName}=${escapeValue(decode(value.contents))}`;
}

function escapeValue(value: string): string {
  return value
    .replace(/[,+"\\<>;=]/g, "\\$&")
    // Control and direction characters must not reach a terminal or break a line.
    .replace(/[\p{Cc}\p{Cf}]/gu, (c) => encodeHex(c).replace(/../g, "\\$&"))
    .replace(/^[ #]|(?<=.) $/gs, "\\$&");
}
