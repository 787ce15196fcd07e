import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding/hex";

import { HelperError } from "../../src/errors.ts";
import { type InputSource, parseKeystoreUri, SCHEMES } from "../../src/keystore/uri.ts";

const PIN = "S3cr3tPin";
const FILES: Record<string, string> = {
  "key.pem": "key.pem",
  "/etc/ssl/private/key with spaces.pem": "/etc/ssl/private/key with spaces.pem",
  "./pkcs11:odd": "./pkcs11:odd",
  "100%.pem": "100%.pem",
  "C:\\keys\\a.pem": "C:\\keys\\a.pem",
  "c:/keys/a.pem": "c:/keys/a.pem",
  "\\\\server\\share\\a.pem": "\\\\server\\share\\a.pem",
  "file:key.pem": "key.pem",
  "file:/etc/key.pem": "/etc/key.pem",
  "file:///etc/key.pem": "/etc/key.pem",
  "file://localhost/etc/key.pem": "/etc/key.pem",
  "FILE:///etc/key.pem": "/etc/key.pem",
  "file:///etc/a%20b%C3%BC.pem": "/etc/a bü.pem",
  "file:///C:/keys/a.pem": "C:/keys/a.pem",
  "file:/c:/keys/a.pem": "c:/keys/a.pem",
};

for (const [text, path] of Object.entries(FILES)) {
  Deno.test(`parseKeystoreUri() returns a file's path when the source is ${text}`, () => {
    const uri = parseKeystoreUri(text, "--certificate");
    assertEquals([uri.scheme, uri.path, uri.displayName], ["file", path, path]);
    assertEquals([uri.attributes.size, uri.query.size], [0, 0]);
  });
}

const INPUTS: Record<string, [displayName: string, input: InputSource]> = {
  "env:SIGNING_KEY": ["env:SIGNING_KEY", { kind: "variable", name: "SIGNING_KEY" }],
  "env:signing_key": ["env:…", { kind: "variable", name: "signing_key" }],
  "fd:3": ["fd:3", { kind: "descriptor", number: 3 }],
  "fd:0": ["standard input", { kind: "descriptor", number: 0 }],
  "-": ["standard input", { kind: "descriptor", number: 0 }],
};

for (const [text, [displayName, input]] of Object.entries(INPUTS)) {
  Deno.test(`parseKeystoreUri() returns a file: source without a path for ${text}`, () => {
    const uri = parseKeystoreUri(text, "--certificate");
    assertEquals([uri.scheme, uri.path], ["file", ""]);
    assertEquals([uri.displayName, uri.input], [displayName, input]);
  });
}

const REFUSED: Record<string, string> = {
  "": "empty",
  " ": "empty",
  "file:%00": "not a file: URI of this machine",
  "file:%20": "not a file: URI of this machine",
  "env:": '"env:" takes the name of a variable',
  "env:$KEY": '"env:" takes the name of a variable',
  "env:1KEY": '"env:" takes the name of a variable',
  [`env:${"A".repeat(65)}`]: '"env:" takes the name of a variable',
  "fd:": '"fd:" takes the number of an open descriptor',
  "fd:x": '"fd:" takes the number of an open descriptor',
  "fd:1234567": '"fd:" takes the number of an open descriptor',
  "http://example.com/key.pem": 'unknown scheme "http:"',
  "pkcs12:key.p12": 'unknown scheme "pkcs12:"',
  "constructor:a": 'unknown scheme "constructor:"',
  "file:": "not a file: URI of this machine",
  "file://server/share/key.pem": "not a file: URI of this machine",
  "file:////server/key.pem": "not a file: URI of this machine",
  "file:///a%2": "not a file: URI of this machine",
  "file:///a%ff": "not a file: URI of this machine",
  "pkcs11:token": '"token" is not a name=value attribute',
  "pkcs11:token=a;": '"" is not a name=value attribute',
  "pkcs11:;token=a": '"" is not a name=value attribute',
  "pkcs11:to ken=a": '"to ken" is not a name=value attribute',
  "pkcs11:=a": '"" is not a name=value attribute',
  "pkcs11:token=a;token=b": 'duplicate attribute "token"',
  "pkcs11:token=a?pin-source=b&pin-source=c": 'duplicate attribute "pin-source"',
  "pkcs11:id=%4": 'the value of "id" has a "%"',
  "pkcs11:id=%zz": 'the value of "id" has a "%"',
  "pkcs11:id=%": 'the value of "id" has a "%"',
  "pkcs11:Token=a;token=b": 'duplicate attribute "token"',
  "pkcs11:id=%01;tokn=a": '"tokn" is not an attribute of tokens or objects',
  "pkcs11:x-vendor=a": '"x-vendor" is not an attribute of tokens or objects',
  "pkcs11:module-path=/a.so": '"module-path" must come after the "?"',
  "pkcs11:?id=%01": '"id" must come before the "?"',
  "pkcs11:slot-id=": 'the value of "slot-id" is not a number',
  "pkcs11:slot-id=0x1": 'the value of "slot-id" is not a number',
  "pkcs11:slot-id=-1": 'the value of "slot-id" is not a number',
  "pkcs11:type=key": 'the value of "type" is not one of private, cert, public, secret-key, data',
  "pkcs11:library-version=2.x": 'the value of "library-version" is not a version',
  "pkcs11:library-version=256": 'the value of "library-version" is not a version',
  "pkcs11:library-version=2.": 'the value of "library-version" is not a version',
  "pkcs11:x-certificate-sha256=abc": 'the value of "x-certificate-sha256" is not a SHA-256',
  "pkcs11:?pin-value=1&pin-source=/a": '"pin-value" and "pin-source" cannot be used together',
  "pkcs11:?context-pin-value=1&context-pin-source=/a": '"context-pin-value" and',
  "pkcs11:?pin-source=": 'the value of "pin-source" is empty',
  "pkcs11:?pin-source=%7Cgetpin": 'the value of "pin-source" is a command, which is not run',
  "pkcs11:?module-path=a.so": 'the value of "module-path" is not an absolute path',
  "pkcs11:?module-name=a/b": 'the value of "module-name" is not a module name',
  "keychain:label": "malformed keychain: URI",
  "cng:store=MY;store=CA": "malformed cng: URI",
};

for (const [text, words] of Object.entries(REFUSED)) {
  Deno.test(`parseKeystoreUri() throws usage, naming the flag, when the source is "${text}"`, () => {
    const error = assertThrows(() => parseKeystoreUri(text, "--private-key"), HelperError, words);
    assertEquals(error.code, "usage");
    assertStringIncludes(error.message, "--private-key: ");
  });
}

Deno.test("parseKeystoreUri() names all schemes when the scheme is unknown", () => {
  const error = assertThrows(() => parseKeystoreUri("vault:x", "--certificate"), HelperError);
  for (const scheme of Object.keys(SCHEMES)) assertStringIncludes(error.message, `${scheme}:`);
});

Deno.test("parseKeystoreUri() decodes path and query attributes of a pkcs11: URI", () => {
  const uri = parseKeystoreUri(
    "pkcs11:token=My%20Token;id=%00%ff%3B%80a;slot-id=0;object=a=b;serial=?module-path=/a;b/c.so&pin-source=file%3a/x",
    "--certificate",
  );
  const text = (name: string) => new TextDecoder().decode(uri.attributes.get(name));
  assertEquals(uri.scheme, "pkcs11");
  assertEquals([text("token"), text("slot-id"), text("object")], ["My Token", "0", "a=b"]);
  assertEquals(uri.attributes.get("id"), decodeHex("00ff3b8061"));
  assertEquals(uri.attributes.get("serial"), new Uint8Array());
  assertEquals([...uri.query.keys()], ["module-path", "pin-source"]);
  assertEquals(new TextDecoder().decode(uri.query.get("module-path")), "/a;b/c.so");
  assertEquals(new TextDecoder().decode(uri.query.get("pin-source")), "file:/x");
});

Deno.test("parseKeystoreUri() takes every attribute of RFC 7512, names in any case", () => {
  const path = [
    "Token=a;manufacturer=b;SERIAL=c;model=d;library-manufacturer=e;library-description=f",
    "library-version=2.40;object=g;type=CERT;id=%01;slot-manufacturer=h;slot-description=i",
    "slot-id=4294967296",
  ].join(";");
  const query = "pin-value=1&module-name=j&module-path=C:\\k.dll&context-pin-source=env:PIN";
  const uri = parseKeystoreUri(`pkcs11:${path}?${query}`, "--certificate");
  assertEquals([uri.attributes.size, uri.query.size], [13, 4]);
  assertEquals([uri.attributes.has("token"), uri.attributes.has("serial")], [true, true]);
});

Deno.test("parseKeystoreUri() shows of a pkcs11: URI's query what can be no PIN", () => {
  const label = (query: string) =>
    parseKeystoreUri(`pkcs11:token=a?${query}`, "--certificate").displayName;
  const shown = "module-path=/a.so&module-name=b&pin-source=/p&context-pin-source=env:P";
  assertEquals(label(shown), `pkcs11:token=a?${shown}`);
  assertEquals(label(`pin-valu=${PIN}&module-name=b`), "pkcs11:token=a?pin-valu=…&module-name=b");
  assertEquals(label(`Pin-Value=1=${PIN}`), "pkcs11:token=a?Pin-Value=…");
});

Deno.test("parseKeystoreUri() keeps the first of a vendor's query attributes that occur several times", () => {
  const uri = parseKeystoreUri("pkcs11:?x-hint=a&x-hint=b&pin-source=/p", "--certificate");
  assertEquals(new TextDecoder().decode(uri.query.get("x-hint")), "a");
});

Deno.test("parseKeystoreUri() keeps raw UTF-8 of an attribute as its bytes", () => {
  const uri = parseKeystoreUri("pkcs11:object=ü", "--certificate");
  assertEquals(encodeHex(uri.attributes.get("object") ?? ""), "c3bc");
});

Deno.test("parseKeystoreUri() takes an empty pkcs11: URI, and one with only a query", () => {
  assertEquals(parseKeystoreUri("pkcs11:", "--certificate").attributes.size, 0);
  const uri = parseKeystoreUri("PKCS11:?pin-source=x", "--certificate");
  assertEquals([uri.scheme, uri.attributes.size, uri.query.size], ["pkcs11", 0, 1]);
});

Deno.test("parseKeystoreUri() returns a handle's number unchanged", () => {
  const uri = parseKeystoreUri("handle:0x81000001", "--private-key");
  assertEquals([uri.scheme, uri.path, uri.displayName], [
    "handle",
    "0x81000001",
    "handle:0x81000001",
  ]);
});

/** Sources with a PIN at each place where one can be written, and what the PIN is read as. */
const WITH_PIN: Record<string, string> = {
  [`pkcs11:token=a?pin-value=${PIN}`]: PIN,
  [`pkcs11:token=a?module-name=b&pin-value=${PIN}&context-pin-source=c`]: PIN,
  [`pkcs11:token=a?PIN-VALUE=${PIN}`]: PIN,
  [`pkcs11:token=a?context-pin-value=${PIN}`]: PIN,
  [`pkcs11:token=a?pin-value=1;${PIN}`]: `1;${PIN}`,
  [`keychain:label=a;pin-value=1&${PIN}`]: `1&${PIN}`,
  [`keychain:pin-value=${PIN};label=a`]: PIN,
  [`pkcs11:token=a?pin-value=1?${PIN}`]: `1?${PIN}`,
};

for (const [text, pin] of Object.entries(WITH_PIN)) {
  Deno.test(`parseKeystoreUri() keeps the PIN out of the label when the URI is ${text}`, () => {
    const uri = parseKeystoreUri(text, "--private-key");
    const values = [...uri.attributes, ...uri.query]
      .filter(([name]) => /pin-value$/i.test(name))
      .map(([, value]) => new TextDecoder().decode(value));
    assertEquals(values, [pin]);
    assertEquals(uri.displayName.includes(PIN), false, uri.displayName);
  });
}

const BROKEN_WITH_PIN = [
  `pkcs11:token=a;pin-value=${PIN}`,
  `pkcs11:pin-value=${PIN};token=a`,
  `pkcs11:pin-value=1;${PIN};token=a`,
  `pkcs11:tokn=a?pin-value=${PIN}`,
  `pkcs11:?pin-value=${PIN}&pin-source=/a`,
  `pkcs11:?context-pin-value=${PIN}&id=%01`,
  `pkcs11:token=a?pin-value=${PIN}%`,
  `pkcs11:token=a?pin-value=${PIN}&pin-value=${PIN}`,
  `pkcs11:token=a?pin-value=1&${PIN}`,
  `pkcs11:token?pin-value=${PIN}`,
  `pkcs11:pin-value=${PIN};token`,
  `pkcs12:token=a?pin-value=${PIN}`,
  `pkcs12:token=a;pin-value=${PIN}`,
  `pkcs12:pin-value=${PIN}`,
  `PKCS#11:pin-value=${PIN}`.replace("#", "-"),
];

for (const text of BROKEN_WITH_PIN) {
  Deno.test(`parseKeystoreUri() keeps the PIN out of the error when the URI is ${text}`, () => {
    const error = assertThrows(() => parseKeystoreUri(text, "--private-key"), HelperError);
    assertEquals(error.code, "usage");
    assertEquals(error.message.includes(PIN), false, error.message);
  });
}
