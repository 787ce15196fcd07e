import { createHash, generateKeyPairSync } from "node:crypto";

import { assertEquals } from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding/hex";

import { testMessage } from "../../src/cli/commands/sign_string.ts";
import { parsePublicKey } from "../../src/x509/public_key.ts";

const FIXED = encodeHex("AWS Roles Anywhere Credential Helper Signing Test1");
const hashed = (bits: Uint8Array) =>
  FIXED + createHash("sha256").update("IAM RA").update(bits).digest("hex");

Deno.test("testMessage() ends with the hash of the PKCS#1 key when the key is RSA", async () => {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const spki = publicKey.export({ format: "der", type: "spki" });
  const pkcs1 = new Uint8Array(publicKey.export({ format: "der", type: "pkcs1" }));
  const message = await testMessage(parsePublicKey(new Uint8Array(spki)));
  assertEquals(encodeHex(message), hashed(pkcs1));
});

for (const [namedCurve, length] of [["P-256", 65], ["P-384", 97], ["P-521", 133]] as const) {
  Deno.test(`testMessage() ends with the hash of the uncompressed point when the curve is ${namedCurve}`, async () => {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve });
    const spki = new Uint8Array(publicKey.export({ format: "der", type: "spki" }));
    const message = await testMessage(parsePublicKey(spki));
    assertEquals(encodeHex(message), hashed(spki.subarray(-length)));
  });
}

Deno.test("testMessage() ends after 1 when the key is ML-DSA", async () => {
  const bits = decodeHex("00");
  const message = await testMessage({ keyType: "ML-DSA-44", bits, encoded: bits });
  assertEquals(encodeHex(message), FIXED);
});
