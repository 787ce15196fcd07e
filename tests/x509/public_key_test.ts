import { createPublicKey, generateKeyPairSync } from "node:crypto";

import { assertEquals, assertThrows } from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding/hex";

import {
  DerError,
  DerReader,
  encodeElement,
  encodeObjectIdentifier,
  encodeSequence,
  encodeUnsignedInteger,
  TAG,
} from "../../src/x509/der.ts";
import { KeyTypeError } from "../../src/x509/key_types.ts";
import {
  encodePublicKey,
  parsePublicKey,
  readAlgorithmIdentifier,
  rsaPublicNumbers,
  sameBytes,
  samePublicKey,
} from "../../src/x509/public_key.ts";

const RSA = encodeSequence(encodeObjectIdentifier("1.2.840.113549.1.1.1"), decodeHex("0500"));
const EC = encodeObjectIdentifier("1.2.840.10045.2.1");
const P256 = encodeObjectIdentifier("1.2.840.10045.3.1.7");

const rsaKey = (modulusBits: number) => {
  const modulus = new Uint8Array(Math.ceil(modulusBits / 8)).fill(0xff);
  if (modulusBits % 8 !== 0) modulus[0] = (1 << (modulusBits % 8)) - 1;
  const exponent = decodeHex("010001");
  return encodePublicKey(
    RSA,
    encodeSequence(encodeUnsignedInteger(modulus), encodeUnsignedInteger(exponent)),
  );
};

Deno.test("parsePublicKey() returns the PKCS#1 bits of an RSA key", () => {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const spki = new Uint8Array(publicKey.export({ format: "der", type: "spki" }));
  const parsed = parsePublicKey(spki);
  assertEquals(parsed.keyType, "RSA");
  assertEquals(
    encodeHex(parsed.bits),
    encodeHex(new Uint8Array(publicKey.export({ format: "der", type: "pkcs1" }))),
  );
});

Deno.test("rsaPublicNumbers() returns node:crypto's modulus and exponent", () => {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const { modulus, exponent } = rsaPublicNumbers(
    new Uint8Array(publicKey.export({ format: "der", type: "pkcs1" })),
  );
  const jwk = publicKey.export({ format: "jwk" });
  const base64url = (bytes: Uint8Array) =>
    bytes.toBase64({ alphabet: "base64url", omitPadding: true });
  assertEquals([base64url(modulus), base64url(exponent)], [jwk.n, jwk.e]);
});

Deno.test("parsePublicKey() accepts RSA keys of 1024 to 8192 bits and refuses others", () => {
  for (const bits of [1024, 1025, 2048, 3072, 8192]) {
    assertEquals(parsePublicKey(rsaKey(bits)).keyType, "RSA");
  }
  for (const bits of [8, 512, 1023, 8193, 16_384]) {
    assertThrows(() => parsePublicKey(rsaKey(bits)), KeyTypeError, `RSA keys of ${bits} bits`);
  }
});

Deno.test("parsePublicKey() returns the uncompressed point of an EC key", () => {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const spki = new Uint8Array(publicKey.export({ format: "der", type: "spki" }));
  const parsed = parsePublicKey(spki);
  assertEquals([parsed.keyType, parsed.curve?.name, parsed.bits.length], ["EC", "P-384", 97]);
  assertEquals(parsed.bits[0], 0x04);
});

Deno.test("parsePublicKey() throws DerError when an EC point is compressed or of a wrong length", () => {
  const algorithm = encodeSequence(EC, P256);
  for (const hex of [`02${"11".repeat(32)}`, `04${"11".repeat(63)}`, `04${"11".repeat(65)}`, ""]) {
    assertThrows(() => parsePublicKey(encodePublicKey(algorithm, decodeHex(hex))), DerError);
  }
});

Deno.test("parsePublicKey() throws KeyTypeError when the curve is explicit or unknown", () => {
  const point = decodeHex(`04${"11".repeat(64)}`);
  const explicit = encodeSequence(EC, encodeSequence(decodeHex("020101")));
  assertThrows(() => parsePublicKey(encodePublicKey(explicit, point)), KeyTypeError, "explicit");
  const absent = encodeSequence(EC);
  assertThrows(() => parsePublicKey(encodePublicKey(absent, point)), KeyTypeError);
  const other = encodeSequence(EC, encodeObjectIdentifier("1.3.132.0.10"));
  assertThrows(() => parsePublicKey(encodePublicKey(other, point)), KeyTypeError, "secp256k1");
});

Deno.test("parsePublicKey() throws DerError when it is truncated, followed or has unused bits", () => {
  const whole = rsaKey(1024);
  for (let length = 0; length < whole.length; length++) {
    assertThrows(() => parsePublicKey(whole.subarray(0, length)), DerError);
  }
  assertThrows(() => parsePublicKey(Uint8Array.from([...whole, 0])), DerError);
  const unusedBits = encodeSequence(RSA, encodeElement(TAG.bitString, decodeHex("04f0")));
  assertThrows(() => parsePublicKey(unusedBits), DerError);
});

Deno.test("samePublicKey() compares the key and not the encoding of its parameters", () => {
  const key = parsePublicKey(rsaKey(1024));
  const withoutNull = encodeSequence(encodeObjectIdentifier("1.2.840.113549.1.1.1"));
  assertEquals(samePublicKey(key, parsePublicKey(encodePublicKey(withoutNull, key.bits))), true);
  assertEquals(samePublicKey(key, parsePublicKey(rsaKey(1032))), false);
  const bits = decodeHex("00ff");
  const [a, b] = ["2.16.840.1.101.3.4.3.17", "2.16.840.1.101.3.4.3.18"].map((oid) =>
    ({ keyType: oid.endsWith("17") ? "ML-DSA-44" : "ML-DSA-65", bits, encoded: bits }) as const
  );
  assertEquals(a && b && samePublicKey(a, b), false);
});

Deno.test("sameBytes() is true only for the same bytes", () => {
  const bytes = decodeHex("0102");
  assertEquals(sameBytes(bytes, decodeHex("0102")), true);
  assertEquals(sameBytes(bytes, decodeHex("0103")), false);
  assertEquals(sameBytes(bytes, decodeHex("01")), false);
  assertEquals(sameBytes(bytes, decodeHex("010200")), false);
});

Deno.test("encodePublicKey() writes what node:crypto reads as the same key", () => {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = publicKey.export({ format: "der", type: "spki" });
  const { bits } = parsePublicKey(new Uint8Array(spki));
  const encoded = encodePublicKey(encodeSequence(EC, P256), bits);
  const read = createPublicKey({ key: spki, format: "der", type: "spki" });
  assertEquals(encodeHex(encoded), encodeHex(new Uint8Array(spki)));
  assertEquals(read.equals(publicKey), true);
});

Deno.test("readAlgorithmIdentifier() returns the identifier, and its parameters if there are any", () => {
  const read = (encoded: Uint8Array) => readAlgorithmIdentifier(new DerReader(encoded).sequence());
  assertEquals(read(RSA), { oid: "1.2.840.113549.1.1.1", parameters: decodeHex("0500") });
  assertEquals(read(encodeSequence(EC)), { oid: "1.2.840.10045.2.1" });
});
