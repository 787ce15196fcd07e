/**
 * Selectors of certificates in an operating system's store, by the fields of the certificate. Their
 * syntax on the command line is in `selector_syntax.ts`.
 *
 * @module
 */
import { decodeHex, encodeHex } from "@std/encoding/hex";
import {
  type AlternativeName,
  hasAlternativeName,
  parseAlternativeName,
} from "./subject_alternative_names.ts";
import type { Certificate } from "./certificate.ts";
import { type DistinguishedName, readName, sameName } from "./name.ts";
import { NameError, parseName } from "./name_parser.ts";
import { sameBytes } from "./public_key.ts";

/** Error for an invalid selector. The message follows the selector's source. */
export class SelectorError extends Error {
  override readonly name = "SelectorError";
}

/** Valid keys of a selector. */
export const SELECTOR_KEYS = [
  "x509Subject",
  "x509Issuer",
  "x509Serial",
  "x509Thumbprint",
  "x509San",
] as const;

/** Key of a selector. */
export type SelectorKey = (typeof SELECTOR_KEYS)[number];

/** Text of each key's value. */
export type SelectorValues = ReadonlyMap<SelectorKey, string>;

/** Required values of a certificate. An absent field matches any value. */
export interface CertificateSelector {
  readonly subject?: DistinguishedName;
  readonly issuer?: DistinguishedName;
  readonly serialNumber?: bigint;
  readonly thumbprint?: { readonly hash: "SHA-1" | "SHA-256"; readonly bytes: Uint8Array };
  readonly alternativeName?: AlternativeName;
}

/** Hash functions of thumbprints, by length in bytes. */
const THUMBPRINT_HASHES: Readonly<Record<number, "SHA-1" | "SHA-256">> = {
  20: "SHA-1",
  32: "SHA-256",
};

/** Returns true if `name` is a key of a selector. */
export function isSelectorKey(name: string): name is SelectorKey {
  return (SELECTOR_KEYS as readonly string[]).includes(name);
}

/** Parses the value of each key. Throws {@link SelectorError} with the key's name. */
export function parseSelector(values: SelectorValues): CertificateSelector {
  const read = <T>(key: SelectorKey, parse: (text: string) => T): T | undefined => {
    const text = values.get(key);
    if (text === undefined) return undefined;
    try {
      if (text.trim() === "") throw new SelectorError("the value is empty");
      return parse(text);
    } catch (cause) {
      if (!(cause instanceof SelectorError || cause instanceof NameError)) throw cause;
      throw new SelectorError(`${key}: ${cause.message}`, { cause });
    }
  };
  const subject = read("x509Subject", parseName);
  const issuer = read("x509Issuer", parseName);
  const serialNumber = read("x509Serial", parseSerialNumber);
  const thumbprint = read("x509Thumbprint", parseThumbprint);
  const alternativeName = read("x509San", parseSan);
  return {
    ...(subject ? { subject } : {}),
    ...(issuer ? { issuer } : {}),
    ...(serialNumber === undefined ? {} : { serialNumber }),
    ...(thumbprint ? { thumbprint } : {}),
    ...(alternativeName ? { alternativeName } : {}),
  };
}

/** Hex digits, or bytes of two digits separated by colons or spaces. */
const HEX = /^(?:[0-9a-f]+|[0-9a-f]{1,2}(?:[: ][0-9a-f]{2})+)$/i;

function parseSerialNumber(text: string): bigint {
  const [, sign, digits = ""] = /^(-?)(.*)$/s.exec(text.trim()) ?? [];
  if (!HEX.test(digits)) {
    throw new SelectorError(
      `the value is not a serial number in hex, as in 15D19632 or 15:d1:96:32`,
    );
  }
  const number = BigInt(`0x${digits.replace(/[: ]/g, "")}`);
  return sign === "-" ? -number : number;
}

function parseThumbprint(text: string): NonNullable<CertificateSelector["thumbprint"]> {
  // A thumbprint copied from a Windows dialog begins with an invisible mark.
  const digits = text.replace(/^[\u200e\s]+|[\u200e\s]+$/g, "");
  const hex = HEX.test(digits) ? digits.replace(/[: ]/g, "") : "";
  const hash = THUMBPRINT_HASHES[hex.length / 2];
  if (!hash) {
    throw new SelectorError(
      "the value is not a thumbprint in hex: 40 digits of SHA-1 or 64 of SHA-256",
    );
  }
  return { hash, bytes: decodeHex(hex) };
}

function parseSan(text: string): AlternativeName {
  const name = parseAlternativeName(text.trim());
  if (name) return name;
  throw new SelectorError(
    "the value is not a subject alternative name; " +
      "write one as DNS:…, email:…, URI:…, IP:… or UPN:…",
  );
}

/** Returns true if the certificate matches the selector. */
export async function matchesSelector(
  { subject, issuer, serialNumber, thumbprint, alternativeName }: CertificateSelector,
  certificate: Certificate,
): Promise<boolean> {
  if (serialNumber !== undefined && serialNumber !== certificate.serialNumber) return false;
  if (subject && !sameName(subject, readName(certificate.subject))) return false;
  if (issuer && !sameName(issuer, readName(certificate.issuer))) return false;
  if (alternativeName && !hasAlternativeName(certificate, alternativeName)) return false;
  return !thumbprint ||
    sameBytes(thumbprint.bytes, await thumbprintOf(certificate, thumbprint.hash));
}

/** Returns the thumbprint: the hash of the whole certificate. */
async function thumbprintOf(
  { encoded }: Certificate,
  hash: "SHA-1" | "SHA-256",
): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest(hash, new Uint8Array(encoded)));
}

/** Returns the thumbprint in hex, the form of a selector. */
export async function thumbprintHex(certificate: Certificate): Promise<string> {
  return encodeHex(await thumbprintOf(certificate, "SHA-256"));
}
