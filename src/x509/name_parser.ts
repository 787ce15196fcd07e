/**
 * Parser of distinguished names by RFC 4514. It also reads the older syntax of RFC 2253 section 4
 * (semicolons, quoted values, `OID.` before an object identifier).
 *
 * @module
 */
import { decodeHex } from "@std/encoding/hex";
import { attributeTypeOf } from "./attribute_types.ts";
import { DerReader } from "./der.ts";
import { type DistinguishedName, type NameAttribute, readValue } from "./name.ts";

/** Error for text that is not a distinguished name. The message follows the name's source. */
export class NameError extends Error {
  override readonly name = "NameError";
}

/** Separators of relative names. */
const SEPARATORS = [",", ";"];
/** Characters that must be escaped anywhere in a value, in addition to the separators. */
const FORBIDDEN = /["<>\0]/;

/** Parses a distinguished name. Throws {@link NameError} if the text is malformed. */
export function parseName(text: string): DistinguishedName {
  const reader = new NameReader(text);
  const names: NameAttribute[][] = [];
  do {
    const attributes: NameAttribute[] = [];
    do attributes.push(reader.attribute()); while (reader.take("+"));
    names.push(attributes);
  } while (SEPARATORS.some((separator) => reader.take(separator)));
  return names;
}

/** Reader of the text of a name. */
class NameReader {
  #rest: string;

  constructor(text: string) {
    this.#rest = text;
  }

  /** Reads `character` if it comes next. */
  take(character: string): boolean {
    if (!this.#rest.startsWith(character)) return false;
    this.#rest = this.#rest.slice(character.length);
    return true;
  }

  /** Reads `type=value` and the spaces around both. */
  attribute(): NameAttribute {
    const [whole = "", written = ""] = /^ *([^=,;+"\\]*?) *(?==|$)/.exec(this.#rest) ?? [];
    const type = attributeTypeOf(written);
    if (type === undefined || this.#rest[whole.length] !== "=") throw this.#noAttribute();
    this.#rest = this.#rest.slice(whole.length + 1).replace(/^ +/, "");
    const value = this.take("#")
      ? this.#hexValue(written)
      : { text: this.take('"') ? this.#quotedValue(written) : this.#plainValue(written) };
    return { type, ...value };
  }

  #noAttribute(): NameError {
    const [part = ""] = /^[^,;+]*/.exec(this.#rest) ?? [];
    return new NameError(
      part.trim() === ""
        ? "an attribute is missing; write CN=…,O=…"
        : 'a part does not begin with an attribute and "="; ' +
          "write CN=…,O=…, and a comma within a value as \\,",
    );
  }

  #hexValue(attribute: string): { encoded: Uint8Array; text?: string } {
    const [hex = ""] = /^[^,;+]*/.exec(this.#rest) ?? [];
    this.#rest = this.#rest.slice(hex.length);
    try {
      const reader = new DerReader(decodeHex(hex.trimEnd()));
      const value = reader.next();
      reader.end();
      return readValue(value);
    } catch {
      throw new NameError(`the value of ${attribute} after "#" is not the hex of one DER value`);
    }
  }

  #quotedValue(attribute: string): string {
    const bytes = new TextBytes(attribute);
    for (;;) {
      if (this.#rest === "") throw new NameError(`the value of ${attribute} has no closing quote`);
      if (this.take('""')) bytes.add('"'); // Windows doubles a quote within quotes
      else if (this.take('"')) break;
      else if (this.take("\\")) this.#escaped(bytes, attribute);
      else bytes.add(this.#character());
    }
    this.#rest = this.#rest.replace(/^ +/, "");
    if (this.#rest !== "" && !["+", ...SEPARATORS].includes(this.#rest[0] ?? "")) {
      throw new NameError(`unexpected text after the quoted value of ${attribute}`);
    }
    return bytes.text();
  }

  #plainValue(attribute: string): string {
    const bytes = new TextBytes(attribute);
    while (this.#rest !== "" && !["+", ...SEPARATORS].includes(this.#rest[0] ?? "")) {
      if (this.take("\\")) {
        this.#escaped(bytes, attribute);
        continue;
      }
      const character = this.#character();
      if (FORBIDDEN.test(character)) {
        throw new NameError(
          `the value of ${attribute} holds ${
            character === "\0" ? "a null character" : character
          }; write ${character === "\0" ? "\\00" : `\\${character}`}`,
        );
      }
      bytes.add(character, character === " ");
    }
    return bytes.text();
  }

  /** Reads an escape after its backslash: one special character, or two hex digits of a byte. */
  #escaped(bytes: TextBytes, attribute: string): void {
    const [hex] = /^[0-9A-Fa-f]{2}/.exec(this.#rest) ?? [];
    const [special] = /^[ "#+,;<=>\\]/.exec(this.#rest) ?? [];
    if (hex !== undefined) bytes.addByte(parseInt(hex, 16));
    else if (special !== undefined) bytes.add(special);
    else {
      throw new NameError(
        `the value of ${attribute} has a backslash before neither a special character ` +
          "nor two hex digits; write \\\\ for a backslash",
      );
    }
    this.#rest = this.#rest.slice((hex ?? special ?? "").length);
  }

  #character(): string {
    const [character = ""] = this.#rest;
    this.#rest = this.#rest.slice(character.length);
    return character;
  }
}

/** Buffer for the UTF-8 of a value, from characters and bytes. */
class TextBytes {
  readonly #bytes: number[] = [];
  /** Number of bytes without unescaped spaces at the end. */
  #length = 0;

  constructor(readonly attribute: string) {}

  add(character: string, mayBeTrailing = false): void {
    this.#bytes.push(...new TextEncoder().encode(character));
    if (!mayBeTrailing) this.#length = this.#bytes.length;
  }

  addByte(byte: number): void {
    this.#length = this.#bytes.push(byte);
  }

  text(): string {
    const bytes = new Uint8Array(this.#bytes.slice(0, this.#length));
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new NameError(`the value of ${this.attribute} has hex escapes that are not UTF-8`);
    }
  }
}
