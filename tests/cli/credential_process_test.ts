import { sign } from "node:crypto";

import { assertEquals, assertRejects } from "@std/assert";

import { credentialProcess } from "../../src/cli/commands/credential_process.ts";
import { parseArguments } from "../../src/cli/flags/parse.ts";
import { HelperError } from "../../src/errors.ts";
import { parseCertificate, publicKeyOf } from "../../src/x509/certificate.ts";
import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { FakeKeystore } from "../keystore/fake_keystore.ts";
import { derOf } from "../x509/test_certificates.ts";
import { FakeSystem } from "./fake_system.ts";

async function makeKeystore() {
  using directory = new TemporaryDirectory();
  const root = await createAuthority(directory, { subject: "/CN=Root" });
  const { certificatePem, keyPem } = await issueCertificate(root, {
    subject: "/CN=Leaf",
    notBefore: new Date("2026-01-01T00:00:00Z"),
    notAfter: new Date("2026-02-01T00:00:00Z"),
  });
  const certificate = parseCertificate(derOf(certificatePem));
  return new FakeKeystore({
    "leaf.pem": {
      publicKey: publicKeyOf(certificate),
      certificates: [certificate],
      sign: (message) => Promise.resolve(new Uint8Array(sign("sha256", message, keyPem))),
    },
  });
}

/** Runs credential-process against a loopback server with this response. */
async function runAgainst(status: number, body: unknown) {
  const before = Deno.env.toObject();
  const keystore = await makeKeystore();
  const system = new FakeSystem({ keystore });
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => Response.json(body, { status }),
  );
  const anchor = "arn:aws:rolesanywhere:us-east-1:123456789012";
  try {
    const request = await parseArguments([
      "credential-process",
      "--certificate=leaf.pem",
      "--role-arn=arn:aws:iam::123456789012:role/r",
      `--profile-arn=${anchor}:profile/p`,
      `--trust-anchor-arn=${anchor}:trust-anchor/t`,
      `--endpoint=http://127.0.0.1:${server.addr.port}`,
    ], () => undefined);
    if (request.kind !== "run") throw new Error("it asks for help");
    await credentialProcess(request.values, system);
  } catch (error) {
    return { system, keystore, error };
  } finally {
    await server.shutdown();
    for (const [name, value] of Object.entries(before)) Deno.env.set(name, value);
  }
  return { system, keystore, error: undefined };
}

Deno.test("credentialProcess() prints one line of JSON, its keys in the order of the contract", async () => {
  const { system, keystore, error } = await runAgainst(201, {
    credentialSet: [{
      credentials: {
        sessionToken: "token",
        expiration: "2026-01-02T04:04:05.123Z",
        secretAccessKey: "secret",
        accessKeyId: "id",
      },
    }],
  });
  assertEquals(error, undefined);
  assertEquals(system.written, [
    '{"Version":1,"AccessKeyId":"id","SecretAccessKey":"secret","SessionToken":"token",' +
    '"Expiration":"2026-01-02T04:04:05Z"}\n',
  ]);
  assertEquals([system.logged, keystore.open], [[], 0]);
});

Deno.test("credentialProcess() writes nothing and closes the key when the service refuses", async () => {
  const { system, keystore, error } = await runAgainst(403, { code: "AccessDeniedException" });
  const refused = await assertRejects(() => Promise.reject(error), HelperError);
  assertEquals([refused.code, refused.exitCode], ["service-refused", 4]);
  assertEquals([system.written, system.logged, keystore.open], [[], [], 0]);
});
