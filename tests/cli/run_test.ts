import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";

import { COMMANDS } from "../../src/cli/flags/flags.ts";
import { run } from "../../src/cli/run.ts";
import { testMessage } from "../../src/cli/commands/sign_string.ts";
import { VERSION } from "../../src/cli/commands/version.ts";
import { HelperError } from "../../src/errors.ts";
import { parseCertificate, publicKeyOf } from "../../src/x509/certificate.ts";
import type { Digest } from "../../src/x509/verify_signature.ts";
import { FakeKeystore } from "../keystore/fake_keystore.ts";
import { selfSigned } from "../x509/test_certificates.ts";
import { FakeSystem } from "./fake_system.ts";

const certificate = parseCertificate(
  await selfSigned("-set_serial", "0x0a0b", "-addext", "basicConstraints=critical,CA:FALSE"),
);
const ed25519 = parseCertificate(await selfSigned("-newkey", "ed25519"));

/** Creates a system whose keystore records messages and signs them with the bytes 00 ff. */
function signingWorld() {
  const asked: { message: Uint8Array; digest: Digest }[] = [];
  const keystore = new FakeKeystore({
    "leaf.pem": {
      publicKey: publicKeyOf(certificate),
      certificates: [certificate],
      sign: (message, digest) => {
        asked.push({ message, digest });
        return Promise.resolve(Uint8Array.of(0x00, 0xff));
      },
    },
    "ed25519.pem": { certificates: [ed25519] },
  });
  return { system: new FakeSystem({ keystore }), keystore, asked };
}

async function outputOf(...args: string[]) {
  const { system } = signingWorld();
  await run(args, system);
  assertEquals(system.logged, []);
  return system.written;
}

Deno.test("run() prints the version of deno.json", async () => {
  const { version } = JSON.parse(
    await Deno.readTextFile(new URL("../../deno.json", import.meta.url)),
  );
  assertEquals(VERSION, version);
  assertEquals(await outputOf("version"), [`${version}\n`]);
});

Deno.test("run() prints help on standard output for no command and for each command", async () => {
  const [text = ""] = await outputOf();
  assertStringIncludes(String(text), "credential-process");
  for (const name of Object.keys(COMMANDS)) {
    const [help = ""] = await outputOf("help", ...name.split(" "));
    assertStringIncludes(String(help), `Usage: aws_signing_helper ${name}`);
  }
});

Deno.test("run() prints a group's commands when it is given the group only", async () => {
  const [help = ""] = await outputOf("cache", "--help");
  assertStringIncludes(String(help), "Usage: aws_signing_helper cache <command> [flags]");
  assertStringIncludes(String(help), "  cache clear  ");
});

Deno.test("run() writes nothing when the usage is wrong", async () => {
  const { system } = signingWorld();
  const error = await assertRejects(() => run(["sign-string", "--what"], system), HelperError);
  assertEquals([error.code, system.written, system.logged], ["usage", [], []]);
});

const FORMATS: [string[], string | Uint8Array][] = [
  [[], '"00ff"\n'],
  [["--format", "json"], '"00ff"\n'],
  [["--format=text"], "00ff\n"],
  [["--format", "bin"], Uint8Array.of(0x00, 0xff)],
];

for (const [args, output] of FORMATS) {
  Deno.test(`run() prints the signature in the requested format when given [${args}]`, async () => {
    assertEquals(await outputOf("sign-string", "--certificate", "leaf.pem", ...args), [output]);
  });
}

const DIGESTS: [string[], Digest][] = [
  [[], "SHA-256"],
  [["--digest", "SHA256"], "SHA-256"],
  [["--digest", "SHA384"], "SHA-384"],
  [["--digest", "SHA512"], "SHA-512"],
];

for (const [args, digest] of DIGESTS) {
  Deno.test(`run() signs the test message with ${digest} and closes the key when given [${args}]`, async () => {
    const { system, asked, keystore } = signingWorld();
    await run(["sign-string", "--private-key", "leaf.pem", ...args], system);
    assertEquals(asked, [{ message: await testMessage(publicKeyOf(certificate)), digest }]);
    assertEquals(keystore.open, 0);
  });
}

Deno.test("run() prints read-certificate-data's members in their order on one line", async () => {
  assertEquals(await outputOf("read-certificate-data", "--certificate", "leaf.pem"), [
    `{"keyType":"EC","certificateData":"${encodeBase64(certificate.encoded)}",` +
    '"serialNumber":"2571","supportedAlgorithms":["ECSHA256","ECSHA384","ECSHA512"]}\n',
  ]);
});

Deno.test("run() throws key-unsupported naming the kind when the certificate's key cannot be used", async () => {
  const { system } = signingWorld();
  const error = await assertRejects(
    () => run(["read-certificate-data", "--certificate", "ed25519.pem"], system),
    HelperError,
    "Ed25519",
  );
  assertEquals([error.code, system.written], ["key-unsupported", []]);
});
