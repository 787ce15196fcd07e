import { assertEquals, assertThrows } from "@std/assert";
import { decodePublicKey, parsePublicArea } from "../../../plugins/tpm/structures/public_area.ts";
import { EC_PARENT, RSA_PARENT } from "../../../plugins/tpm/structures/templates.ts";
import { tpm2b, u16, u32, wire, WireError } from "../../../plugins/tpm/structures/wire.ts";
import { KeyTypeError } from "../../../src/x509/key_types.ts";
import { rsaPublicNumbers } from "../../../src/x509/public_key.ts";
import { encodePublicArea, POINT } from "./public_areas.ts";

Deno.test("parsePublicArea() reads the templates, which have the bytes of the TCG profile", () => {
  const hex = (bytes: Uint8Array) =>
    Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
  assertEquals(
    hex(EC_PARENT),
    "001a0023000b00030472000000060080004300100003001000000000",
  );
  assertEquals(hex(RSA_PARENT), "001a0001000b00030472000000060080004300100800000000000000");
  for (const template of [EC_PARENT, RSA_PARENT]) {
    assertEquals(parsePublicArea(template).nameHash.name, "SHA-256");
  }
});

Deno.test("decodePublicKey() pads the short coordinates of an EC key", () => {
  const [x = new Uint8Array(0)] = POINT;
  const short = Uint8Array.of(1, 2, 3);
  const key = decodePublicKey(parsePublicArea(encodePublicArea({ unique: [x, short] })));
  assertEquals([...key.bits], [4, ...x, ...new Uint8Array(29), 1, 2, 3]);
  assertEquals(key.curve?.name, "P-256");
});

Deno.test("decodePublicKey() returns an RSA key with the default exponent 65537", () => {
  const area = parsePublicArea(encodePublicArea({ rsaBits: 2048 }));
  const { modulus, exponent } = rsaPublicNumbers(decodePublicKey(area).bits);
  assertEquals([modulus.length, [...exponent]], [256, [1, 0, 1]]);
});

Deno.test("decodePublicKey() throws KeyTypeError for unsupported curves and objects", () => {
  for (const [curve, name] of [[1, "P-192"], [0x10, "BN P256"], [0x99, "0x99"]] as const) {
    const area = parsePublicArea(encodePublicArea({ curve }));
    assertThrows(() => decodePublicKey(area), KeyTypeError, name);
  }
  const symmetric = tpm2b(
    wire(
      u16(0x25),
      u16(0xb),
      u32(0),
      u16(0),
      u16(6),
      u16(128),
      u16(0x43),
      tpm2b(new Uint8Array(32)),
    ),
  );
  assertThrows(
    () => decodePublicKey(parsePublicArea(symmetric)),
    KeyTypeError,
    "symmetric TPM keys",
  );
});

Deno.test("parsePublicArea() throws WireError if the area is truncated anywhere, or has trailing bytes", () => {
  for (const whole of [encodePublicArea(), encodePublicArea({ rsaBits: 2048 })]) {
    for (let length = 0; length < whole.length; length++) {
      assertThrows(() => parsePublicArea(whole.subarray(0, length)), WireError);
      const shorter = tpm2b(whole.subarray(2, length));
      if (length > 2) assertThrows(() => parsePublicArea(shorter), WireError);
    }
    assertThrows(() => parsePublicArea(wire(whole, Uint8Array.of(0))), WireError, "after the end");
  }
  const unknown = tpm2b(wire(u16(0x7777), u16(0xb), u32(0), u16(0), u16(0x10)));
  assertThrows(() => parsePublicArea(unknown), WireError, "unknown type 0x7777");
});
