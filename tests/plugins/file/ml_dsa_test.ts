import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { HelperError } from "../../../src/errors.ts";
import { hasPublicKey } from "../../../src/x509/chain.ts";
import { formatPem } from "../../../src/x509/pem.ts";
import { rsaPublicNumbers } from "../../../src/x509/public_key.ts";
import { readElement, readElements, writeElement } from "../../support/der.ts";
import { testWithReference } from "../../support/reference.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { openKeyFile, passphraseContext, readCertificateFile } from "./keystore_context.ts";

const MESSAGE = new TextEncoder().encode("what is to be signed");
const LEVELS = [44, 65, 87] as const;

testWithReference(
  "mldsa",
  [],
  "openKey() opens every ML-DSA key of other programs",
  async (folder) => {
    const { ml_dsa44, ml_dsa65, ml_dsa87 } = await import("@noble/post-quantum/ml-dsa.js");
    const schemes = { 44: ml_dsa44, 65: ml_dsa65, 87: ml_dsa87 };
    const names = Array.from(Deno.readDirSync(folder.path), ({ name }) => name);
    const keys = names.filter((name) => name.includes("-key"));
    assertEquals(keys.length, 27);
    for (const level of LEVELS) {
      const [certificate] = await readCertificateFile(folder.join(`mldsa${level}-cert.pem`));
      for (const name of keys.filter((key) => key.startsWith(`mldsa${level}-`))) {
        await using signer = await openKeyFile(
          folder.join(name),
          passphraseContext("password"),
        );
        assert(hasPublicKey(certificate, signer.publicKey), name);
        const signature = await signer.sign(MESSAGE, "SHA-256");
        assert(schemes[level].verify(signature, MESSAGE, signer.publicKey.bits), name);
      }
    }
  },
);

testWithReference(
  "pkcs8",
  [],
  "openKey() opens a key from ACM, whose PRF is not named",
  async (folder) => {
    const path = folder.join("acm-encrypted.pem");
    await using signer = await openKeyFile(path, passphraseContext("password"));
    assertEquals(rsaPublicNumbers(signer.publicKey.bits).modulus.length, 256);
  },
);

/** Makes an ML-DSA-44 key: seed, expanded key and public key. */
async function madeKey(): Promise<{ seed: Uint8Array; expanded: Uint8Array; bits: Uint8Array }> {
  const { ml_dsa44 } = await import("@noble/post-quantum/ml-dsa.js");
  const seed = Uint8Array.from({ length: 32 }, (_, i) => i);
  const { secretKey, publicKey } = ml_dsa44.keygen(seed);
  return { seed, expanded: secretKey, bits: publicKey };
}

function pkcs8(choice: Uint8Array): string {
  const oid = Uint8Array.of(0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 17);
  const algorithm = writeElement(0x30, writeElement(0x06, oid));
  const version = writeElement(0x02, Uint8Array.of(0));
  return formatPem("PRIVATE KEY", writeElement(0x30, version, algorithm, writeElement(4, choice)));
}

function changed(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

Deno.test("openKey() returns the same key when ML-DSA is encoded as seed, expanded or both", async () => {
  using directory = new TemporaryDirectory();
  const { seed, expanded, bits } = await madeKey();
  const choices = [
    writeElement(0x80, seed),
    writeElement(0x04, expanded),
    writeElement(0x30, writeElement(0x04, seed), writeElement(0x04, expanded)),
  ];
  for (const choice of choices) {
    const path = directory.write("key.pem", pkcs8(choice));
    await using signer = await openKeyFile(path);
    assertEquals(signer.publicKey.keyType, "ML-DSA-44");
    assertEquals(signer.publicKey.bits, bits);
    const spki = readElements(readElement(Uint8Array.from(signer.publicKey.encoded)).contents);
    assertEquals(spki.length, 2);
  }
});

Deno.test("openKey() refuses an ML-DSA key when its parts do not match", async () => {
  using directory = new TemporaryDirectory();
  const { seed, expanded } = await madeKey();
  const both = (a: Uint8Array, b: Uint8Array) =>
    writeElement(0x30, writeElement(0x04, a), writeElement(0x04, b));
  const choices: Readonly<Record<string, Uint8Array>> = {
    "seed of another key": both(changed(seed, 0), expanded),
    "expanded key of another seed": both(seed, changed(expanded, 2000)),
    "rho": writeElement(0x04, changed(expanded, 0)),
    "tr": writeElement(0x04, changed(expanded, 70)),
    "s1 out of range": writeElement(0x04, changed(expanded, 130)),
    "s1": writeElement(0x04, changed(expanded, 500)),
    "short seed": writeElement(0x80, seed.subarray(1)),
    "short expanded key": writeElement(0x04, expanded.subarray(1)),
    "neither": writeElement(0x05),
  };
  for (const [name, choice] of Object.entries(choices)) {
    const path = directory.write("key.pem", pkcs8(choice));
    const error = await assertRejects(() => openKeyFile(path), HelperError);
    assertEquals(error.code, "key-format", name);
    assertStringIncludes(error.message, path);
  }
});
