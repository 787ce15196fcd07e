import { assert, assertEquals, assertThrows } from "@std/assert";
import { keystore as files } from "../../../plugins/file/mod.ts";
import { toTpmKey } from "../../../plugins/tpm/keys/tss2_key_file.ts";
import { createKeystore } from "../../../plugins/tpm/mod.ts";
import { PolicyError } from "../../../plugins/tpm/auth/policy.ts";
import { parseTss2Key } from "../../../plugins/tpm/keys/tss2_key.ts";
import { WireError } from "../../../plugins/tpm/structures/wire.ts";
import { HelperError } from "../../../src/errors.ts";
import { openSigner } from "../../../src/keystore/open_identity.ts";
import { parseKeystoreUri } from "../../../src/keystore/uri.ts";
import { DerError } from "../../../src/x509/der.ts";
import { KeyTypeError } from "../../../src/x509/key_types.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { pemOf, tss2Der, type Tss2PemRequest } from "../../support/tpm/tss2_pem.ts";
import { seededRandom } from "../../x509/seeded_random.ts";
import { encodePublicArea } from "./public_areas.ts";
import { NO_CONTEXT } from "../../support/scripted_context.ts";

const AREAS = { publicArea: encodePublicArea(), privateArea: Uint8Array.of(0, 2, 7, 7) };
const FULL: Tss2PemRequest = {
  emptyAuth: 0x01,
  policy: [{ code: 0x16c, parameters: Uint8Array.of(0, 0, 1, 0x5d) }, { code: 0x16b }],
  secret: Uint8Array.of(0, 1, 9),
  description: "of the build server",
  rsaParent: true,
  later: { 3: Uint8Array.of(0x30, 0), 6: Uint8Array.of(4, 1, 0), 17: Uint8Array.of(5, 0) },
  parent: 0x81000001,
  ...AREAS,
};

Deno.test("parseTss2Key() reads every field, and ignores those of later versions", () => {
  const key = parseTss2Key(tss2Der(FULL));
  assertEquals(
    { ...key, policy: key.policy.map(({ code, parameters }) => [code, [...parameters]]) },
    {
      kind: "loadable",
      emptyAuth: true,
      policy: [[0x16c, [0, 0, 1, 0x5d]], [0x16b, []]],
      seed: Uint8Array.of(0, 1, 9),
      description: "of the build server",
      rsaParent: true,
      parent: 0x81000001,
      ...AREAS,
    },
  );
});

Deno.test("parseTss2Key() reads a missing or zero emptyAuth as false, and any other as true", () => {
  const read = (emptyAuth?: number) =>
    parseTss2Key(
      tss2Der({ ...AREAS, parent: 0, ...(emptyAuth === undefined ? {} : { emptyAuth }) }),
    )
      .emptyAuth;
  assertEquals([undefined, 0, 0x01, 0xff].map(read), [false, false, true, true]);
});

Deno.test("parseTss2Key() reads a parent of zero as the owner hierarchy, and a negative one as a handle", () => {
  assertEquals(parseTss2Key(tss2Der({ ...AREAS, parent: 0 })).parent, 0x40000001);
  const der = tss2Der({ ...AREAS, parent: 0x81000001 });
  const at = der.findIndex((_, i) => [2, 5, 0, 0x81, 0].every((byte, j) => der[i + j] === byte));
  const negative = Uint8Array.from([...der.subarray(0, at), 2, 4, ...der.subarray(at + 3)]);
  negative[1 + (negative[1] === 0x81 ? 1 : 0)] = negative.length - (negative[1] === 0x81 ? 3 : 2);
  assertEquals(parseTss2Key(negative).parent, 0x81000001);
});

Deno.test("parseTss2Key() throws KeyTypeError for types and parents that are not in the format", () => {
  for (const type of [1, 2, 6]) {
    assertThrows(() => parseTss2Key(tss2Der({ ...AREAS, type, parent: 0 })), KeyTypeError);
  }
  for (const parent of [0x01800001, 0x80000001, 0x40000009, 1]) {
    assertThrows(() => parseTss2Key(tss2Der({ ...AREAS, parent })), KeyTypeError, "parent");
  }
});

const KNOWN = [DerError, KeyTypeError, WireError, PolicyError];

function canRead(der: Uint8Array): boolean {
  try {
    toTpmKey(parseTss2Key(der), "key.pem");
    return true;
  } catch (thrown) {
    assert(KNOWN.some((known) => thrown instanceof known), `${thrown}`);
    return false;
  }
}

Deno.test("a TSS2 key truncated anywhere is rejected", () => {
  const der = tss2Der(FULL);
  assert(canRead(der));
  for (let length = 0; length < der.length; length++) {
    assertEquals(canRead(der.subarray(0, length)), false, `${length} bytes`);
  }
});

Deno.test("a TSS2 key with any byte changed is read, or rejected with a known error", () => {
  const random = seededRandom(6);
  const der = tss2Der(FULL);
  for (let i = 0; i < 4000; i++) {
    const changed = Uint8Array.from(der);
    for (let n = 0; n <= i % 3; n++) {
      changed[random(der.length)] = random(256);
    }
    canRead(changed);
  }
});

Deno.test("a PEM file truncated anywhere is key-format, without the TPM", async () => {
  using directory = new TemporaryDirectory();
  const pem = pemOf(tss2Der(FULL));
  const registry = (scheme: string) =>
    Promise.resolve(scheme === "file" ? files : createKeystore("linux"));
  const begin = pem.indexOf("\n");
  for (let length = begin; length < pem.trimEnd().length; length += 3) {
    const path = directory.write("key.pem", pem.slice(0, length));
    const source = { privateKey: parseKeystoreUri(path, "--private-key") };
    try {
      await openSigner(source, registry, NO_CONTEXT);
      throw new Error(`${length} characters were a key`);
    } catch (thrown) {
      assert(thrown instanceof HelperError, `${thrown}`);
      assertEquals(thrown.code, "key-format", thrown.message);
    }
  }
});
