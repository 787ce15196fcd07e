import { assertEquals } from "@std/assert";

import {
  canonicalQuery,
  canonicalRequest,
  credentialScope,
  encodeUriComponent,
  formatAmzDate,
  signedHeaderNames,
  stringToSign,
} from "../../src/rolesanywhere/canonical.ts";

Deno.test("encodeUriComponent() leaves RFC 3986's unreserved characters and encodes all others", () => {
  const unreserved = "ABCXYZabcxyz0189-._~";
  assertEquals(encodeUriComponent(unreserved), unreserved);
  assertEquals(
    encodeUriComponent(" !'()*:/?#[]@&=+$,;%"),
    [
      ..." !'()*:/?#[]@&=+$,;%",
    ].map((c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`).join(""),
  );
  assertEquals(encodeUriComponent("ü🔑"), "%C3%BC%F0%9F%94%91");
});

Deno.test("canonicalQuery() sorts by encoded name, and writes a space as %20", () => {
  const query = new Map([["b", "2"], ["a b", "x y"], ["a", ""], ["B", "+"], ["ü", "1"]]);
  assertEquals(canonicalQuery(query), "%C3%BC=1&B=%2B&a=&a%20b=x%20y&b=2");
  assertEquals(canonicalQuery(new Map()), "");
});

Deno.test("canonicalRequest() sorts the headers and trims and squeezes their values", () => {
  const text = canonicalRequest({
    method: "POST",
    path: "/sessions",
    query: new Map([["z", "1"], ["a", "2"]]),
    headers: new Map([
      ["x-amz-date", "  20240706T113859Z "],
      ["host", "example.com:8443"],
      ["content-type", "application/json;   charset=utf-8"],
    ]),
  }, "ab12");
  assertEquals(
    text,
    "POST\n/sessions\na=2&z=1\ncontent-type:application/json; charset=utf-8\n" +
      "host:example.com:8443\nx-amz-date:20240706T113859Z\n\n" +
      "content-type;host;x-amz-date\nab12",
  );
});

const PATHS = { "": "/", "/": "/", "/prefix/sessions": "/prefix/sessions", "/a%20b": "/a%2520b" };

for (const [path, canonical] of Object.entries(PATHS)) {
  Deno.test(`canonicalRequest() writes the path as ${canonical} if it is "${path}"`, () => {
    const request = { method: "GET", path, query: new Map(), headers: new Map() };
    assertEquals(canonicalRequest(request, "").split("\n")[1], canonical);
  });
}

Deno.test("signedHeaderNames() sorts by code point, so that a name goes before its extension", () => {
  const names = ["x-amz-x509-chain", "host", "x-amz-x509", "content-type", "x-amz-date"];
  assertEquals(
    signedHeaderNames(new Map(names.map((name) => [name, ""]))),
    "content-type;host;x-amz-date;x-amz-x509;x-amz-x509-chain",
  );
});

Deno.test("stringToSign() joins its four lines without a newline at the end", () => {
  assertEquals(stringToSign("A", "B", "C", "D"), "A\nB\nC\nD");
});

Deno.test("credentialScope() begins with the day of the date", () => {
  assertEquals(
    credentialScope("20240706T113859Z", "us-east-2"),
    "20240706/us-east-2/rolesanywhere/aws4_request",
  );
});

Deno.test("formatAmzDate() writes UTC without separators and fractions", () => {
  assertEquals(formatAmzDate(new Date("2024-07-06T01:02:03.999+02:00")), "20240705T230203Z");
});
