/**
 * Reader of X.509 certificates (RFC 5280): the fields for signing, matching and ordering.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import {
  contextTag,
  decodeObjectIdentifier,
  DerError,
  DerReader,
  readSequence,
  TAG,
} from "./der.ts";
import { parsePublicKey, type PublicKey } from "./public_key.ts";

/** X.509 certificate. Byte arrays share the memory of `encoded`. */
export interface Certificate {
  /** The whole certificate, DER. */
  readonly encoded: Uint8Array;
  /** Serial number. AWS expects it in decimal. */
  readonly serialNumber: bigint;
  /** Issuer and subject, DER Names. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SubjectPublicKeyInfo, DER; {@link publicKeyOf} reads it. */
  readonly subjectPublicKeyInfo: Uint8Array;
  /** True if the basic constraints have CA:TRUE. */
  readonly isAuthority: boolean;
  readonly subjectKeyIdentifier?: Uint8Array;
  readonly authorityKeyIdentifier?: Uint8Array;
  /** Value of the extension, DER GeneralNames. `subject_alternative_names.ts` reads it. */
  readonly subjectAlternativeName?: Uint8Array;
}

const OID = {
  subjectKeyIdentifier: "2.5.29.14",
  basicConstraints: "2.5.29.19",
  subjectAlternativeName: "2.5.29.17",
  authorityKeyIdentifier: "2.5.29.35",
} as const;

interface Extensions {
  isAuthority: boolean;
  subjectKeyIdentifier?: Uint8Array;
  authorityKeyIdentifier?: Uint8Array;
  subjectAlternativeName?: Uint8Array;
}

/** Reads one DER certificate. Throws {@link DerError} if it is malformed or not the whole input. */
export function parseCertificate(encoded: Uint8Array): Certificate {
  const outer = readSequence(encoded);
  const body = outer.sequence();
  outer.expect(TAG.sequence);
  outer.expect(TAG.bitString);
  outer.end();

  body.optional(contextTag(0, true));
  const serialNumber = signedInteger(body.integer());
  body.expect(TAG.sequence);
  const issuer = body.expect(TAG.sequence).encoded;
  const validity = body.sequence();
  const notBefore = parseTime(validity);
  const notAfter = parseTime(validity);
  validity.end();
  const subject = body.expect(TAG.sequence).encoded;
  const subjectPublicKeyInfo = body.expect(TAG.sequence).encoded;
  body.optional(contextTag(1, false));
  body.optional(contextTag(2, false));
  const extensions = body.optional(contextTag(3, true));
  body.end();
  return {
    encoded,
    serialNumber,
    issuer,
    subject,
    notBefore,
    notAfter,
    subjectPublicKeyInfo,
    ...(extensions ? parseExtensions(readSequence(extensions.contents)) : { isAuthority: false }),
  };
}

/** Returns the certificate's public key. Throws `KeyTypeError` if its type cannot be used. */
export function publicKeyOf(certificate: Certificate): PublicKey {
  return parsePublicKey(certificate.subjectPublicKeyInfo);
}

/** Formats the serial number in upper-case hex of whole bytes, like other programs. */
export function serialNumberHex({ serialNumber }: Certificate): string {
  const sign = serialNumber < 0n ? "-" : "";
  const hex = serialNumber.toString(16).replace("-", "").toUpperCase();
  return `${sign}${hex.length % 2 === 0 ? "" : "0"}${hex}`;
}

function signedInteger(contents: Uint8Array): bigint {
  return BigInt.asIntN(contents.length * 8, BigInt(`0x${encodeHex(contents)}`));
}

function parseTime(validity: DerReader): Date {
  const { tag, contents } = validity.next();
  if (tag !== TAG.utcTime && tag !== TAG.generalizedTime) throw new DerError("no valid time");
  const text = String.fromCharCode(...contents.subarray(0, 20));
  const parts =
    (tag === TAG.utcTime
      ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?Z$/
      : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/).exec(text);
  if (!parts) throw new DerError("a time that is not in the form of X.509");
  const [, year = "", month = "", day = "", hour = "", minute = "", second = "00"] = parts;
  const fullYear = tag === TAG.utcTime ? (Number(year) < 50 ? `20${year}` : `19${year}`) : year;
  const iso = `${fullYear}-${month}-${day}T${hour}:${minute}:${second}`;
  const time = new Date(`${iso}Z`);
  if (Number.isNaN(time.getTime()) || !time.toISOString().startsWith(iso)) {
    throw new DerError("a date that does not exist");
  }
  return time;
}

function parseExtensions(list: DerReader): Extensions {
  const extensions: Extensions = { isAuthority: false };
  while (!list.atEnd) {
    const extension = list.sequence();
    const oid = decodeObjectIdentifier(extension.expect(TAG.objectIdentifier).contents);
    extension.optional(TAG.boolean);
    const value = extension.octetString();
    extension.end();
    if (oid === OID.basicConstraints) {
      extensions.isAuthority = readSequence(value).optional(TAG.boolean)?.contents[0] === 0xff;
    } else if (oid === OID.subjectKeyIdentifier) {
      extensions.subjectKeyIdentifier = readOnlyOctetString(value);
    } else if (oid === OID.subjectAlternativeName) {
      extensions.subjectAlternativeName = value;
    } else if (oid === OID.authorityKeyIdentifier) {
      const identifier = readSequence(value).optional(contextTag(0, false));
      if (identifier) extensions.authorityKeyIdentifier = identifier.contents;
    }
  }
  return extensions;
}

function readOnlyOctetString(value: Uint8Array): Uint8Array {
  const reader = new DerReader(value);
  const contents = reader.octetString();
  reader.end();
  return contents;
}
