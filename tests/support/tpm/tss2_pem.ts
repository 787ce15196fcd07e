import { encodeBase64 } from "@std/encoding/base64";
import { writeElement } from "../der.ts";

/** A policy command for {@link tss2Pem}. */
export interface PolicyEntry {
  /** TPM_CC. */
  readonly code: number;
  readonly parameters?: Uint8Array;
}

/** Contents of a TSS2 key file. */
export interface Tss2PemRequest {
  /** Last arc of the type's object identifier; default: 3, a loadable key. */
  readonly type?: number;
  /** Byte of the BOOLEAN; default: emptyAuth is omitted. */
  readonly emptyAuth?: number;
  readonly policy?: readonly PolicyEntry[];
  readonly secret?: Uint8Array;
  readonly description?: string;
  readonly rsaParent?: boolean;
  /** Optional fields of later versions, DER, by tag number. */
  readonly later?: Readonly<Record<number, Uint8Array>>;
  readonly parent: number;
  readonly publicArea: Uint8Array;
  readonly privateArea: Uint8Array;
}

const integer = (value: number) => {
  const bytes = [value >>> 24, value >>> 16, value >>> 8, value].map((byte) => byte & 255);
  while (bytes.length > 1 && bytes[0] === 0 && (bytes[1] ?? 0) < 128) bytes.shift();
  return writeElement(0x02, Uint8Array.from((bytes[0] ?? 0) < 128 ? bytes : [0, ...bytes]));
};
const octets = (bytes: Uint8Array) => writeElement(0x04, Uint8Array.from(bytes));
const explicit = (tag: number, element: Uint8Array) =>
  writeElement(0xa0 + tag, Uint8Array.from(element));

/** Encodes a `TSS2 PRIVATE KEY` in DER (draft-bottomley-tpm2-keys). */
export function tss2Der(request: Tss2PemRequest): Uint8Array<ArrayBuffer> {
  const options: Record<number, Uint8Array> = { ...request.later };
  if (request.emptyAuth !== undefined) {
    options[0] = writeElement(0x01, Uint8Array.of(request.emptyAuth));
  }
  if (request.policy) {
    options[1] = writeElement(
      0x30,
      ...request.policy.map(({ code, parameters = new Uint8Array(0) }) =>
        writeElement(0x30, explicit(0, integer(code)), explicit(1, octets(parameters)))
      ),
    );
  }
  if (request.secret) options[2] = octets(request.secret);
  if (request.description !== undefined) {
    options[4] = writeElement(0x0c, new TextEncoder().encode(request.description));
  }
  if (request.rsaParent) options[5] = writeElement(0x01, Uint8Array.of(0xff));
  return writeElement(
    0x30,
    writeElement(0x06, Uint8Array.of(0x67, 0x81, 0x05, 0x0a, 0x01, request.type ?? 3)),
    ...Object.entries(options).map(([tag, element]) => explicit(Number(tag), element)),
    integer(request.parent),
    octets(request.publicArea),
    octets(request.privateArea),
  );
}

/**
 * Encodes a `TSS2 KEY BLOB` in PEM, as openssl_tpm2_engine did before the draft. Parent and public
 * area are optional fields, and the default parent is the owner hierarchy.
 */
export function keyBlobPem(
  request: Pick<Tss2PemRequest, "emptyAuth" | "publicArea" | "privateArea"> & { parent?: number },
): string {
  const { emptyAuth, parent, publicArea, privateArea } = request;
  const der = writeElement(
    0x30,
    writeElement(0x06, Uint8Array.of(0x67, 0x81, 0x05, 0x0a, 0x02)),
    ...(emptyAuth === undefined ? [] : [explicit(0, writeElement(0x01, Uint8Array.of(emptyAuth)))]),
    ...(parent === undefined ? [] : [explicit(1, integer(parent))]),
    explicit(2, octets(publicArea)),
    octets(privateArea),
  );
  return pemOf(der).replaceAll("TSS2 PRIVATE KEY", "TSS2 KEY BLOB");
}

/** Encodes a `TSS2 PRIVATE KEY` in PEM. */
export function tss2Pem(request: Tss2PemRequest): string {
  return pemOf(tss2Der(request));
}

/** Encodes DER as the PEM of a TSS2 key file. */
export function pemOf(der: Uint8Array): string {
  const lines = encodeBase64(der).match(/.{1,64}/g) ?? [];
  return `-----BEGIN TSS2 PRIVATE KEY-----\n${lines.join("\n")}\n-----END TSS2 PRIVATE KEY-----\n`;
}
