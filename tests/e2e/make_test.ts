/**
 * The first commands of README.md: what `make demo` prints, `make install`.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

import { type Result, runProgram } from "../support/binary.ts";
import { blocks } from "../support/documents.ts";
import { testWith } from "../support/needs.ts";
import { ROOT } from "../support/release.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const DENO_ENV = {
  DENO_DIR: Deno.env.get("DENO_DIR") ?? `${ROOT}build/deno`,
  DENO_TLS_CA_STORE: "system",
};
const DEMO = ["run", "--quiet", "--cached-only", "--no-check", "-A", "tests/demo.ts"];
const BINARY = "build/bin/aws_signing_helper";

async function demo(
  folder: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Result> {
  const args = [...DEMO, BINARY, folder];
  return await runProgram(Deno.execPath(), args, { cwd: ROOT, env: { ...DENO_ENV, ...env } });
}

Deno.test("make demo prints only the JSON on stdout, whatever the environment, and its command runs again", async () => {
  using directory = new TemporaryDirectory("demo mit Leerzeichen und ü ");
  const folder = directory.join("demo");
  const hostile = {
    ...{ AWS_REGION: "mars-north-1", AWS_CA_BUNDLE: "/none", AWS_PROFILE: "none", NO_PROXY: "x" },
    ...{ HTTPS_PROXY: "http://127.0.0.1:9", SSL_CERT_FILE: "/none", LC_ALL: "C" },
    AWS_ENDPOINT_URL: "http://127.0.0.1:9",
  };
  const { code, stdout, stderr } = await demo(folder, hostile);
  assertEquals(code, 0, stderr);
  assertMatch(stdout, /^[^\n]+\n$/);
  const session = JSON.parse(stdout);
  assertEquals(session.Version, 1);
  const [documented = ""] = blocks("README.md", "make demo", "output");
  assertEquals(Object.keys(JSON.parse(documented)), Object.keys(session));
  assertStringIncludes(stderr, "\n[profile roles-anywhere]\nregion = us-east-1\n");
  assertMatch(stderr, /^credential_process = /m);

  const line = /^\$ (.*)$/m.exec(stderr)?.[1] ?? "";
  const emulator = new Deno.Command(Deno.execPath(), {
    args: [...DEMO, BINARY, folder, "--emulator"],
    cwd: ROOT,
    env: DENO_ENV,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const messages = emulator.stderr.pipeThrough(new TextDecoderStream()).getReader();
  try {
    let message = "";
    while (!message.endsWith("/trust-anchor.pem\n")) {
      const { done, value } = await messages.read();
      if (done) break;
      message += value;
    }
    assertStringIncludes(message, "Ctrl-C ends it\n");
    const second = await runProgram(Deno.execPath(), [...DEMO, BINARY, folder, "--emulator"], {
      cwd: ROOT,
      env: DENO_ENV,
    });
    assertEquals(second.code, 1);
    assertMatch(second.stderr, /^demo: port \d+ is in use; end the emulator that runs\n$/);
    const [, flags = ""] = line.split(" credential-process ");
    assertStringIncludes(message, `\nFlags for other commands:\n${flags}\n`);
    const [, sts = ""] = /^AssumeRole emulator at (\S+), for --sts-endpoint$/m.exec(message) ?? [];
    const chain = `--assume-role-arn arn:aws:iam::222222222222:role/Deploy --sts-endpoint ${sts}`;
    for (const command of [line, `${line} ${chain}`]) {
      const again = await runProgram("sh", ["-c", command]);
      assertEquals(again.code, 0, again.stderr);
      assertEquals(JSON.parse(again.stdout).Version, 1);
    }
  } finally {
    emulator.kill("SIGINT");
    assertEquals((await emulator.status).code, 0);
    await messages.cancel();
  }
});

Deno.test("make demo without openssl prints one sentence that names it", async () => {
  using directory = new TemporaryDirectory();
  const { code, stdout, stderr } = await demo(directory.join("demo"), { PATH: directory.path });
  assertEquals({ code, stdout, stderr }, {
    code: 1,
    stdout: "",
    stderr: "demo: openssl is missing; install it (Debian: apt-get install openssl)\n",
  });
});

testWith(
  ["program:make"],
  "make install and make uninstall with DESTDIR and PREFIX leave nothing",
  async () => {
    using directory = new TemporaryDirectory("with blank ");
    const settings = [`DESTDIR=${directory.path}`, "PREFIX=/opt/x"];
    // make test has built the program, and installing must not build it again.
    const built = () => Deno.statSync(`${ROOT}${BINARY}`).mtime;
    const before = built();
    const make = (target: string) =>
      runProgram("make", ["--directory", ROOT, target, ...settings], { env: DENO_ENV });
    const installed = await make("install");
    assertEquals(installed.code, 0, installed.stderr);
    const files = await filesBelow(directory.path);
    const program = `${directory.path}/opt/x/bin/aws_signing_helper`;
    assert(files.includes(program));
    assert(files.some((file) => file.endsWith("/share/man/man1/aws_signing_helper-serve.1")));
    assert(
      files.some((file) => file.endsWith("/share/bash-completion/completions/aws_signing_helper")),
    );
    assertEquals((Deno.statSync(program).mode ?? 0) & 0o777, 0o755);
    assertEquals((await runProgram(program, ["version"])).code, 0);
    const removed = await make("uninstall");
    assertEquals(removed.code, 0, removed.stderr);
    assertEquals(await filesBelow(directory.path), []);
    assertEquals(built(), before);
  },
);

testWith(["program:make"], "make install refuses a PREFIX that is relative", async () => {
  const { code, stderr } = await runProgram("sh", ["packaging/install.sh", "install", "local"], {
    cwd: ROOT,
  });
  assertEquals(code, 1);
  assertEquals(stderr, 'install: PREFIX: "local" is not an absolute path; set PREFIX=/usr/local\n');
});

testWith(
  ["program:make"],
  "make help lists the target for one test file",
  async () => {
    const { code, stdout } = await runProgram("make", ["--directory", ROOT, "help"]);
    assertEquals(code, 0);
    assertMatch(stdout, /^test-one +one test file: /m);
  },
);

testWith(["program:make"], "make test-one without a file refuses before it installs", async () => {
  const { code, stdout, stderr } = await runProgram("make", [
    "--directory",
    ROOT,
    "test-one",
    "FILE=",
  ], {
    // This test may itself run under make test-one, and inherit its settings.
    env: { ...DENO_ENV, MAKEFLAGS: "" },
  });
  assertEquals(code, 2);
  assertEquals(
    stderr.split("\n")[0],
    "test-one: no file; run make test-one FILE=tests/cli/parse_test.ts",
  );
  assert(!`${stdout}${stderr}`.includes("tools:"), stderr);
});

async function filesBelow(folder: string): Promise<string[]> {
  const { stdout } = await runProgram("find", [folder, "-type", "f"]);
  return stdout.split("\n").filter((line) => line !== "").toSorted();
}
