import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { type KeyFile, makeKeyFiles } from "../plugins/file/variants.ts";
import { runBinary, runProgram } from "../support/binary.ts";
import { openssl } from "../support/openssl.ts";
import { testWithReference } from "../support/reference.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { encodeRsaKey, PRIMES } from "../support/rsa_numbers.ts";
import { testMessage } from "../support/test_message.ts";
import { PYTHON } from "../support/tools.ts";

const DIGESTS = ["SHA256", "SHA384", "SHA512"] as const;
const FIXED = "AWS Roles Anywhere Credential Helper Signing Test1";

async function signAndVerify(
  file: KeyFile,
  digest: string,
  directory: TemporaryDirectory,
): Promise<void> {
  const name = file.path.replaceAll("/", "-");
  const flags = file.passphrase === undefined ? [] : ["--pkcs8-password", "env:WORD"];
  const { code, stdoutBytes, stderr } = await runBinary(
    ["sign-string", "--private-key", file.path, "--format=bin", `--digest=${digest}`, ...flags],
    { env: file.passphrase === undefined ? {} : { WORD: `${file.passphrase}` } },
  );
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  const message = directory.write(
    `${name}-${digest}.message`,
    testMessage(await Deno.readTextFile(file.publicKeyPath)),
  );
  const signature = directory.write(`${name}-${digest}.signature`, stdoutBytes);
  const verdict = await openssl([
    "dgst",
    `-${digest.toLowerCase()}`,
    "-verify",
    file.publicKeyPath,
    "-signature",
    signature,
    message,
  ]);
  assertEquals(new TextDecoder().decode(verdict), "Verified OK\n");
}

Deno.test("sign-string signs with every kind of key file, and openssl verifies", async (t) => {
  using directory = new TemporaryDirectory();
  const files = await makeKeyFiles(directory);
  assert(files.length >= 60, `${files.length} kinds of file`);
  for (const file of files) {
    await t.step(file.path.split("/").at(-1) ?? "", async () => {
      await Promise.all(DIGESTS.map((digest) => signAndVerify(file, digest, directory)));
    });
  }
});

Deno.test("sign-string prints one signature as a JSON string, text and bytes", async () => {
  using directory = new TemporaryDirectory();
  // RSA with PKCS#1 v1.5 returns the same signature each time
  const key = directory.write("key.pem", await openssl(["genrsa", "2048"]));
  const run = (format: string) =>
    runBinary(["sign-string", "--private-key", key, ...format.split(" ")]);
  const bytes = (await run("--format bin")).stdoutBytes;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  assertEquals(bytes.length, 256);
  assertEquals((await run("--format json")).stdout, `"${hex}"\n`);
  assertEquals((await run("--digest SHA256")).stdout, `"${hex}"\n`);
  assertEquals((await run("--format text")).stdout, `${hex}\n`);
});

testWithReference(
  "mldsa",
  ["binary", "python-client"],
  "sign-string signs with every ML-DSA key of other programs, and another library verifies",
  async (folder, t) => {
    using directory = new TemporaryDirectory();
    const message = directory.write("message", FIXED);
    const script = fileURLToPath(new URL("../support/verify_ml_dsa.py", import.meta.url));
    const keys = Array.from(Deno.readDirSync(folder.path), ({ name }) => name)
      .filter((name) => name.includes("-key")).sort();
    assertEquals(keys.length, 27);
    for (const key of keys) {
      await t.step(key, async () => {
        const certificate = folder.join(`${key.split("-")[0]}-cert.pem`);
        const { code, stdoutBytes, stderr } = await runBinary([
          "sign-string",
          "--private-key",
          folder.join(key),
          "--certificate",
          certificate,
          "--pkcs8-password=pass:password",
          "--format=bin",
        ]);
        assertEquals({ code, stderr }, { code: 0, stderr: "" });
        const signature = directory.write(`${key}.signature`, stdoutBytes);
        const verify = (signed: string) =>
          runProgram(PYTHON, [script, certificate, signed, signature]);
        const verdict = await verify(message);
        assertEquals({ code: verdict.code, stderr: verdict.stderr }, { code: 0, stderr: "" });
        const other = directory.write("other", `${FIXED}.`);
        assert((await verify(other)).code !== 0, "the verifier accepts anything");
      });
    }
  },
);

testWithReference(
  "pkcs8",
  ["binary"],
  "sign-string reads a key as AWS Certificate Manager exports it",
  async (folder) => {
    const path = folder.join("acm-encrypted.pem");
    const { code } = await runBinary([
      "sign-string",
      "--private-key",
      path,
      "--pkcs8-password",
      "pass:password",
    ]);
    assertEquals(code, 0);
  },
);

Deno.test("sign-string reports RSA keys that cannot sign", async () => {
  using directory = new TemporaryDirectory();
  const keys: readonly (readonly [name: string, key: Uint8Array, message: string])[] = [
    [
      "composite.der",
      encodeRsaKey(PRIMES.composite, PRIMES[607]),
      " holds a malformed or damaged key (an RSA key that cannot sign); export it again",
    ],
    [
      "unbalanced.der",
      encodeRsaKey(PRIMES[521], PRIMES[607]),
      ": RSA keys with primes of different lengths cannot be used; make a new key",
    ],
  ];
  for (const [name, key, message] of keys) {
    const path = directory.write(name, key);
    const { code, stdout, stderr } = await runBinary(["sign-string", "--private-key", path]);
    assertEquals({ code, stdout }, { code: 3, stdout: "" });
    // Before it, the runtime prints the panic of its thread.
    assertEquals(stderr.split("\n").at(-2), `aws_signing_helper: ${path}${message}`);
  }
});
