import { assertEquals, assertRejects } from "@std/assert";

import { createStoreUri, readCertSelector } from "../../src/cli/cert_selector.ts";
import { HelperError } from "../../src/errors.ts";
import { testWithReference } from "../support/reference.ts";

const JSON_TEXT = '[{"Key":"x509Subject","Value":"CN=Jürgen"},{"Key":"x509Serial","Value":"0A"}]';
const EXPECTED = [["x509Subject", "CN=Jürgen"], ["x509Serial", "0A"]];

const utf16 = (text: string) =>
  new Uint8Array(Uint16Array.from(`\ufeff${text}`, (c) => c.charCodeAt(0)).buffer);

const reading = (files: Record<string, string | Uint8Array>) => (path: string) => {
  const file = files[path];
  if (file === undefined) return Promise.reject(new Deno.errors.NotFound(path));
  return Promise.resolve(typeof file === "string" ? new TextEncoder().encode(file) : file);
};

Deno.test("readCertSelector() reads arguments, and a file in any common encoding", async () => {
  const files = {
    "a b/selector.json": JSON_TEXT,
    "/abs.json": `\ufeff${JSON_TEXT}`,
    "C:/x.json": utf16(JSON_TEXT),
  };
  const cases = [
    ["Key=x509Subject,Value=CN=Jürgen", "Key=x509Serial,Value=0A"],
    ["Key=x509Subject,Value=CN=Jürgen Key=x509Serial,Value=0A"],
    ["file://a b/selector.json"],
    ["file:///abs.json"],
    ["file:///C:/x.json"],
    ["file://C:/x.json"],
  ];
  for (const texts of cases) {
    assertEquals([...await readCertSelector(texts, reading(files))], EXPECTED, texts.join(" "));
  }
});

/** Invalid arguments, existing files, and the message. */
const WRONG: [string[], Record<string, string | Uint8Array>, string][] = [
  [["x"], {}, '--cert-selector: "x" does not begin'],
  [["Key=x509Serial,Value=0A", "file://a"], {}, '--cert-selector: "file://a" does not begin'],
  [
    ["file://a", "Key=x509Serial,Value=0A"],
    { a: JSON_TEXT },
    "only one argument is allowed with file://",
  ],
  [["file://missing.json"], {}, "--cert-selector: missing.json: the file cannot be read"],
  [["file://a"], { a: "{" }, "--cert-selector: a: it is not JSON"],
  [["file://a"], { a: new Uint8Array([0x80]) }, "not UTF-8 or UTF-16 text"],
  [["file://a"], { a: "x".repeat(65_537) }, "too large"],
  [["Key=x509Serial,Value=xyz"], {}, "x509Serial:"],
];

for (const [texts, files, message] of WRONG) {
  Deno.test(`readCertSelector() throws usage naming the flag for ${JSON.stringify(texts)}: ${message}`, async () => {
    const error = await assertRejects(
      () => readCertSelector(texts, reading(files)),
      HelperError,
      message,
    );
    assertEquals([error.code, error.message.startsWith("--cert-selector: ")], ["usage", true]);
  });
}

testWithReference(
  "selectors",
  [],
  "certSelectorValues() reads a selector file by name",
  async (folder) => {
    const path = `file://${folder.join("valid-some-attributes-selector.json")}`;
    const values = await readCertSelector([path], (file) => Deno.readFile(file));
    assertEquals([...values.keys()], ["x509Subject", "x509Serial"]);
  },
);

Deno.test("createStoreUri() returns the values as path attributes", () => {
  const uri = createStoreUri("cng", new Map([["x509Subject", "CN=ü;?"]]));
  assertEquals([uri.scheme, uri.displayName], ["cng", "--cert-selector"]);
  assertEquals(new TextDecoder().decode(uri.attributes.get("x509Subject")), "CN=ü;?");
});
