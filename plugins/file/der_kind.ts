/**
 * Recognizes the content of a DER file by its structure.
 *
 * @module
 */
import { contextTag, type DerElement, DerError, DerReader, TAG } from "../../src/x509/der.ts";

/** Content of a DER file, as recognized from its outer levels. */
export type DerKind =
  | "certificate"
  | "certificate-request"
  | "public-key"
  | "encrypted-pkcs8"
  | "pkcs8"
  | "pkcs1"
  | "sec1"
  | "dsa"
  | "pkcs7"
  | "pkcs12"
  | "tss2"
  | "other";

/** Tags of the first elements of the outer SEQUENCE → content. The first matching row wins. */
const SHAPES: readonly (readonly [tags: readonly number[], exact: boolean, kind: DerKind])[] = [
  [[TAG.sequence, TAG.octetString], true, "encrypted-pkcs8"],
  [[TAG.sequence, TAG.sequence, TAG.bitString], true, "certificate"],
  [[TAG.sequence, TAG.bitString], true, "public-key"],
  [[TAG.integer, TAG.sequence, TAG.octetString], false, "pkcs8"],
  [[TAG.integer, TAG.octetString], false, "sec1"],
  [Array<number>(9).fill(TAG.integer), false, "pkcs1"],
  [Array<number>(6).fill(TAG.integer), true, "dsa"],
];
/** Version, subject, key and attributes. */
const REQUEST_TAGS: readonly number[] = [
  TAG.integer,
  TAG.sequence,
  TAG.sequence,
  contextTag(0, true),
];
const PKCS7 = /^1\.2\.840\.113549\.1\.7\.\d+$/;
/** TCG object identifiers of TPMKey: loadable, importable and sealed keys; the last is older. */
const TSS2 = /^2\.23\.133\.10\.(?:1\.\d+|2)$/;
const PFX_VERSION = 3;
/** Maximum number of elements that are read from the outer level. */
const MAX_ELEMENTS = 12;

/** Returns the kind of a DER element. Throws `DerError` if it is not a SEQUENCE. */
export function derKindOf(bytes: Uint8Array): DerKind {
  if (startsPkcs12(bytes)) return "pkcs12";
  const reader = new DerReader(bytes);
  const outer = reader.sequence();
  reader.end();
  if (outer.peekTag() === TAG.objectIdentifier) {
    const oid = outer.objectIdentifier();
    return PKCS7.test(oid) ? "pkcs7" : TSS2.test(oid) ? "tss2" : "other";
  }
  const elements: DerElement[] = [];
  while (!outer.atEnd && elements.length < MAX_ELEMENTS) elements.push(outer.next());
  const shape = SHAPES.find(([wanted, exact]) =>
    wanted.every((tag, i) => tag === elements[i]?.tag) &&
    (!exact || elements.length === wanted.length)
  );
  const kind = shape?.[2] ?? "other";
  return kind === "certificate" && isRequest(elements[0]) ? "certificate-request" : kind;
}

/** Returns true for a CertificationRequestInfo (RFC 2986), whose fourth element is `[0]`. */
function isRequest(info: DerElement | undefined): boolean {
  const reader = new DerReader(info?.contents ?? new Uint8Array());
  try {
    return REQUEST_TAGS.every((tag) => reader.optional(tag) !== undefined);
  } catch (thrown) {
    if (thrown instanceof DerError) return false; // the certificate's parser reports the damage
    throw thrown;
  }
}

/** Returns true if the bytes begin like PKCS#12, which may be BER with indefinite lengths. */
export function startsPkcs12(bytes: Uint8Array): boolean {
  const [tag, length = 0] = bytes;
  const lengthBytes = length > 0x80 ? length & 0x7f : 0;
  const version = bytes.subarray(2 + lengthBytes, 6 + lengthBytes);
  return tag === TAG.sequence && lengthBytes <= 4 && version[0] === TAG.integer &&
    version[1] === 1 && version[2] === PFX_VERSION && version[3] === TAG.sequence;
}
