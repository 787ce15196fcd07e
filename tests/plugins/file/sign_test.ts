import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import type { Signer } from "../../../src/keystore/types.ts";
import { hasPublicKey } from "../../../src/x509/chain.ts";
import type { Digest } from "../../../src/x509/verify_signature.ts";
import { openssl } from "../../support/openssl.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { certificateOf, openKeyFile, passphraseContext } from "./keystore_context.ts";
import { makeKeyFiles } from "./variants.ts";

const DIGESTS: readonly Digest[] = ["SHA-256", "SHA-384", "SHA-512"];
const MESSAGE = new TextEncoder().encode("what is to be signed");

Deno.test("openKey() returns a signer whose signatures openssl verifies, for every variant", async (t) => {
  using directory = new TemporaryDirectory();
  const messagePath = directory.write("message", MESSAGE);
  const signaturePath = directory.join("signature");
  const files = await makeKeyFiles(directory);
  assertGreaterOrEqual(files.length, 60);

  for (const file of files) {
    await t.step(`${file.keyType} ${file.name}`, async () => {
      const context = passphraseContext(file.passphrase);
      await using signer = await openKeyFile(file.path, context);
      await assertBelongsTo(signer, file.certificatePath);
      assertEquals(signer.certificates.length, file.holds === "key" ? 0 : 1);
      for (const digest of DIGESTS) {
        await Deno.writeFile(signaturePath, await signer.sign(MESSAGE, digest));
        // deno-fmt-ignore
        await openssl([
          "dgst", `-${digest.replace("-", "").toLowerCase()}`, "-verify", file.publicKeyPath,
          "-signature", signaturePath, messagePath,
        ]);
      }
      assertEquals(context.questions, []);
    });
  }
});

async function assertBelongsTo(signer: Signer, certificatePath: string): Promise<void> {
  const certificate = certificateOf(await Deno.readTextFile(certificatePath));
  assertEquals(hasPublicKey(certificate, signer.publicKey), true);
}
