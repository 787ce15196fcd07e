import { assertEquals } from "@std/assert";

import { parseDocument, XML_LIMITS } from "../../src/sts/xml.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("parseDocument() returns texts by path, without prefixes of names", async () => {
  const document = await parseDocument(
    bytes(
      '<?xml version="1.0"?><s:a xmlns:s="x"><s:b> <c>1 &amp; <![CDATA[<2>]]> </c></s:b></s:a>',
    ),
  );
  assertEquals(document?.name, "a");
  assertEquals(document?.text("b", "c"), "1 & <2>");
});

Deno.test("parseDocument() returns no text of an element that is absent, repeated or not a text", async () => {
  const document = await parseDocument(bytes("<a><b>1</b><b>2</b><c><d/></c></a>"));
  for (const path of [["x"], ["b"], ["c"], ["b", "x"], ["c", "d", "e"]]) {
    assertEquals(document?.text(...path), undefined, path.join("/"));
  }
  assertEquals(document?.text("c", "d"), "");
});

// Documents that are refused.
const REFUSED: Readonly<Record<string, string | Uint8Array>> = {
  "nothing": "",
  "text": "AccessDenied",
  "JSON": '{"a": 1}',
  "an open element": "<a><b></b>",
  "crossed elements": "<a><b></a></b>",
  "two roots": "<a/><b/>",
  "an unknown entity": "<a>&b;</a>",
  "a type declaration": "<!DOCTYPE a><a/>",
  "an entity declaration": '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
  "a control character": "<a>\x01</a>",
  "bytes that are not UTF-8": new Uint8Array([0x3c, 0x61, 0x3e, 0xff, 0x3c, 0x2f, 0x61, 0x3e]),
  "UTF-16": new Uint8Array([0xff, 0xfe, 0x3c, 0, 0x61, 0, 0x2f, 0, 0x3e, 0]),
  "too many elements": `<a>${"<b/>".repeat(XML_LIMITS.markup)}</a>`,
  "too deep elements": "<a>".repeat(100_000),
  "too many bytes": `<a>${"x".repeat(XML_LIMITS.bytes)}</a>`,
};

for (const [name, document] of Object.entries(REFUSED)) {
  Deno.test(`parseDocument() refuses ${name}`, async () => {
    const input = typeof document === "string" ? bytes(document) : document;
    assertEquals(await parseDocument(input), undefined);
  });
}

Deno.test("parseDocument() reads documents up to its limits", async () => {
  const markup = XML_LIMITS.markup - 2;
  const wide = `<a>${"<b/>".repeat(markup)}</a>`;
  assertEquals((await parseDocument(bytes(wide)))?.name, "a");
  const deep = `${"<a>".repeat(markup / 2)}${"</a>".repeat(markup / 2)}`;
  assertEquals((await parseDocument(bytes(deep)))?.name, "a");
  const long = `<a>${"x".repeat(XML_LIMITS.bytes - 7)}</a>`;
  assertEquals((await parseDocument(bytes(long)))?.text()?.length, XML_LIMITS.bytes - 7);
});
