/**
 * Contents of a file: PEM blocks or one DER structure.
 *
 * @module
 */
import { decodeText, unarmor } from "../../src/x509/armor.ts";
import { DerReader } from "../../src/x509/der.ts";
import { looksLikePem, type PemBlock } from "../../src/x509/pem.ts";
import { type DerKind, derKindOf, startsPkcs12 } from "./der_kind.ts";
import { UnsupportedFormatError } from "./errors.ts";
import { javaKeystoreError, startsJavaKeystore, unknownFormatError } from "./unknown_format.ts";

/** Private key in the form of its file. */
export type StoredKey =
  | { readonly form: "plain"; readonly der: Uint8Array; readonly ecParameters?: Uint8Array }
  | { readonly form: "encrypted-pkcs8"; readonly der: Uint8Array }
  | {
    readonly form: "proc-type";
    readonly block: PemBlock;
    readonly ecParameters?: Uint8Array;
  }
  | { readonly form: "tss2"; readonly der: Uint8Array };

/** Contents of a file. */
export interface FileContents {
  /** Copies of the DER, in the order of the file. */
  readonly certificates: readonly Uint8Array[];
  readonly keys: readonly StoredKey[];
  /** The whole file if it is PKCS#12. The lists are then empty. */
  readonly pkcs12?: Uint8Array;
  /** True if the file has the content of `pkcs12` or `refusal` in base64. */
  readonly isDecoded?: true;
  /** Other content, with its article: neither a certificate nor a private key. */
  readonly other?: string;
  /** Error for unsupported content. Applies if the file has nothing that can be used. */
  readonly refusal?: Error;
}

/** PEM labels that are read. Other blocks are ignored. */
const PEM_LABELS: Readonly<
  Record<string, "certificate" | "key" | "tss2" | "ec-parameters" | "pkcs12">
> = {
  "CERTIFICATE": "certificate",
  "X509 CERTIFICATE": "certificate",
  "TRUSTED CERTIFICATE": "certificate",
  "PRIVATE KEY": "key",
  "ENCRYPTED PRIVATE KEY": "key",
  "RSA PRIVATE KEY": "key",
  "EC PRIVATE KEY": "key",
  "DSA PRIVATE KEY": "key",
  "TSS2 PRIVATE KEY": "tss2",
  "TSS2 KEY BLOB": "tss2",
  "EC PARAMETERS": "ec-parameters",
  "PKCS12": "pkcs12",
};

const pkcs7Refusal = (form: string) =>
  "it is PKCS#7, which is not supported; convert it with: " +
  `openssl pkcs7 -inform ${form} -in FILE -print_certs -out NEW.pem`;
const FOREIGN_LABELS: Readonly<Record<string, string>> = {
  "OPENSSH PRIVATE KEY": "it is in OpenSSH's own format; convert a copy of it with: " +
    "ssh-keygen -p -m PKCS8 -f COPY",
  "PKCS7": pkcs7Refusal("PEM"),
  "PKCS #7 SIGNED DATA": pkcs7Refusal("PEM"),
  "CMS": pkcs7Refusal("PEM"),
};

const REQUEST = "a certificate request";
const PUBLIC_KEY = "a public key";
const OTHER_LABELS: Readonly<Record<string, string>> = {
  "CERTIFICATE REQUEST": REQUEST,
  "NEW CERTIFICATE REQUEST": REQUEST,
  "PUBLIC KEY": PUBLIC_KEY,
  "RSA PUBLIC KEY": PUBLIC_KEY,
  "X509 CRL": "a revocation list",
};

/** Returns what a file without `missing` holds instead, as the end of "it holds". */
export function describeInstead(
  { certificates, keys, other }: FileContents,
  missing: "certificate" | "private key",
): string {
  const found = missing === "certificate"
    ? keys.length > 0 && "a private key"
    : certificates.length > 0 && "a certificate";
  const instead = found || other;
  return instead ? `${instead}, but no ${missing}` : `no ${missing}`;
}

/**
 * Finds certificates and private keys in a file's bytes.
 *
 * Throws `PemError` or `DerError` if the file is neither PEM nor DER, or damaged. Keys share the
 * memory of `bytes`; certificates are copies.
 */
export function readContents(bytes: Uint8Array): FileContents {
  const unarmored = unarmor(bytes, isOfOwnFormat);
  switch (unarmored.form) {
    case "der":
      return mergeContents(
        unarmored.elements.map((element) => readDer(element, derKindOf(element))),
      );
    case "pem":
      return readPem(unarmored.blocks);
    case "known":
      return readOwnFormat(unarmored.bytes, unarmored.isDecoded);
    case "other":
      throw unknownFormatError(bytes, unarmored.text);
  }
}

/**
 * Returns false for an empty file, and for keys or text without a certificate. A damaged file counts
 * as one with certificates, so that reading it reports the damage.
 */
export function holdsCertificates(bytes: Uint8Array): boolean {
  try {
    const { certificates, pkcs12, refusal } = readContents(bytes);
    return certificates.length > 0 || pkcs12 !== undefined || refusal !== undefined;
  } catch {
    const text = decodeText(bytes);
    return looksLikePem(text) || NOT_TEXT.test(text);
  }
}

/** Control characters that text files do not have, and the replacement character. */
// deno-lint-ignore no-control-regex -- a control character indicates a binary file
const NOT_TEXT = /[\x00-\x08\x0e-\x1f\x7f\ufffd]/;

function isOfOwnFormat(bytes: Uint8Array): boolean {
  return startsPkcs12(bytes) || startsJavaKeystore(bytes);
}

function readOwnFormat(bytes: Uint8Array, isDecoded?: true): FileContents {
  const nothing = { certificates: [], keys: [], ...(isDecoded ? { isDecoded } : {}) };
  return startsPkcs12(bytes)
    ? { ...nothing, pkcs12: bytes }
    : { ...nothing, refusal: javaKeystoreError(bytes) };
}

function mergeContents(parts: readonly FileContents[]): FileContents {
  const refusal = parts.find((part) => part.refusal)?.refusal;
  const other = parts.find((part) => part.other)?.other;
  return {
    certificates: parts.flatMap(({ certificates }) => certificates),
    keys: parts.flatMap(({ keys }) => keys),
    ...(other ? { other } : {}),
    ...(refusal ? { refusal } : {}),
  };
}

function readDer(bytes: Uint8Array, kind: DerKind): FileContents {
  const nothing = { certificates: [], keys: [] };
  switch (kind) {
    case "certificate":
      return { ...nothing, certificates: [bytes.slice()] };
    case "encrypted-pkcs8":
      return { ...nothing, keys: [{ form: "encrypted-pkcs8", der: bytes }] };
    case "pkcs8":
    case "pkcs1":
    case "sec1":
    case "dsa":
      return { ...nothing, keys: [{ form: "plain", der: bytes }] };
    case "tss2":
      return { ...nothing, keys: [{ form: "tss2", der: bytes }] };
    case "certificate-request":
      return { ...nothing, other: REQUEST };
    case "public-key":
      return { ...nothing, other: PUBLIC_KEY };
    case "pkcs7":
      return { ...nothing, refusal: new UnsupportedFormatError(pkcs7Refusal("DER")) };
    default:
      return nothing;
  }
}

function readPem(blocks: readonly PemBlock[]): FileContents {
  const certificates: Uint8Array[] = [];
  const keys: StoredKey[] = [];
  let ecParameters: { ecParameters: Uint8Array } | undefined;
  let refusal: Error | undefined;
  let other: string | undefined;
  for (const block of blocks) {
    const kind = PEM_LABELS[block.label];
    if (kind === "pkcs12") return readOwnFormat(block.bytes, true);
    if (kind === "certificate") certificates.push(new DerReader(block.bytes).next().encoded);
    else if (kind === "tss2") keys.push({ form: "tss2", der: block.bytes });
    else if (kind === "ec-parameters") ecParameters = { ecParameters: block.bytes };
    else if (kind === "key") {
      keys.push(toStoredKey(block, ecParameters));
      ecParameters = undefined;
    } else {
      const foreign = FOREIGN_LABELS[block.label];
      if (foreign) refusal ??= new UnsupportedFormatError(foreign);
      other ??= OTHER_LABELS[block.label];
    }
  }
  return { certificates, keys, ...(other ? { other } : {}), ...(refusal ? { refusal } : {}) };
}

function toStoredKey(
  block: PemBlock,
  ecParameters: { ecParameters: Uint8Array } | undefined,
): StoredKey {
  if (isProcTypeEncrypted(block)) return { form: "proc-type", block, ...ecParameters };
  return derKindOf(block.bytes) === "encrypted-pkcs8"
    ? { form: "encrypted-pkcs8", der: block.bytes }
    : { form: "plain", der: block.bytes, ...ecParameters };
}

/** Returns true if RFC 1421 headers mark the block as encrypted. */
function isProcTypeEncrypted(block: PemBlock): boolean {
  return /^4\s*,\s*ENCRYPTED$/i.test(block.headers.get("Proc-Type") ?? "");
}
