/**
 * Fields of a certificate that restrict its use (RFC 5280). A service checks them; signing does not
 * need them.
 *
 * @module
 */
import type { Certificate } from "./certificate.ts";
import { contextTag, DerReader, readSequence, TAG } from "./der.ts";

/** Fields that restrict the use of a certificate. */
export interface CertificateUsage {
  /** 1 to 3. */
  readonly version: number;
  /** Object identifier of the algorithm of the certificate's signature. */
  readonly signatureAlgorithm: string;
  /** Undefined if the certificate has no basic constraints. */
  readonly isAuthority?: boolean;
  /** Undefined if the certificate does not limit the use of its key. */
  readonly keyUsage?: { readonly digitalSignature: boolean; readonly certificateSigning: boolean };
}

/** Broken hash functions of signature algorithms, by object identifier. */
export const WEAK_SIGNATURES: Readonly<Record<string, string>> = {
  "1.2.840.113549.1.1.2": "MD2",
  "1.2.840.113549.1.1.4": "MD5",
  "1.2.840.113549.1.1.5": "SHA-1",
  "1.3.14.3.2.29": "SHA-1",
  "1.2.840.10040.4.3": "SHA-1",
  "1.2.840.10045.4.1": "SHA-1",
};

const OID = { keyUsage: "2.5.29.15", basicConstraints: "2.5.29.19" } as const;

/** Bits of keyUsage, most significant bit first (RFC 5280 section 4.2.1.3). */
const BITS = { digitalSignature: 0x80, certificateSigning: 0x04 } as const;

/** Reads the fields. Throws `DerError` if the extensions are malformed. */
export function readCertificateUsage(certificate: Certificate): CertificateUsage {
  const body = readSequence(certificate.encoded).sequence();
  const version = body.optional(contextTag(0, true));
  body.integer();
  const signatureAlgorithm = body.sequence().objectIdentifier();
  // Issuer, validity, subject, public key.
  for (let i = 0; i < 4; i++) body.next();
  body.optional(contextTag(1, false));
  body.optional(contextTag(2, false));
  const extensions = body.optional(contextTag(3, true));
  return {
    version: version ? new DerReader(version.contents).smallInteger() + 1 : 1,
    signatureAlgorithm,
    ...(extensions ? readExtensions(readSequence(extensions.contents)) : {}),
  };
}

function readExtensions(list: DerReader): Pick<CertificateUsage, "isAuthority" | "keyUsage"> {
  const found: { -readonly [K in keyof CertificateUsage]?: CertificateUsage[K] } = {};
  while (!list.atEnd) {
    const extension = list.sequence();
    const oid = extension.objectIdentifier();
    extension.optional(TAG.boolean);
    const value = extension.octetString();
    if (oid === OID.basicConstraints) {
      found.isAuthority = readSequence(value).optional(TAG.boolean)?.contents[0] === 0xff;
    } else if (oid === OID.keyUsage) {
      // The first byte counts the unused bits of the last.
      const [, bits = 0] = new DerReader(value).expect(TAG.bitString).contents;
      found.keyUsage = {
        digitalSignature: (bits & BITS.digitalSignature) !== 0,
        certificateSigning: (bits & BITS.certificateSigning) !== 0,
      };
    }
  }
  return found;
}
