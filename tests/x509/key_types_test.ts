import { generateKeyPairSync } from "node:crypto";

import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";

import { encodeObjectIdentifier } from "../../src/x509/der.ts";
import {
  curveOf,
  CURVES,
  KEY_TYPES,
  KeyTypeError,
  keyTypeOf,
  REFUSED_KEY_TYPES,
} from "../../src/x509/key_types.ts";

Deno.test("keyTypeOf() returns the type of every key that can be used", () => {
  for (const [oid, keyType] of Object.entries(KEY_TYPES)) assertEquals(keyTypeOf(oid), keyType);
  assertEquals(keyTypeOf("2.16.840.1.101.3.4.3.18"), "ML-DSA-65");
});

Deno.test("keyTypeOf() throws KeyTypeError with the type's name, or the number when unknown", () => {
  for (const [oid, name] of Object.entries(REFUSED_KEY_TYPES)) {
    assertThrows(() => keyTypeOf(oid), KeyTypeError, `${name} keys`);
  }
  assertThrows(() => keyTypeOf("1.2.3"), KeyTypeError, "algorithm 1.2.3 keys");
});

Deno.test("curveOf() returns node:crypto's curves for the same identifiers", () => {
  for (const curve of Object.values(CURVES)) {
    assertEquals(curveOf(curve.oid), curve);
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: curve.name });
    const spki = encodeHex(new Uint8Array(publicKey.export({ format: "der", type: "spki" })));
    const point = `0004[0-9a-f]{${4 * curve.coordinateBytes}}$`;
    assertMatch(
      spki,
      new RegExp(encodeHex(encodeObjectIdentifier(curve.oid)) + `03[0-9a-f]+?${point}`),
    );
  }
});

Deno.test("curveOf() throws KeyTypeError with the supported curves when it is another", () => {
  assertThrows(() => curveOf("1.3.132.0.10"), KeyTypeError, "P-256, P-384, P-521");
});
