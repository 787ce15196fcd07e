import { assertEquals } from "@std/assert";
import { BINARY, runBinary, runProgram } from "../support/binary.ts";
import { openssl } from "../support/openssl.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const PASSPHRASE = "env:is not a source here";

async function encryptedKey(directory: TemporaryDirectory): Promise<string> {
  const path = directory.join("key.pem");
  await openssl([
    "genpkey",
    "-algorithm",
    "EC",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-aes-128-cbc",
    "-pass",
    `pass:${PASSPHRASE}`,
    "-out",
    path,
  ]);
  return path;
}

Deno.test("--pkcs8-password takes the passphrase from env:, file: and pass:", async () => {
  using directory = new TemporaryDirectory();
  const key = await encryptedKey(directory);
  const file = directory.write("passphrase", `${PASSPHRASE}\r\nsecond line\n`);
  const env = { WORD: PASSPHRASE };
  for (const source of ["env:WORD", `file:${file}`, `pass:${PASSPHRASE}`]) {
    const { code, stderr } = await runBinary(
      ["sign-string", "--private-key", key, "--pkcs8-password", source],
      { env },
    );
    assertEquals({ source, code, stderr }, { source, code: 0, stderr: "" });
  }
});

Deno.test("--pkcs8-password takes the passphrase from fd:, and the key from a pipe", async () => {
  using directory = new TemporaryDirectory();
  const key = await encryptedKey(directory);
  const word = directory.write("passphrase", PASSPHRASE);
  const { code, stderr } = await runProgram("bash", [
    "-c",
    `"$0" sign-string --private-key <(cat "$1") --pkcs8-password fd:9 9< "$2"`,
    BINARY,
    key,
    word,
  ]);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
});

Deno.test("--pkcs8-password comes from its variable, which may name a source too", async () => {
  using directory = new TemporaryDirectory();
  const key = await encryptedKey(directory);
  const file = directory.write("passphrase", PASSPHRASE);
  const { code } = await runBinary(["sign-string", "--private-key", key], {
    env: { AWS_SIGNING_HELPER_PKCS8_PASSWORD: `file:${file}` },
  });
  assertEquals(code, 0);
});
