import { assertEquals, assertInstanceOf } from "@std/assert";

import { type ErrorCode, EXIT_CODES, HelperError, messageOf, printable } from "../src/errors.ts";

/** Scripts rely on these: a code may be added, but not renamed or mapped to another exit code. */
const PROMISED: Record<ErrorCode, number> = {
  "internal": 1,
  "output": 1,
  "credentials-file": 1,
  "session-cache": 1,
  "listen": 1,
  "doctor": 1,
  "service-answer": 1,
  "usage": 2,
  "secret-source": 3,
  "key-not-found": 3,
  "key-unreadable": 3,
  "key-format": 3,
  "key-unsupported": 3,
  "key-locked": 3,
  "key-mismatch": 3,
  "keystore-unavailable": 3,
  "certificate-format": 3,
  "certificate-validity": 3,
  "certificate-chain": 3,
  "ca-bundle": 2,
  "service-refused": 4,
  "service-throttled": 5,
  "service-unavailable": 5,
  "session-expired": 5,
  "network": 6,
  "proxy": 6,
  "network-timeout": 6,
  "tls": 6,
  "interrupted": 130,
};

for (const [code, exitCode] of Object.entries(PROMISED)) {
  Deno.test(`HelperError has exit code ${exitCode} when its code is ${code}`, () => {
    assertEquals(new HelperError(code as ErrorCode, "").exitCode, exitCode);
  });
}

Deno.test("EXIT_CODES has each value once, and a meaning for it", () => {
  const values = Object.values(EXIT_CODES).map(({ value }) => value);
  assertEquals(values.toSorted((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 130]);
  assertEquals(Object.values(EXIT_CODES).every(({ meaning }) => meaning.length > 0), true);
});

Deno.test("HelperError keeps code, message and cause", () => {
  const cause = new TypeError("why");
  const error = new HelperError("tls", "a sentence", { cause });
  assertInstanceOf(error, Error);
  assertEquals(
    [error.name, error.code, error.message, error.cause],
    ["HelperError", "tls", "a sentence", cause],
  );
});

Deno.test("messageOf() returns one line for any thrown value", () => {
  assertEquals(messageOf(new Error(" a\n  b\r\n")), "a b");
  assertEquals(messageOf("text"), "text");
  assertEquals(messageOf(undefined), "undefined");
  assertEquals(messageOf(null), "null");
});

Deno.test("printable() returns one line of printable characters, of limited length", () => {
  assertEquals(printable(" A\x1b[31m\r\ntwo\u202e\0three\x9b "), "A [31m two three");
  assertEquals(printable("x".repeat(2000)).length, 1000);
  assertEquals(printable("x".repeat(2000), 80).length, 80);
});

const BASE64 = `MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg7xKf${"aB3/".repeat(30)}`;

/** Texts with a secret that was pasted in the wrong place, and what is printed. */
const PASTED: readonly [string, string][] = [
  [`-----BEGIN KEY----- ${BASE64} -----END KEY----- is bad`, "-----BEGIN KEY-----… is bad"],
  [`-----BEGIN KEY----- ${BASE64} is bad`, "-----BEGIN KEY-----…"],
  [`/etc/${BASE64} is bad`, "… is bad"],
  [`${BASE64.slice(0, 64)}\n${BASE64.slice(64, 128)}\nabcdefgh\nis bad`, "… is bad"],
  [`${BASE64} does not exist`, "… does not exist"],
  ["https://user:hunter2@h.invalid/x", "https://…@h.invalid/x"],
  ["https://h.invalid/x?token=hunter2 is", "https://h.invalid/x?… is"],
  ["keychain:label=x;pin-value=hunter2 is", "keychain:label=x;pin-value=… is"],
  ["pkcs11:token=x?pin-value=hunter:2: no token", "pkcs11:token=x?pin-value=…: no token"],
  ["handle:hunter2: not a handle", "handle:…: not a handle"],
];

for (const [text, expected] of PASTED) {
  Deno.test(`printable() replaces the secret in ${text.slice(0, 40)}`, () => {
    assertEquals(printable(text), expected);
    assertEquals(new HelperError("usage", text).message, expected);
  });
}

Deno.test("printable() replaces the same in a text of letters of paths as in a sentence", () => {
  const parts = ["", "a", "Keys", "key2026", "AwsRolesAnywhere", "AwsRolesAnywhereKey2026"];
  const secrets = ["aB3".repeat(6), "kX9pQ2mZ7vT4wR8s", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"];
  const names = [...parts, ...secrets];
  for (const first of names) {
    for (const second of names) {
      for (const separator of ["/", "-", "_", "."]) {
        const path = [first, second, first, second, "file.pem"].join(separator);
        assertEquals(`~ ${printable(path)}`, printable(`~ ${path}`));
      }
    }
  }
});

Deno.test("printable() truncates a path that is longer than a URI of a token", () => {
  const long = new HelperError("usage", `ca: ${"/x".repeat(50_000)} is bad`);
  assertEquals(long.message, `ca: ${"/x".repeat(150)}…`);
  const password = `https://user:${"p".repeat(500)}@h.invalid`;
  assertEquals(printable(password, 300), "https://…@h.invalid");
  const shorter = `${"/x".repeat(480)} is bad`;
  assertEquals(new HelperError("usage", shorter).message, shorter);
});

Deno.test("printable() keeps names, paths, ARNs, URIs and fingerprints", () => {
  for (
    const text of [
      "/Users/jane/Documents/AwsRolesAnywhereKey2026/production/key does not exist",
      "/var/lib/some-long-folder-name/with-Certificates-2026/and_another_Folder/key.pem",
      `sha256 ${"0123456789abcdef".repeat(4)}`,
      `sha1 ${"0123456789ABCDEF".repeat(3)}`,
      "arn:aws:rolesanywhere:us-east-1:123456789012:profile/2d1b8a3e-0000-4000-8000-0123456789ab",
      "pkcs11:token=a;id=%01%02%AB%CD?module-path=/usr/lib/x.so&pin-value=…",
      "handle:0x81000001: not a TPM handle; write it as in handle:0x81000001 (list them)",
      "use file:, pkcs11:, handle:, keychain: or cng:",
      "http://proxy:3128 and https://rolesanywhere.us-east-1.amazonaws.com/sessions",
    ]
  ) assertEquals(printable(text), text);
});
