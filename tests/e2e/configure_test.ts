import { assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";

import { QUOTED_BINARY, runBinary, runProgram } from "../support/binary.ts";
import { ARN_FLAGS, SessionScenario } from "../support/session_scenario.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { PYTHON } from "../support/tools.ts";

Deno.test("configure --write lets boto3 get credentials, with spaces and quotes in every path", async () => {
  await using scenario = await SessionScenario.create();
  const { directory, identity } = scenario;
  directory.write("my o'files/certificate # 1.pem", identity.certificatePem);
  directory.write("my o'files/key; $HOME.pem", identity.keyPem);
  const config = directory.write("aws config", "# mine\n[profile  other]\nregion = eu-west-1\n");
  const { code, stdout, stderr } = await runBinary([
    "configure",
    "--write",
    ...["--profile", "anywhere"],
    // Relative: the line must have absolute paths.
    ...["--certificate", "certificate # 1.pem", "--private-key", "key; $HOME.pem"],
    ...scenario.serviceFlags,
  ], { cwd: directory.join("my o'files"), env: { AWS_CONFIG_FILE: config } });
  assertEquals({ code, stdout }, { code: 0, stdout: "" });
  assertEquals(
    stderr,
    `wrote credential_process of [profile anywhere] in ${config}\n` +
      "try it: aws sts get-caller-identity --profile anywhere --region us-east-1\n",
  );
  const text = Deno.readTextFileSync(config);
  assertStringIncludes(text, "# mine\n[profile  other]\nregion = eu-west-1\n");
  assertEquals(text.match(/^credential_process = .*$/gm)?.length, 1);

  const client = fileURLToPath(new URL("../clients/python/print_credentials.py", import.meta.url));
  const got = await runProgram(PYTHON, [client], {
    env: { AWS_CONFIG_FILE: config, AWS_PROFILE: "anywhere", AWS_EC2_METADATA_DISABLED: "true" },
  });
  assertEquals(got.stderr, "");
  assertEquals(JSON.parse(got.stdout).accessKeyId, scenario.emulator.issued[0]?.accessKeyId);
});

/** Runs configure in a new directory with a key and certificate of any name. */
async function configure(
  args: readonly string[],
  { config = "", env = {} }: { config?: string; env?: Record<string, string> } = {},
) {
  using directory = new TemporaryDirectory();
  const file = directory.write("config", config);
  const { code, stdout, stderr } = await runBinary(
    ["configure", "--certificate", "/dev/null", ...ARN_FLAGS, ...args],
    {
      cwd: directory.path,
      env: {
        AWS_CONFIG_FILE: file,
        AWS_SHARED_CREDENTIALS_FILE: directory.join("credentials"),
        ...env,
      },
    },
  );
  return { code, stdout, stderr, config: Deno.readTextFileSync(file), cwd: directory.path };
}

Deno.test("configure prints one line with the program's absolute path, and writes nothing", async () => {
  const { code, stdout, stderr, config } = await configure([]);
  assertEquals({ code, stderr, config }, { code: 0, stderr: "", config: "" });
  assertEquals(
    stdout,
    `credential_process = ${QUOTED_BINARY} credential-process --certificate /dev/null ${
      ARN_FLAGS.join(" ")
    }\n`,
  );
});

Deno.test("configure includes flags' own variables, and not other programs'", async () => {
  const { stdout } = await configure(["--no-verify-ssl=false", "--cache"], {
    env: { AWS_SIGNING_HELPER_REGION: "us-east-1", AWS_CA_BUNDLE: "/ca.pem" },
  });
  assertStringIncludes(stdout, " --region us-east-1 --cache\n");
  assertEquals(stdout.includes("/ca.pem"), false);
});

Deno.test("configure --write replaces only the profile's setting, under its existing header", async () => {
  const before =
    "[profile\tone]\ncredential_process = /old\n  x y\nregion = a\n\n[default]\nx = 1\n";
  const { code, config } = await configure(["--write", "--profile", "one"], { config: before });
  assertEquals(code, 0);
  const value = /^credential_process = (.*)$/m.exec(config)?.[1] ?? "";
  assertEquals(config, before.replace("/old\n  x y", value));
  const second = await configure(["--write"], { config: before });
  assertEquals(/\[default\]\ncredential_process = .*\nx = 1\n/.test(second.config), true);
  assertStringIncludes(second.config, "[profile\tone]\ncredential_process = /old\n");
});

Deno.test("configure --write warns of settings that SDKs use first", async () => {
  const { code, stderr } = await configure(["--write"], {
    config: "[default]\nsso_session = x\n",
  });
  assertEquals(code, 0);
  assertStringIncludes(stderr, "warning: [default] in ");
  assertStringIncludes(stderr, "sets sso_session");
});

Deno.test("configure writes the sources of secrets, with absolute paths", async () => {
  const { stdout, cwd } = await configure(["--pkcs8-password", "file:my pass"]);
  assertStringIncludes(stdout, ` --pkcs8-password 'file:${cwd}/my pass'\n`);
  const { stdout: variable } = await configure(["--pkcs8-password", "env:PASS"]);
  assertStringIncludes(variable, " --pkcs8-password env:PASS\n");
});

Deno.test("configure warns of files that do not exist", async () => {
  const { code, stdout, stderr } = await configure([
    ...["--certificate", "/no/such.pem", "--private-key", "~/key.pem"],
    ...["--intermediates", "/dev/null"],
  ]);
  assertEquals([code, stdout.startsWith("credential_process = ")], [0, true]);
  assertEquals(
    stderr,
    "warning: /no/such.pem does not exist; the command fails until it exists\n" +
      "warning: ~/key.pem does not exist; ~ is not expanded here; write the whole path\n",
  );
});

Deno.test("configure makes relative paths in a URI absolute", async () => {
  const { stdout, cwd } = await configure([
    "--private-key",
    "pkcs11:token=x?pin-source=file:my.pin&module-path=/m.so&context-pin-source=a%20b",
  ]);
  assertStringIncludes(
    stdout,
    `'pkcs11:token=x?pin-source=file:${cwd}/my.pin&module-path=/m.so&context-pin-source=${cwd}/a%20b'`,
  );
  const { stdout: kept } = await configure([
    "--private-key",
    "pkcs11:token=x?pin-source=env:PIN",
  ]);
  assertStringIncludes(kept, "'pkcs11:token=x?pin-source=env:PIN'");
});

Deno.test("configure writes --with-proxy=false, the only other value of that switch", async () => {
  assertStringIncludes((await configure(["--with-proxy=false"])).stdout, " --with-proxy=false\n");
  assertEquals((await configure(["--with-proxy"])).stdout.includes("--with-proxy"), false);
});

const REFUSED: readonly (readonly [args: readonly string[], message: RegExp])[] = [
  [
    ["--pkcs8-password", "hunter2"],
    /--pkcs8-password: the configuration file would contain the secret/,
  ],
  [["--pkcs8-password", "pass:hunter2"], /the configuration file would contain the secret/],
  [["--pkcs8-password", "fd:3"], /--pkcs8-password: the descriptor does not exist/],
  [["--private-key", "pkcs11:token=x?pin-value=hunter2"], /pin-source/],
  [["--role-arn", "nonsense"], /--role-arn/],
  [["--write", "--profile", "two words"], /--profile "two words"/],
  [["--profile", "a]b"], /--profile/],
  [["--private-key", "two\nlines"], /line end/],
];

for (const [args, message] of REFUSED) {
  Deno.test(`configure rejects ${JSON.stringify(args)} and writes nothing`, async () => {
    const { code, stdout, stderr, config } = await configure(args);
    assertEquals({ code, stdout, config }, { code: 2, stdout: "", config: "" });
    assertEquals(message.test(stderr), true, stderr);
    assertEquals(stderr.includes("hunter2"), false);
    assertEquals(stderr.trimEnd().split("\n").length, 1);
  });
}
