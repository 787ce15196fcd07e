import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";

import { resolveSecret, type SecretDeps } from "../../src/cli/secrets.ts";
import { HelperError } from "../../src/errors.ts";

const FLAG = "--pkcs8-password";
const encode = (text: string) => new TextEncoder().encode(text);

const readers = (files: Record<string, Uint8Array> = {}, windows = false): SecretDeps => ({
  windows,
  isInherited: (descriptor) => Object.hasOwn(files, `/dev/fd/${descriptor}`),
  environment: (name) => ({ SET: "from the environment", EMPTY: "" })[name],
  readFile: (path) => {
    const bytes = files[path];
    return bytes ? Promise.resolve(bytes) : Promise.reject(new Deno.errors.NotFound(`no ${path}`));
  },
});

const FILES: Record<string, [string, string]> = {
  "one line": ["secret\n", "secret"],
  "no newline": ["secret", "secret"],
  "Windows line endings": ["secret\r\nmore\r\n", "secret"],
  "several lines": ["first\nsecond\n", "first"],
  "blanks around": [" a b \n", " a b "],
  "an empty line": ["\nsecond", ""],
  "nothing": ["", ""],
  "UTF-8": ["pä$$wörd\n", "pä$$wörd"],
};

for (const [what, [contents, secret]] of Object.entries(FILES)) {
  Deno.test(`resolveSecret() returns the first line when file: or fd: has ${what}`, async () => {
    const read = (source: string, path: string) =>
      resolveSecret(source, FLAG, readers({ [path]: encode(contents) }));
    assertEquals(await read("file:/run/secret", "/run/secret"), secret);
    assertEquals(await read("fd:3", "/dev/fd/3"), secret);
  });
}

const PLAIN: Record<string, string> = {
  "env:SET": "from the environment",
  "env:EMPTY": "",
  "pass:env:SET": "env:SET",
  "pass:": "",
  "pass:two\nlines": "two\nlines",
  "secret": "secret",
  "": "",
  "ENV:SET": "ENV:SET",
  "http:x": "http:x",
};

for (const [source, secret] of Object.entries(PLAIN)) {
  Deno.test(`resolveSecret() returns ${JSON.stringify(secret)} when the source is ${JSON.stringify(source)}`, async () => {
    assertEquals(await resolveSecret(source, FLAG, readers()), secret);
  });
}

const REFUSED: [string, string, SecretDeps][] = [
  ["env:UNSET", "UNSET is not set", readers()],
  ["env:", "is not set", readers()],
  ["file:/missing", "/missing cannot be read", readers()],
  ["fd:9", "descriptor 9 is not open", readers()],
  ["fd:x", "number of an open descriptor", readers({ "/dev/fd/x": encode("secret") })],
  ["fd:../../etc/secret", "number of an open descriptor", readers()],
  ["fd:-1", "number of an open descriptor", readers()],
  ["fd:3", "not available on Windows", readers({ "/dev/fd/3": encode("secret") }, true)],
  ["file:/big", "too large", readers({ "/big": encode("secret".repeat(11_000)) })],
  ["file:/binary", "is not UTF-8 text", readers({ "/binary": Uint8Array.of(0x73, 0xff, 0xfe) })],
];

for (const [source, message, deps] of REFUSED) {
  Deno.test(`resolveSecret() throws secret-source, naming the flag, when ${source} ${message}`, async () => {
    const error = await assertRejects(
      () => resolveSecret(source, FLAG, deps),
      HelperError,
      message,
    );
    assertEquals([error.code, error.message.startsWith(`${FLAG}: `)], ["secret-source", true]);
    assertEquals(error.message.includes("secretsecret"), false);
  });
}

Deno.test("resolveSecret() wipes the bytes it has read", async () => {
  const bytes = encode("secret\n");
  await resolveSecret("file:/a", FLAG, readers({ "/a": bytes }));
  assertEquals(bytes, new Uint8Array(7));
});

Deno.test("resolveSecret() keeps the read error as the cause", async () => {
  const error = await assertRejects(() => resolveSecret("file:/a", FLAG, readers()), HelperError);
  assertStringIncludes(String(error.cause), "no /a");
});
