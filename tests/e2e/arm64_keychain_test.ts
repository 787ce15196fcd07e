/** The `keychain:` keystore over its double, in a program for arm64, emulated. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";

import { testMessage } from "../../src/cli/commands/sign_string.ts";
import { parseCertificate, publicKeyOf } from "../../src/x509/certificate.ts";
import { compileDouble } from "../plugins/keychain/compile_double.ts";
import type { StoreDescription } from "../plugins/store_description.ts";
import { opensslVerifies, StoreFixture, type StoreIdentity } from "../plugins/store_fixture.ts";
import { ARM64_COMPILER, ARM64_FLAGS, ARM64_STORE_PROGRAM, runArm64 } from "../support/arm64.ts";
import { testWith, whyMissing } from "../support/needs.ts";

const reason = whyMissing("arm64-emulator");
const fixture = new StoreFixture();
const [root, lower] = await fixture.authorities;
const library = reason ? "" : await compileDouble(
  fixture.directory.join("libkeychain.so"),
  ARM64_FLAGS,
  ARM64_COMPILER,
);
const rsa = await fixture.issue("rsa-2048", "/CN=rsa");
const ec = await fixture.issue("ec-p256", "/CN=ec");

type Rest = Partial<Pick<StoreDescription, "failure" | "secret">> & {
  readonly keychain?: "locked";
};

/** Runs sign-string over identities, and checks that no object is left alive. */
async function sign(identities: readonly StoreIdentity[], rest: Rest, ...args: string[]) {
  const { keychain, ...common } = rest;
  const write = ({ encoded }: StoreIdentity, name: string) =>
    fixture.directory.write(`${name}.der`, encoded);
  const description: StoreDescription = {
    platform: "darwin",
    library,
    certificates: [
      ...identities.map((identity, i) => ({
        certificatePath: write(identity, `identity-${i}`),
        keyPath: identity.keyPath,
        issuer: identities.length,
        ...(keychain ? { keychain } : {}),
      })),
      { certificatePath: write(lower, "lower"), issuer: identities.length + 1 },
      { certificatePath: write(root, "root") },
    ],
    ...common,
  };
  const path = fixture.directory.write("store.json", JSON.stringify(description));
  const command = ["sign-string", "--format", "bin", "--certificate", "keychain:", ...args];
  const result = await runArm64(ARM64_STORE_PROGRAM, command, { STORE_PROGRAM: path });
  assertEquals(Deno.readTextFileSync(`${path}.live`), "0", `live objects: ${result.stderr}`);
  return result;
}

for (const [name, identity] of [["RSA", rsa], ["EC", ec]] as const) {
  testWith(
    ["arm64-emulator"],
    `arm64, emulated: keychain: signs with ${name}, and openssl verifies`,
    async () => {
      const { code, stdoutBytes, stderr } = await sign([identity], {});
      assertEquals({ code, stderr }, { code: 0, stderr: "" });
      const message = await testMessage(publicKeyOf(parseCertificate(identity.encoded)));
      assert(await opensslVerifies(fixture, identity, "sha256", message, stdoutBytes));
    },
  );
}

const FAILURES: [what: string, identities: StoreIdentity[], rest: Rest, words: string][] = [
  ["several match", [rsa, ec], {}, "2 certificates in the macOS Keychain match"],
  ["none is there", [], {}, "no certificate in the macOS Keychain"],
  ["the keychain is locked", [ec], { keychain: "locked" }, "security unlock-keychain"],
  [
    "the user cancels",
    [ec],
    { failure: { function: "SecKeyCreateSignature", code: -128 } },
    "it was cancelled (-128)",
  ],
  [
    "the identity goes away half-way",
    [ec],
    { failure: { function: "SecIdentityCopyPrivateKey", code: -25300 } },
    "no longer in the keychain",
  ],
];

for (const [what, identities, rest, words] of FAILURES) {
  testWith(["arm64-emulator"], `arm64, emulated: keychain: reports it when ${what}`, async () => {
    const { code, stdout, stderr } = await sign(identities, rest);
    assertEquals({ code, stdout }, { code: 3, stdout: "" });
    assertStringIncludes(stderr, words);
  });
}
