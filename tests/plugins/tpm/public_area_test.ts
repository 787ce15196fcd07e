import { assertEquals, assertThrows } from "@std/assert";
import { parsePublicArea, publicKeyOfArea } from "../../../plugins/tpm/structures/public_area.ts";
import { EC_PARENT, RSA_PARENT } from "../../../plugins/tpm/structures/templates.ts";
import { sized, u16, u32, wire, WireError } from "../../../plugins/tpm/structures/wire.ts";
import { KeyTypeError } from "../../../src/x509/key_types.ts";
import { rsaPublicNumbers } from "../../../src/x509/public_key.ts";
import { POINT, publicAreaOf } from "./public_areas.ts";

Deno.test("parsePublicArea() reads the templates, byte for byte as the TCG has them", () => {
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

Deno.test("publicKeyOfArea() gives an EC key whose short coordinates are padded", () => {
  const [x = new Uint8Array(0)] = POINT;
  const short = Uint8Array.of(1, 2, 3);
  const key = publicKeyOfArea(parsePublicArea(publicAreaOf({ unique: [x, short] })));
  assertEquals([...key.bits], [4, ...x, ...new Uint8Array(29), 1, 2, 3]);
  assertEquals(key.curve?.name, "P-256");
});

Deno.test("publicKeyOfArea() gives an RSA key, its exponent 65537 when none is written", () => {
  const area = parsePublicArea(publicAreaOf({ rsaBits: 2048 }));
  const { modulus, exponent } = rsaPublicNumbers(publicKeyOfArea(area).bits);
  assertEquals([modulus.length, [...exponent]], [256, [1, 0, 1]]);
});

Deno.test("publicKeyOfArea() throws KeyTypeError for curves and objects that cannot be used", () => {
  for (const [curve, name] of [[1, "P-192"], [0x10, "BN P256"], [0x99, "0x99"]] as const) {
    const area = parsePublicArea(publicAreaOf({ curve }));
    assertThrows(() => publicKeyOfArea(area), KeyTypeError, name);
  }
  const symmetric = sized(
    wire(
      u16(0x25),
      u16(0xb),
      u32(0),
      u16(0),
      u16(6),
      u16(128),
      u16(0x43),
      sized(new Uint8Array(32)),
    ),
  );
  assertThrows(
    () => publicKeyOfArea(parsePublicArea(symmetric)),
    KeyTypeError,
    "symmetric TPM keys",
  );
});

Deno.test("parsePublicArea() throws WireError wherever the area is cut off, or goes on", () => {
  for (const whole of [publicAreaOf(), publicAreaOf({ rsaBits: 2048 })]) {
    for (let length = 0; length < whole.length; length++) {
      assertThrows(() => parsePublicArea(whole.subarray(0, length)), WireError);
      const shorter = sized(whole.subarray(2, length));
      if (length > 2) assertThrows(() => parsePublicArea(shorter), WireError);
    }
    assertThrows(() => parsePublicArea(wire(whole, Uint8Array.of(0))), WireError, "behind the end");
  }
  const unknown = sized(wire(u16(0x7777), u16(0xb), u32(0), u16(0), u16(0x10)));
  assertThrows(() => parsePublicArea(unknown), WireError, "unknown type 0x7777");
});
