/**
 * Reading BER (ITU-T X.690) with `asn1js`, which lets some damage pass and reports the rest in many
 * ways; here it gives {@link DerError} alone.
 *
 * @module
 */
import type * as Asn1js from "asn1js";
import { DerError } from "../../src/x509/der.ts";

/** An element as `asn1js` has it. */
export type Block = Asn1js.AsnType;

const PARSING = {
  maxDepth: 32,
  /** A bag with a certificate takes about twenty. */
  maxNodes: 100_000,
  /** What octet strings hold is parsed when its turn comes. */
  parseEmbedded: false,
  copyInput: false,
} as const;

/**
 * Parses the first BER element in `bytes` to the tree its DER would give: lengths definite, octet
 * strings in one piece. The tree shares the memory of `bytes`, of which the element takes the first
 * `blockLength`.
 */
export function parseBer(asn1js: typeof Asn1js, bytes: Uint8Array<ArrayBuffer>): Block {
  return withDerError("an element is damaged or cut off", () => {
    const { offset, result } = asn1js.fromBER(bytes, PARSING);
    if (offset === -1) throw new Error(result.error);
    return toDefinite(asn1js, result);
  });
}

function toDefinite(asn1js: typeof Asn1js, block: Block): Block {
  block.lenBlock.longFormUsed = false; // set again where a length needs it
  const isInPieces = block instanceof asn1js.OctetString && block.idBlock.isConstructed;
  if (!isInPieces && !(block instanceof asn1js.Constructed)) return block;
  const { lenBlock, valueBlock } = block;
  const length = valueBlock.value.reduce((sum, part) => sum + part.blockLength, 0);
  if (!lenBlock.isIndefiniteForm && lenBlock.length !== length) {
    throw new Error("a part reaches beyond the whole");
  }
  valueBlock.value = valueBlock.value.map((part) => toDefinite(asn1js, part));
  valueBlock.isIndefiniteForm = false;
  lenBlock.isIndefiniteForm = false;
  return isInPieces ? new asn1js.OctetString({ valueHex: block.getValue() }) : block;
}

/** The DER of a block of {@link parseBer}, or of what `pkijs` makes of one. */
export function encodeDer(block: Block): Uint8Array<ArrayBuffer> {
  return withDerError("an element cannot be encoded", () => new Uint8Array(block.toBER()));
}

/** The contents of a block that must be an OCTET STRING, in memory of their own. */
export function readOctetString(asn1js: typeof Asn1js, block: unknown): Uint8Array<ArrayBuffer> {
  if (!(block instanceof asn1js.OctetString)) throw new DerError("an OCTET STRING is missing");
  return new Uint8Array(block.getValue());
}

/** Does `work`; whatever it throws becomes a {@link DerError} that says the sentence. */
export function withDerError<T>(sentence: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw cause instanceof DerError ? cause : new DerError(sentence, { cause });
  }
}
