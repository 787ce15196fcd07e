/** A DER element (ITU-T X.690) with its position and contents. */
export interface DerElement {
  /** The identifier octet, e.g. 0x30 for SEQUENCE. */
  readonly tag: number;
  /** The whole element: identifier, length and contents. */
  readonly encoded: Uint8Array<ArrayBuffer>;
  readonly contents: Uint8Array<ArrayBuffer>;
}

/** Reads the element at the start of `bytes`. Throws RangeError if it is cut off or not DER. */
export function readElement(bytes: Uint8Array<ArrayBuffer>): DerElement {
  const [tag, first] = bytes;
  if (tag === undefined || first === undefined) throw new RangeError("DER is cut off");
  if ((tag & 0x1f) === 0x1f) throw new RangeError("DER tag of several octets");
  let length = first;
  let start = 2;
  if (first >= 0x80) {
    const octets = first & 0x7f;
    if (octets === 0 || octets > 4) throw new RangeError("DER length is not definite or too long");
    length = 0;
    for (const octet of bytes.subarray(2, 2 + octets)) length = length * 256 + octet;
    start += octets;
  }
  if (start + length > bytes.length) throw new RangeError("DER is cut off");
  return {
    tag,
    encoded: bytes.subarray(0, start + length),
    contents: bytes.subarray(start, start + length),
  };
}

/** Reads the only element in `bytes`, of this tag. Throws RangeError otherwise. */
export function readOnly(bytes: Uint8Array<ArrayBuffer>, tag: number): DerElement {
  const element = readElement(bytes);
  if (element.tag !== tag) {
    throw new RangeError(`DER tag ${element.tag} where ${tag} was expected`);
  }
  if (element.encoded.length !== bytes.length) throw new RangeError("data after the DER element");
  return element;
}

/** Reads the elements in the contents of a SEQUENCE or SET. */
export function readElements(contents: Uint8Array<ArrayBuffer>): DerElement[] {
  const elements: DerElement[] = [];
  for (let rest = contents; rest.length > 0;) {
    const element = readElement(rest);
    elements.push(element);
    rest = rest.subarray(element.encoded.length);
  }
  return elements;
}

/** Formats an OBJECT IDENTIFIER's contents in dotted decimals. */
export function readObjectIdentifier(contents: Uint8Array<ArrayBuffer>): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const octet of contents) {
    arc = arc * 128 + (octet & 0x7f);
    if (octet < 0x80) {
      arcs.push(arc);
      arc = 0;
    }
  }
  const [first = 0, ...others] = arcs;
  const root = Math.min(Math.floor(first / 40), 2);
  return [root, first - root * 40, ...others].join(".");
}

/** Encodes one element from its tag and the parts of its contents. */
export function writeElement(tag: number, ...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  const header = length < 0x80 ? [tag, length] : [tag, 0x80 + octets.length, ...octets];
  const element = new Uint8Array(header.length + length);
  element.set(header);
  let at = header.length;
  for (const part of parts) {
    element.set(part, at);
    at += part.length;
  }
  return element;
}
