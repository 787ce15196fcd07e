import { assertEquals, assertNotMatch, assertThrows } from "@std/assert";
import { decodeHex } from "@std/encoding/hex";

import { parseCertificate } from "../../src/x509/certificate.ts";
import {
  DerError,
  encodeElement,
  encodeObjectIdentifier,
  encodeSequence,
  TAG,
} from "../../src/x509/der.ts";
import { formatName } from "../../src/x509/name.ts";
import { describe, selfSigned } from "./test_certificates.ts";

/** Subjects for `openssl req -subj`. All their types have a short name in RFC 2253. */
const SUBJECTS = [
  "/CN=name",
  "/C=US/ST=Washington/L=Seattle/O=Example Corp./OU=IT/CN=host.example.com",
  "/DC=com/DC=example/UID=jo/CN=Jo",
  "/O=a\\/b/CN=with, comma",
  '/CN=plus\\+quote" back\\\\slash <angle> semi;colon',
  "/CN= leading space",
  "/CN=trailing space ",
  "/CN=#hash",
  "/CN=inner #hash and  two spaces",
  "/CN=Jürgen Müller 日本語 🔑",
  "/CN=é",
  "/CN= ",
  "/CN=  ",
];

for (const subject of SUBJECTS) {
  Deno.test(`formatName() matches openssl's RFC 2253 form when the subject is ${subject}`, async () => {
    const encoded = await selfSigned("-utf8", "-subj", subject);
    const printed = await describe(encoded, "-subject", "-nameopt", "RFC2253,-esc_msb,utf8");
    assertEquals(`subject=${formatName(parseCertificate(encoded).subject)}`, printed);
  });
}

Deno.test("formatName() joins a relative name of several attributes with plus signs", async () => {
  const encoded = await selfSigned("-subj", "/O=Org/OU=one+CN=two+UID=three");
  const printed = await describe(encoded, "-subject", "-nameopt", "RFC2253");
  const [ours, theirs] = [formatName(parseCertificate(encoded).subject), printed.slice(8)]
    .map((name) => name.split(",").map((part) => part.split("+").sort()));
  assertEquals(ours, theirs); // the order within a relative name has no meaning
  assertEquals(ours?.length, 2);
});

const CN = "2.5.4.3";
const attribute = (oid: string, tag: number, value: Uint8Array) =>
  encodeSequence(encodeObjectIdentifier(oid), encodeElement(tag, value));
const nameOf = (...attributes: Uint8Array[]) =>
  encodeSequence(...attributes.map((encoded) => encodeElement(TAG.set, encoded)));

Deno.test("formatName() decodes every string type of names", () => {
  const cases: [number, string, string][] = [
    [TAG.utf8String, "c3bc", "ü"],
    [TAG.printableString, "4142", "AB"],
    [TAG.ia5String, "614062", "a@b"],
    [TAG.teletexString, "fc", "ü"],
    [TAG.bmpString, "00fc65e5", "ü日"],
  ];
  for (const [tag, hex, text] of cases) {
    assertEquals(formatName(nameOf(attribute(CN, tag, decodeHex(hex)))), `CN=${text}`);
  }
});

Deno.test("formatName() writes # and hex when the type or the form of the value is unknown", () => {
  const value = decodeHex("6869");
  assertEquals(
    formatName(nameOf(attribute("1.2.3.4", TAG.utf8String, value))),
    "1.2.3.4=#0c026869",
  );
  assertEquals(
    formatName(nameOf(attribute(CN, TAG.octetString, value))),
    "CN=#04026869",
  );
});

Deno.test("formatName() escapes control characters in a value", () => {
  const value = new TextEncoder().encode("a\nb\x1b[31m\0c\x7f");
  const text = formatName(nameOf(attribute(CN, TAG.utf8String, value)));
  // deno-lint-ignore no-control-regex -- the test searches for control characters
  assertNotMatch(text, /[\x00-\x1f\x7f]/);
  assertEquals(text, "CN=a\\0ab\\1b[31m\\00c\\7f");
});

Deno.test("formatName() escapes a leading # when nothing follows it", () => {
  // openssl does not escape it; RFC 2253 section 2.4 requires it.
  assertEquals(formatName(nameOf(attribute(CN, TAG.utf8String, decodeHex("23")))), "CN=\\#");
});

Deno.test("formatName() returns an empty text when the name is empty", () => {
  assertEquals(formatName(decodeHex("3000")), "");
});

Deno.test("formatName() throws DerError when the name is malformed", () => {
  const whole = nameOf(attribute(CN, TAG.utf8String, decodeHex("6869")));
  for (let length = 0; length < whole.length; length++) {
    assertThrows(() => formatName(whole.subarray(0, length)), DerError);
  }
  assertThrows(() => formatName(encodeSequence(encodeElement(TAG.set))), DerError, "empty");
  const three = encodeSequence(
    encodeObjectIdentifier(CN),
    decodeHex("0c0161"),
    decodeHex("0c0162"),
  );
  assertThrows(() => formatName(nameOf(three)), DerError);
});
