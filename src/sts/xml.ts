/**
 * Bounded reader of STS's XML responses. The parser is loaded when a response comes.
 *
 * @module
 */
import type { XmlElement } from "@rgrove/parse-xml";

/** Limits of a document. STS's responses have about 20 elements and 2 KB. */
export const XML_LIMITS = {
  /** Bytes of the document. */
  bytes: 65_536,
  /** Tags, comments and other markup together. This bounds the depth too. */
  markup: 256,
} as const;

/** Element of a document. */
export interface XmlNode {
  readonly name: string;
  /** Returns the text at a path of element names; undefined unless exactly one element has it. */
  text(...path: readonly string[]): string | undefined;
}

/**
 * Parses a document. Returns undefined for anything that is not well-formed XML within the limits, and for
 * a document with a type declaration. Never throws: a parser's message would repeat the document.
 */
export async function parseDocument(bytes: Uint8Array): Promise<XmlNode | undefined> {
  if (bytes.length > XML_LIMITS.bytes) return undefined;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
  if (text.split("<", XML_LIMITS.markup + 2).length > XML_LIMITS.markup + 1) return undefined;
  if (/<!DOCTYPE/i.test(text)) return undefined;
  const { parseXml, XmlElement } = await import("@rgrove/parse-xml");
  const childrenOf = (element: XmlElement, name: string): XmlElement[] =>
    element.children.filter((child) => child instanceof XmlElement)
      .filter((child) => localName(child) === name);
  try {
    const root = parseXml(text).root;
    if (!root) return undefined;
    return {
      name: localName(root),
      text(...path) {
        let element: XmlElement = root;
        for (const name of path) {
          const [child, ...others] = childrenOf(element, name);
          if (!child || others.length > 0) return undefined;
          element = child;
        }
        const isText = element.children.every((child) => !(child instanceof XmlElement));
        return isText ? element.text.trim() : undefined;
      },
    };
  } catch {
    return undefined;
  }
}

/** Returns an element's name without a prefix. */
function localName({ name }: XmlElement): string {
  return name.slice(name.indexOf(":") + 1);
}
