/**
 * The structures of PKCS#12 files (RFC 7292 section 4) as `pkijs` knows them, their BER parsed by
 * `asn1js`. What is malformed gives a `DerError`.
 *
 * @module
 */
import type * as Asn1js from "asn1js";
import type * as Pkijs from "pkijs";
import { type Block, encodeDer, parseBer, readOctetString, withDerError } from "./ber.ts";

/** The packages, which are large and loaded when a PKCS#12 file is met. */
export interface Libraries {
  readonly asn1js: typeof Asn1js;
  readonly pkijs: typeof Pkijs;
}

/** Loads the packages. */
export async function loadLibraries(): Promise<Libraries> {
  const [asn1js, pkijs] = await Promise.all([import("asn1js"), import("pkijs")]);
  return { asn1js, pkijs };
}

/** `PFX`, the whole file. */
export function readPfx(
  libraries: Libraries,
  bytes: Uint8Array<ArrayBuffer>,
): Pick<Pkijs.PFX, "authSafe" | "macData"> {
  const schema = parseBer(libraries.asn1js, bytes);
  return withDerError("its PFX is malformed", () => new libraries.pkijs.PFX({ schema }));
}

/** `AuthenticatedSafe`: the content infos that hold the safes. */
export function readAuthenticatedSafe(
  libraries: Libraries,
  bytes: Uint8Array<ArrayBuffer>,
): Pkijs.ContentInfo[] {
  const schema = parseBer(libraries.asn1js, bytes);
  return withDerError(
    "its AuthenticatedSafe is malformed",
    () => new libraries.pkijs.AuthenticatedSafe({ schema }).safeContents,
  );
}

/** `EncryptedData` (RFC 5652 section 8): the DER of its algorithm, and the ciphertext. */
export function readEncryptedData(
  { pkijs }: Libraries,
  schema: unknown,
): { algorithm: Uint8Array<ArrayBuffer>; ciphertext: Uint8Array<ArrayBuffer> } {
  return withDerError("its EncryptedData is malformed", () => {
    const { encryptedContentInfo } = new pkijs.EncryptedData({ schema });
    return {
      algorithm: encodeDer(encryptedContentInfo.contentEncryptionAlgorithm.toSchema()),
      ciphertext: new Uint8Array(encryptedContentInfo.getEncryptedContent()),
    };
  });
}

/** One bag, and the attribute that ties a key to its certificate. */
export interface Bag {
  readonly type: string;
  readonly value: Block;
  readonly localKeyId?: Uint8Array<ArrayBuffer>;
}

const LOCAL_KEY_ID = "1.2.840.113549.1.9.21";
const X509_CERTIFICATE = "1.2.840.113549.1.9.22.1";

/**
 * The bags of `SafeContents`, of whatever type. Goes by the schemas of `pkijs` and not by its
 * classes, which open keys and certificates on their own, know fewer of them than this program, and
 * refuse the whole file for one bag they do not know.
 */
export function readBags(libraries: Libraries, safeContents: Block): Bag[] {
  const { asn1js, pkijs } = libraries;
  return withDerError("its SafeContents are malformed", () => {
    const names = { safeBags: "safeBags" };
    const { safeBags = [] } = matchSchema(
      libraries,
      safeContents,
      pkijs.SafeContents.schema({ names }),
    );
    return blocks(asn1js, safeBags).map((safeBag) => {
      const { bagId, bagValue, bagAttributes = [] } = matchSchema(
        libraries,
        safeBag,
        pkijs.SafeBag.schema(),
      );
      const [value] = blocks(asn1js, [bagValue]);
      if (!(bagId instanceof asn1js.ObjectIdentifier) || !value) throw new Error("no bag");
      const localKeyId = blocks(asn1js, bagAttributes)
        .map((schema) => new pkijs.Attribute({ schema }))
        .find(({ type }) => type === LOCAL_KEY_ID);
      return {
        type: bagId.getValue(),
        value,
        ...(localKeyId ? { localKeyId: readOctetString(asn1js, localKeyId.values[0]) } : {}),
      };
    });
  });
}

/** The certificate in a `CertBag`, DER; undefined when it is none of X.509. */
export function readCertificateBag(
  libraries: Libraries,
  bag: Block,
): Uint8Array<ArrayBuffer> | undefined {
  const { asn1js, pkijs } = libraries;
  return withDerError("a CertBag is malformed", () => {
    const { id, value } = matchSchema(libraries, bag, pkijs.CertBag.schema());
    if (!(id instanceof asn1js.ObjectIdentifier)) throw new Error("no type");
    return id.getValue() === X509_CERTIFICATE ? readOctetString(asn1js, value) : undefined;
  });
}

/** The parts of a block by the names that a schema gives them. */
function matchSchema(
  { asn1js }: Libraries,
  block: Block,
  schema: Asn1js.AsnSchemaType,
): Readonly<Record<string, unknown>> {
  const { verified, result } = asn1js.compareSchema(block, block, schema);
  if (!verified) throw new Error("the schema differs");
  return result;
}

function blocks(asn1js: typeof Asn1js, values: unknown): Asn1js.BaseBlock[] {
  if (!Array.isArray(values)) throw new Error("no list");
  return values.filter((value) => value instanceof asn1js.BaseBlock);
}
