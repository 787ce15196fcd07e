/**
 * Selectors of certificates in an operating system's store: what a certificate must say to be the
 * one that is meant. How a selector is written on a command line is in `selector_text.ts`.
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

/** Thrown for a selector that cannot be right; the message is a sentence's tail. */
export class SelectorError extends Error {
  override readonly name = "SelectorError";
}

/** The keys a selector may have. */
export const SELECTOR_KEYS = [
  "x509Subject",
  "x509Issuer",
  "x509Serial",
  "x509Thumbprint",
  "x509San",
] as const;

/** A key of a selector. */
export type SelectorKey = (typeof SELECTOR_KEYS)[number];

/** The value of each key, as written. */
export type SelectorValues = ReadonlyMap<SelectorKey, string>;

/** Required values of a certificate; absent ones match anything. */
export interface CertificateSelector {
  readonly subject?: DistinguishedName;
  readonly issuer?: DistinguishedName;
  readonly serialNumber?: bigint;
  readonly thumbprint?: { readonly hash: "SHA-1" | "SHA-256"; readonly bytes: Uint8Array };
  readonly alternativeName?: AlternativeName;
}

/** Hashes that thumbprints are made with, by their length in bytes. */
const THUMBPRINT_HASHES: Readonly<Record<number, "SHA-1" | "SHA-256">> = {
  20: "SHA-1",
  32: "SHA-256",
};

/** True when `name` is a key of selectors. */
export function isSelectorKey(name: string): name is SelectorKey {
  return (SELECTOR_KEYS as readonly string[]).includes(name);
}

/** Reads the value of each key. Throws {@link SelectorError}, naming the key. */
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

/** Hex digits, or bytes of two with colons or spaces between them. */
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
  // Windows puts an invisible mark before the thumbprint that it lets people copy.
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

/** The hash of a whole certificate, by which programs name it. */
export async function thumbprintOf(
  { encoded }: Certificate,
  hash: "SHA-1" | "SHA-256",
): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest(hash, new Uint8Array(encoded)));
}

/** The thumbprint in the hex that a selector takes. */
export async function thumbprintHex(certificate: Certificate): Promise<string> {
  return encodeHex(await thumbprintOf(certificate, "SHA-256"));
}
