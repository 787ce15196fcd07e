import { assert, assertEquals, assertThrows } from "@std/assert";
import { ATTRIBUTE, parsePublicArea } from "../../../plugins/tpm/structures/public_area.ts";
import {
  decodeSignature,
  fitDigest,
  planSignature,
} from "../../../plugins/tpm/keys/signature_scheme.ts";
import { tpm2b, u16, wire, WireError } from "../../../plugins/tpm/structures/wire.ts";
import { KeyTypeError } from "../../../src/x509/key_types.ts";
import type { Digest } from "../../../src/x509/verify_signature.ts";
import { type AreaRequest, encodePublicArea } from "./public_areas.ts";

const ECDSA = 0x18;
const RSASSA = 0x14;
const CURVE = { "P-256": 3, "P-384": 4, "P-521": 5 };
const LENGTH = { "P-256": 32, "P-384": 48, "P-521": 66 };
const NAME = { 0xb: "SHA-256", 0xc: "SHA-384", 0xd: "SHA-512" };

const area = (request: AreaRequest) => parsePublicArea(encodePublicArea(request));
const onCurve = (curve: keyof typeof CURVE, hash?: number) =>
  area({
    curve: CURVE[curve],
    unique: [new Uint8Array(LENGTH[curve]), new Uint8Array(LENGTH[curve])],
    ...(hash === undefined ? {} : { scheme: wire(u16(ECDSA), u16(hash)) }),
  });

/** Curve, fixed hash, requested digest, hash named to the TPM. */
const PLANS: readonly (readonly [keyof typeof CURVE, number | undefined, Digest, string])[] = [
  ["P-256", undefined, "SHA-256", "SHA-256"],
  ["P-256", undefined, "SHA-384", "SHA-256"],
  ["P-256", undefined, "SHA-512", "SHA-256"],
  ["P-384", undefined, "SHA-256", "SHA-256"],
  ["P-384", undefined, "SHA-384", "SHA-384"],
  ["P-384", undefined, "SHA-512", "SHA-384"],
  ["P-521", undefined, "SHA-512", "SHA-512"],
  ["P-256", 0xb, "SHA-512", "SHA-256"],
  ["P-256", 0xd, "SHA-256", "SHA-512"],
  ["P-384", 0xc, "SHA-256", "SHA-384"],
  ["P-384", 0xd, "SHA-384", "SHA-512"],
  ["P-521", 0xd, "SHA-256", "SHA-512"],
];

for (const [curve, fixed, digest, expected] of PLANS) {
  const scheme = fixed === undefined ? "no scheme" : `${NAME[fixed as 0xb]} fixed`;
  Deno.test(`planSignature() signs ${digest} on ${curve}, ${scheme}, as ${expected}`, () => {
    const plan = planSignature(onCurve(curve, fixed), digest);
    assertEquals(plan.hash.name, expected);
    const length = Number(digest.slice(4)) / 8;
    const fitted = plan.fit(new Uint8Array(length).fill(1));
    assertEquals(fitted.length, plan.hash.length);
    // The value that ECDSA uses: the leftmost bits, up to the curve's length.
    const used = (bytes: Uint8Array) => {
      const kept = bytes.subarray(0, LENGTH[curve]);
      return kept.subarray(kept.findIndex((byte) => byte !== 0));
    };
    assertEquals(used(fitted), used(new Uint8Array(length).fill(1)));
    assertEquals(
      [...plan.scheme],
      fixed === undefined ? [0, 0x18, 0, plan.hash.algorithm] : [0, 0x10],
    );
  });
}

for (
  const [name, key, digest] of [
    ["a P-384 key fixed on SHA-256 for SHA-384", onCurve("P-384", 0xb), "SHA-384"],
    ["a P-256 key fixed on SHA-1", onCurve("P-256", 0x4), "SHA-256"],
    [
      "an RSA key fixed on SHA-256 for SHA-512",
      area({ rsaBits: 2048, scheme: wire(u16(RSASSA), u16(0xb)) }),
      "SHA-512",
    ],
    [
      "a restricted key fixed on SHA-256 for SHA-512",
      area({
        attributes: ATTRIBUTE.sign | ATTRIBUTE.restricted,
        scheme: wire(u16(ECDSA), u16(0xb)),
      }),
      "SHA-512",
    ],
    ["RSA-PSS", area({ rsaBits: 2048, scheme: wire(u16(0x16), u16(0xb)) }), "SHA-256"],
    ["ECDAA", area({ scheme: wire(u16(0x1a), u16(0xb), u16(0)) }), "SHA-256"],
    ["a key that does not sign", area({ attributes: ATTRIBUTE.decrypt }), "SHA-256"],
  ] as const
) {
  Deno.test(`planSignature() throws KeyTypeError for ${name}`, () => {
    assertThrows(() => planSignature(key, digest), KeyTypeError);
  });
}

Deno.test("fitDigest() truncates, adds leading zeros, and adds trailing zeros that the TPM truncates", () => {
  const digest = Uint8Array.from({ length: 6 }, (_, i) => i + 1);
  assertEquals([...fitDigest(digest, 4, 4)], [1, 2, 3, 4]);
  assertEquals([...fitDigest(digest, 8, 8)], [0, 0, 1, 2, 3, 4, 5, 6]);
  assertEquals([...fitDigest(digest, 8, 4)], [1, 2, 3, 4, 0, 0, 0, 0]);
});

Deno.test("decodeSignature() returns PKCS#1 bytes or DER, and throws WireError for other types", () => {
  const rsa = Uint8Array.of(0x81, 2, 3);
  assertEquals(decodeSignature(wire(u16(RSASSA), u16(0xb), tpm2b(rsa))), rsa);
  const ecdsa = wire(u16(ECDSA), u16(0xb), tpm2b(Uint8Array.of(0, 0x80)), tpm2b(Uint8Array.of(1)));
  assertEquals([...decodeSignature(ecdsa)], [0x30, 7, 2, 2, 0, 0x80, 2, 1, 1]);
  assertThrows(() => decodeSignature(wire(u16(0x16), u16(0xb), tpm2b(rsa))), WireError);
  assert(decodeSignature(ecdsa) instanceof Uint8Array);
});
