import { assertEquals, assertMatch } from "@std/assert";
import { runBinary, runProgram } from "../support/binary.ts";
import { openssl } from "../support/openssl.ts";
import { testWith } from "../support/needs.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { type Container, judge, makeSubjects } from "./container.ts";

testWith(
  ["binary", "program:openssl", "program:ssh-keygen", "program:puttygen"],
  "keys of OpenSSH and PuTTY are named, and their conversions work",
  async (t) => {
    using directory = new TemporaryDirectory();
    const containers: Container[] = [];
    for (const { name, keyPath, publicKeyPath } of await makeSubjects(directory)) {
      const path = directory.join(`${name}-openssh`);
      await Deno.copyFile(keyPath, path);
      await Deno.chmod(path, 0o600);
      await run("ssh-keygen", ["-p", "-N", "", "-P", "", "-f", path]);
      const putty = directory.join(`${name}.ppk`);
      await run("puttygen", [path, "-O", "private", "-o", putty]);
      containers.push({
        name: `${name} OpenSSH`,
        path,
        publicKeyPath,
        refused: /OpenSSH's own format/,
        conversion: ["", ""],
      }, {
        name: `${name} PuTTY`,
        path: putty,
        publicKeyPath,
        refused: /a key of PuTTY/,
        conversion: [],
      });
    }
    await judge(t, directory, containers);
  },
);

testWith(["binary", "program:openssl"], "PKCS#7 is named, and its conversion works", async () => {
  using directory = new TemporaryDirectory();
  const [subject] = await makeSubjects(directory, ["ec-p256"]);
  const certificate = subject?.certificatePath ?? "";
  for (const form of ["PEM", "DER"]) {
    const path = directory.join(`bundle.${form}`);
    // deno-fmt-ignore
    await openssl([
      "crl2pkcs7", "-nocrl", "-certfile", certificate, "-outform", form, "-out", path,
    ]);
    const { code, stderr } = await runBinary(["read-certificate-data", "--certificate", path]);
    assertEquals(code, 3);
    const command = / with: (.+)$/m.exec(stderr)?.[1] ?? "";
    assertMatch(command, /^openssl pkcs7 /);
    const converted = directory.join("converted");
    await run("sh", ["-c", command.replace("FILE", path).replace("NEW", converted)]);
    const read = await runBinary(["read-certificate-data", "--certificate", `${converted}.pem`]);
    const expected = await runBinary(["read-certificate-data", "--certificate", certificate]);
    assertEquals(read, expected);
    assertEquals(read.code, 0);
  }
});

async function run(program: string, args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await runProgram(program, args);
  if (code !== 0) throw new Error(`${program}: ${stdout}${stderr}`);
}
