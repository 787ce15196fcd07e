import { readElement, readElements, writeElement } from "../../support/der.ts";

/** Encodes DER as BER: constructed elements of indefinite length, octet strings in pieces. */
export function toIndefinite(der: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const { tag, contents } = readElement(der);
  const endOfContents = Uint8Array.of(0, 0);
  const join = (parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
  if (tag === 0x04 && contents.length > 200) {
    const pieces = [contents.slice(0, 100), contents.slice(100)].map((piece) =>
      writeElement(0x04, piece)
    );
    return join([Uint8Array.of(0x24, 0x80), ...pieces, endOfContents]);
  }
  if ((tag & 0x20) === 0) return der;
  const parts = readElements(contents).map(({ encoded }) => toIndefinite(encoded));
  return join([Uint8Array.of(tag, 0x80), ...parts, endOfContents]);
}
