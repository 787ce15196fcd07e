/**
 * Structures of PKCS#12 files (RFC 7292 section 4), read with `pkijs` and `asn1js`. Throws
 * `DerError` if they are malformed.
 *
 * @module
 */
import type * as Asn1js from "asn1js";
import type * as Pkijs from "pkijs";
import { type Block, encodeDer, parseBer, readOctetString, withDerError } from "./ber.ts";

/** Packages for PKCS#12. They are large and loaded when needed. */
export interface Libraries {
  readonly asn1js: typeof Asn1js;
  readonly pkijs: typeof Pkijs;
}

/** Loads the packages. */
export async function loadLibraries(): Promise<Libraries> {
  const [asn1js, pkijs] = await Promise.all([import("asn1js"), import("pkijs")]);
  return { asn1js, pkijs };
}

/** Reads `PFX`, the whole file. */
export function readPfx(
  libraries: Libraries,
  bytes: Uint8Array<ArrayBuffer>,
): Pick<Pkijs.PFX, "authSafe" | "macData"> {
  const schema = parseBer(libraries.asn1js, bytes);
  return withDerError("its PFX is malformed", () => new libraries.pkijs.PFX({ schema }));
}

/** Reads `AuthenticatedSafe`, the content infos of the safes. */
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

/** Reads `EncryptedData` (RFC 5652 section 8): the DER of its algorithm, and the ciphertext. */
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

/** Bag, and the attribute with the same value in a key and its certificate. */
export interface Bag {
  readonly type: string;
  readonly value: Block;
  readonly localKeyId?: Uint8Array<ArrayBuffer>;
}

const LOCAL_KEY_ID = "1.2.840.113549.1.9.21";
const X509_CERTIFICATE = "1.2.840.113549.1.9.22.1";

/**
 * Reads the bags of `SafeContents`, of any type. Uses the schemas of `pkijs` but not its classes.
 * These parse keys and certificates, and support fewer algorithms than this program. They refuse
 * the whole file for one unknown bag.
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

/** Returns the DER certificate of a `CertBag`; undefined if its type is not X.509. */
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

/** Returns the parts of a block by their names in a schema. */
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
