/**
 * Reads BER (ITU-T X.690) with `asn1js`. Finds damage that `asn1js` accepts, and throws only
 * {@link DerError}.
 *
 * @module
 */
import type * as Asn1js from "asn1js";
import { DerError } from "../../src/x509/der.ts";

/** Element of `asn1js`. */
export type Block = Asn1js.AsnType;

const PARSING = {
  maxDepth: 32,
  /** A bag with a certificate has about twenty nodes. */
  maxNodes: 100_000,
  /** The content of octet strings is parsed later. */
  parseEmbedded: false,
  copyInput: false,
} as const;

/**
 * Parses the first BER element in `bytes`. Returns the tree of its DER form: definite lengths, octet
 * strings in one piece. The tree shares the memory of `bytes`. The element has `blockLength` bytes.
 */
export function parseBer(asn1js: typeof Asn1js, bytes: Uint8Array<ArrayBuffer>): Block {
  return withDerError("an element is damaged or cut off", () => {
    const { offset, result } = asn1js.fromBER(bytes, PARSING);
    if (offset === -1) throw new Error(result.error);
    return toDefinite(asn1js, result);
  });
}

function toDefinite(asn1js: typeof Asn1js, block: Block): Block {
  block.lenBlock.longFormUsed = false; // set again if a length needs it
  const isInPieces = block instanceof asn1js.OctetString && block.idBlock.isConstructed;
  if (!isInPieces && !(block instanceof asn1js.Constructed)) return block;
  const { lenBlock, valueBlock } = block;
  const length = valueBlock.value.reduce((sum, part) => sum + part.blockLength, 0);
  if (!lenBlock.isIndefiniteForm && lenBlock.length !== length) {
    throw new Error("an element is longer than its parent");
  }
  valueBlock.value = valueBlock.value.map((part) => toDefinite(asn1js, part));
  valueBlock.isIndefiniteForm = false;
  lenBlock.isIndefiniteForm = false;
  return isInPieces ? new asn1js.OctetString({ valueHex: block.getValue() }) : block;
}

/** Encodes a block of {@link parseBer} or of `pkijs` to DER. */
export function encodeDer(block: Block): Uint8Array<ArrayBuffer> {
  return withDerError("an element cannot be encoded", () => new Uint8Array(block.toBER()));
}

/** Returns a copy of the contents of a block. Throws {@link DerError} if it is not an OCTET STRING. */
export function readOctetString(asn1js: typeof Asn1js, block: unknown): Uint8Array<ArrayBuffer> {
  if (!(block instanceof asn1js.OctetString)) throw new DerError("an OCTET STRING is missing");
  return new Uint8Array(block.getValue());
}

/** Runs `work`. Wraps its errors in a {@link DerError} with `message`. */
export function withDerError<T>(message: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw cause instanceof DerError ? cause : new DerError(message, { cause });
  }
}
