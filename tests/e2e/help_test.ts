import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { runBinary } from "../support/binary.ts";

const COMMANDS = [
  "credential-process",
  "update",
  "sign-string",
  "read-certificate-data",
  "cache clear",
  "version",
];

Deno.test("the binary without a command prints its help and exits 0", async () => {
  const bare = await runBinary([]);
  assertEquals({ code: bare.code, stderr: bare.stderr }, { code: 0, stderr: "" });
  for (const command of COMMANDS) assertStringIncludes(bare.stdout, `\n  ${command}`);
  for (const args of [["--help"], ["-h"], ["help"]]) {
    assertEquals(await runBinary(args), bare);
  }
});

for (const command of COMMANDS) {
  const words = command.split(" ");
  Deno.test(`${command} --help prints its help and exits 0`, async () => {
    const { code, stdout, stderr } = await runBinary([...words, "--help"]);
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    assertMatch(stdout, new RegExp(`^Usage: aws_signing_helper ${command}`));
    assertEquals((await runBinary([...words, "-h"])).stdout, stdout);
    assertEquals((await runBinary(["help", ...words])).stdout, stdout);
  });
}

Deno.test("version prints the number of deno.json", async () => {
  const { code, stdout } = await runBinary(["version"]);
  assertEquals({ code, stdout }, { code: 0, stdout: `${config.version}\n` });
});

Deno.test("the binary starts in an empty environment and an unwritable working directory", async () => {
  const { code } = await runBinary(["version"], { cwd: "/proc", env: { PATH: "/usr/bin:/bin" } });
  assertEquals(code, 0);
});
