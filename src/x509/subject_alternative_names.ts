/**
 * Text form of subject alternative names (RFC 5280 section 4.2.1.6): `DNS:host.example`,
 * `email:name@host`, `URI:spiffe://domain/path`, `IP:192.0.2.1`, `UPN:name@domain`.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import type { Certificate } from "./certificate.ts";
import { contextTag, type DerElement, DerError, DerReader, readSequence, TAG } from "./der.ts";

/** Kinds of names in lower case, with functions that return the canonical form of a value. */
const KINDS: Readonly<Record<string, (value: string) => string | undefined>> = {
  dns: (value) => /^[\x21-\x7e]+$/.test(value) ? value.toLowerCase() : undefined,
  email: (value) => {
    // The host is case-insensitive; the local part is not.
    const [, local, host] = /^([\x21-\x7e]+)@([\x21-\x7e]+)$/.exec(value) ?? [];
    return local === undefined ? undefined : `${local}@${host?.toLowerCase()}`;
  },
  uri: (value) => /^[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+$/.test(value) ? value : undefined,
  ip: canonicalAddress,
  upn: (value) => value === "" ? undefined : value.toLowerCase(),
};

/** Microsoft's user principal name, an `otherName`. */
const USER_PRINCIPAL_NAME = "1.3.6.1.4.1.311.20.2.3";

/** Kind in {@link KINDS}, and the canonical form of the value. */
export interface AlternativeName {
  readonly kind: string;
  readonly value: string;
}

/** Parses `KIND:value`. Returns undefined for other text. */
export function parseAlternativeName(text: string): AlternativeName | undefined {
  const [, written = "", value = ""] = /^([A-Za-z]+):(.*)$/s.exec(text) ?? [];
  const kind = written.toLowerCase();
  const canonical = Object.hasOwn(KINDS, kind) ? KINDS[kind]?.(value) : undefined;
  return canonical === undefined ? undefined : { kind, value: canonical };
}

/** Returns true if the certificate has this name. Malformed names never match. */
export function hasAlternativeName(certificate: Certificate, wanted: AlternativeName): boolean {
  if (!certificate.subjectAlternativeName) return false;
  try {
    const names = readSequence(certificate.subjectAlternativeName);
    while (!names.atEnd) {
      const name = readGeneralName(names.next());
      if (name?.kind === wanted.kind && KINDS[name.kind]?.(name.value) === wanted.value) {
        return true;
      }
    }
  } catch (thrown) {
    if (!(thrown instanceof DerError)) throw thrown;
  }
  return false;
}

function readGeneralName({ tag, contents }: DerElement): AlternativeName | undefined {
  const text = () => String.fromCharCode(...contents);
  switch (tag) {
    case contextTag(0, true):
      return readOtherName(new DerReader(contents));
    case contextTag(1, false):
      return { kind: "email", value: text() };
    case contextTag(2, false):
      return { kind: "dns", value: text() };
    case contextTag(6, false):
      return { kind: "uri", value: text() };
    case contextTag(7, false):
      return { kind: "ip", value: formatAddress(contents) };
    default:
      return undefined;
  }
}

function readOtherName(otherName: DerReader): AlternativeName | undefined {
  if (otherName.objectIdentifier() !== USER_PRINCIPAL_NAME) return undefined;
  const value = new DerReader(otherName.expect(contextTag(0, true)).contents);
  const text = value.expect(TAG.utf8String).contents;
  return { kind: "upn", value: new TextDecoder().decode(text) };
}

/** Formats the 4 or 16 bytes of an address. */
function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  return encodeHex(bytes).replace(/.{4}(?=.)/g, "$&:");
}

/** Returns the canonical form of an address: dotted decimal, or RFC 5952 for IPv6. */
function canonicalAddress(text: string): string | undefined {
  const decimals = text.split(".");
  if (decimals.length === 4 && decimals.every((part) => /^(0|[1-9]\d{0,2})$/.test(part))) {
    return decimals.every((part) => Number(part) <= 255) ? text : undefined;
  }
  if (!/^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$/.test(text)) return undefined;
  return URL.parse(`http://[${text}]/`)?.hostname;
}
