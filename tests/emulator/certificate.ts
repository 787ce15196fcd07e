import { Buffer } from "node:buffer";

import {
  type DerElement,
  readElement,
  readElements,
  readObjectIdentifier,
  readOnly,
} from "../support/der.ts";

/** Fields of an X.509 certificate that the emulator needs (RFC 5280). */
export interface Certificate {
  readonly der: Uint8Array<ArrayBuffer>;
  readonly toBeSigned: Uint8Array<ArrayBuffer>;
  /** Dotted decimals. */
  readonly signatureAlgorithm: string;
  readonly signature: Uint8Array<ArrayBuffer>;
  /** 3 for a v3 certificate. */
  readonly version: number;
  readonly serialNumber: bigint;
  /** DER, compared byte for byte. */
  readonly issuer: Uint8Array<ArrayBuffer>;
  readonly subject: Uint8Array<ArrayBuffer>;
  /** The last common name of the subject, "" if it has none. */
  readonly commonName: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKeyInfo: Uint8Array<ArrayBuffer>;
  /** Basic constraints' cA. */
  readonly isAuthority: boolean;
  /** Basic constraints' pathLenConstraint. */
  readonly pathLength: number | undefined;
  /** undefined: the certificate has no key usage extension. */
  readonly keyUsage: { digitalSignature: boolean; certificateSigning: boolean } | undefined;
}

const COMMON_NAME = "2.5.4.3";
const BASIC_CONSTRAINTS = "2.5.29.19";
const KEY_USAGE = "2.5.29.15";

/** Returns whether two byte strings are equal. */
export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((octet, index) => octet === other[index]);
}

/** Reads one certificate. Throws RangeError or TypeError if it is not one. */
export function readCertificate(der: Uint8Array<ArrayBuffer>): Certificate {
  const outer = readElements(readOnly(der, 0x30).contents);
  const [toBeSigned, algorithm, signature] = outer;
  const fields = readElements(required(toBeSigned).contents);
  const version = fields[0]?.tag === 0xa0 ? fields.shift() : undefined;
  const [serial, innerAlgorithm, issuer, validity, subject, publicKeyInfo, ...rest] = fields;
  const [notBefore, notAfter] = readElements(required(validity).contents).map(readTime);
  const extensions = readExtensions(rest);
  // Both name the algorithm, and must agree (RFC 5280, 4.1.1.2); only the inner one is signed.
  if (
    outer.length !== 3 || !sameBytes(required(innerAlgorithm).encoded, required(algorithm).encoded)
  ) {
    throw new RangeError("not a certificate");
  }
  return {
    der,
    toBeSigned: required(toBeSigned).encoded,
    signatureAlgorithm: algorithmIdentifier(required(algorithm)),
    signature: bitString(required(signature)),
    version: version === undefined ? 1 : integer(readOnly(version.contents, 0x02)) + 1,
    serialNumber: BigInt(`0x${Buffer.from(required(serial).contents).toString("hex")}`),
    issuer: required(issuer).encoded,
    subject: required(subject).encoded,
    commonName: readCommonName(required(subject)),
    notBefore: required(notBefore),
    notAfter: required(notAfter),
    publicKeyInfo: required(publicKeyInfo).encoded,
    ...readBasicConstraints(extensions.get(BASIC_CONSTRAINTS)),
    keyUsage: readKeyUsage(extensions.get(KEY_USAGE)),
  };
}

/** Reads the certificates in a PEM text, in order. Throws RangeError or TypeError on a broken one. */
export function readCertificates(pem: string): Certificate[] {
  const blocks = pem.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g);
  return [...blocks].map(([, text = ""]) =>
    readCertificate(Uint8Array.from(Buffer.from(text, "base64")))
  );
}

/** Returns the OBJECT IDENTIFIERs of a SubjectPublicKeyInfo: algorithm and, for EC keys, the curve. */
export function publicKeyIdentifiers(
  publicKeyInfo: Uint8Array<ArrayBuffer>,
): { algorithm: string; curve: string | undefined } {
  const [identifier] = readElements(readOnly(publicKeyInfo, 0x30).contents);
  const [algorithm, parameters] = readElements(required(identifier).contents);
  return {
    algorithm: readObjectIdentifier(required(algorithm).contents),
    curve: parameters?.tag === 0x06 ? readObjectIdentifier(parameters.contents) : undefined,
  };
}

/** Returns the bits of a SubjectPublicKeyInfo's key. */
export function publicKeyBits(publicKeyInfo: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const [, bits] = readElements(readOnly(publicKeyInfo, 0x30).contents);
  return bitString(required(bits));
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new RangeError("not a certificate");
  return value;
}

function bitString(element: DerElement): Uint8Array<ArrayBuffer> {
  // The first octet counts unused bits; keys and signatures have none.
  if (element.tag !== 0x03 || element.contents[0] !== 0) throw new RangeError("not a bit string");
  return element.contents.subarray(1);
}

function integer(element: DerElement): number {
  return element.contents.reduce((sum, octet) => sum * 256 + octet, 0);
}

function algorithmIdentifier(element: DerElement): string {
  return readObjectIdentifier(readElement(element.contents).contents);
}

// UTCTime has two digits for the year: 50 to 99 are of the last century (RFC 5280, 4.1.2.5.1).
function readTime(element: DerElement): Date {
  const text = new TextDecoder().decode(element.contents);
  const century = element.tag === 0x18 ? "" : Number(text.slice(0, 2)) >= 50 ? "19" : "20";
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(century + text);
  if (parts === null) throw new RangeError("not a time");
  const [, year, month, day, hours, minutes, seconds] = parts;
  return new Date(`${year}-${month}-${day}T${hours}:${minutes}:${seconds}Z`);
}

function readCommonName(subject: DerElement): string {
  let name = "";
  for (const set of readElements(subject.contents)) {
    for (const attribute of readElements(set.contents)) {
      const [type, value] = readElements(attribute.contents);
      if (readObjectIdentifier(required(type).contents) === COMMON_NAME) {
        name = new TextDecoder().decode(required(value).contents);
      }
    }
  }
  return name;
}

function readExtensions(fields: DerElement[]): Map<string, Uint8Array<ArrayBuffer>> {
  const extensions = new Map<string, Uint8Array<ArrayBuffer>>();
  const wrapper = fields.find((field) => field.tag === 0xa3);
  if (wrapper === undefined) return extensions;
  for (const extension of readElements(readOnly(wrapper.contents, 0x30).contents)) {
    const parts = readElements(extension.contents);
    const identifier = readObjectIdentifier(required(parts[0]).contents);
    extensions.set(identifier, required(parts.at(-1)).contents);
  }
  return extensions;
}

function readBasicConstraints(
  value: Uint8Array<ArrayBuffer> | undefined,
): { isAuthority: boolean; pathLength: number | undefined } {
  const parts = value === undefined ? [] : readElements(readOnly(value, 0x30).contents);
  const limit = parts.find((part) => part.tag === 0x02);
  return {
    isAuthority: parts.some((part) => part.tag === 0x01 && part.contents[0] !== 0),
    pathLength: limit === undefined ? undefined : integer(limit),
  };
}

function readKeyUsage(value: Uint8Array<ArrayBuffer> | undefined): Certificate["keyUsage"] {
  if (value === undefined) return undefined;
  // Octet 0 counts the unused bits; bit 0 (digitalSignature) is the highest of octet 1, bit 5
  // (keyCertSign) its 0x04.
  const bits = readOnly(value, 0x03).contents[1] ?? 0;
  return { digitalSignature: (bits & 0x80) !== 0, certificateSigning: (bits & 0x04) !== 0 };
}
