import { assert, assertEquals } from "@std/assert";
import { runBinary } from "../support/binary.ts";
import { type Authority, createAuthority } from "../support/certificates.ts";
import { testMessage } from "../support/test_message.ts";
import { makeFileKeys } from "../support/tpm/file_keys.ts";
import { makeHandleKeys } from "../support/tpm/handle_keys.ts";
import { makeParents, type TpmKeyCase, TpmKeyMaker } from "../support/tpm/key_maker.ts";
import { makePolicyKeys } from "../support/tpm/policy_keys.ts";
import { makeProviderKeys } from "../support/tpm/provider_keys.ts";
import { makeSealedKeys } from "../support/tpm/sealed_keys.ts";
import { SoftwareTpm, type Transport } from "../support/tpm/software_tpm.ts";

const DIGESTS = ["SHA256", "SHA384", "SHA512"];

/** Issues a certificate for a public key, without the private key. */
async function certify(tpm: SoftwareTpm, authority: Authority, key: TpmKeyCase): Promise<string> {
  const path = tpm.directory.join(`${crypto.randomUUID()}.crt`);
  // deno-fmt-ignore
  await tpm.run(
    "openssl", "x509", "-new", "-subj", "/CN=tpm", "-force_pubkey", key.publicKeyPath,
    "-CA", authority.certificatePath, "-CAkey", authority.keyPath, "-days", "30", "-out", path,
  );
  return path;
}

async function signAndVerify(
  tpm: SoftwareTpm,
  authority: Authority,
  key: TpmKeyCase,
): Promise<void> {
  const certificate = await certify(tpm, authority, key);
  const publicKey = await tpm.run("openssl", "x509", "-in", certificate, "-pubkey", "-noout");
  const message = tpm.directory.write("message", testMessage(publicKey));
  const publicKeyPath = tpm.directory.write("certified.pem", publicKey);
  for (const digest of key.digests ?? DIGESTS) {
    const { code, stdoutBytes, stderr } = await runBinary(
      // deno-fmt-ignore
      [
        "sign-string", "--private-key", key.privateKey, "--certificate", certificate,
        "--format=bin", `--digest=${digest}`, ...key.flags,
      ],
      { env: tpm.env },
    );
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    const signature = tpm.directory.write("signature", stdoutBytes);
    // deno-fmt-ignore
    const result = await tpm.run(
      "openssl", "dgst", `-${digest.toLowerCase()}`, "-verify", publicKeyPath,
      "-signature", signature, message,
    );
    assertEquals(result, "Verified OK\n");
  }
}

async function signWithAll(
  t: Deno.TestContext,
  transport: Transport,
  make: (maker: TpmKeyMaker) => Promise<TpmKeyCase[]>,
): Promise<number> {
  await using tpm = await SoftwareTpm.start(transport);
  const authority = await createAuthority(tpm.directory, { subject: "/CN=authority" });
  const maker = new TpmKeyMaker(tpm);
  await makeParents(maker);
  const cases = await make(maker);
  for (const key of cases) {
    await t.step(key.name, async () => {
      await signAndVerify(tpm, authority, key);
      assertEquals(await tpm.listLeftovers(), []);
    });
  }
  return cases.length;
}

Deno.test("sign-string signs with every kind of TPM key over TCP, openssl verifies, and the TPM is empty", async (t) => {
  const count = await signWithAll(t, "tcp", async (maker) => [
    ...await makeHandleKeys(maker),
    ...await makeProviderKeys(maker),
    ...await makeFileKeys(maker),
    ...await makePolicyKeys(maker),
    ...await makeSealedKeys(maker),
  ]);
  assert(count >= 40, `${count} kinds of key`);
});

Deno.test("sign-string signs with TPM keys over a Unix socket, openssl verifies, and the TPM is empty", async (t) => {
  const count = await signWithAll(t, "unix", async (maker) => [
    ...await makeProviderKeys(maker),
    ...await makePolicyKeys(maker),
  ]);
  assert(count >= 14, `${count} kinds of key`);
});
