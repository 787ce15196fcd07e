/** Code blocks of the documents, run as they are written. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";

import { BINARY, type Result, runProgram } from "../support/binary.ts";
import { blocks, blocksOf, documents, readDocument } from "../support/documents.ts";
import { ChainScenario } from "../support/chain_scenario.ts";
import { testWith } from "../support/needs.ts";
import { ARNS, SessionScenario } from "../support/session_scenario.ts";
import { SoftHsm } from "../support/soft_hsm.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { PYTHON } from "../support/tools.ts";

const JUDGE = fileURLToPath(new URL("../support/judge_syntax.py", import.meta.url));

const FILES = "plugins/file/README.md";
const TOKENS = "plugins/pkcs11/README.md";
const PACKAGING = "packaging/README.md";

/** The quick start's extensions of an end-entity certificate. */
const EXTENSIONS = /cat > certificate\.ext <<'END'\n([^]*?)END\n/;

const HEX_LINES = /^(?:[0-9a-f]{100,}\n)+$/;

/** Runs a script in a folder, with the binary on PATH. */
async function run(
  directory: TemporaryDirectory,
  script: string,
  env: Readonly<Record<string, string>> = {},
  shell: readonly string[] = ["sh", "-euc"],
): Promise<Result> {
  const bin = directory.join("bin");
  Deno.mkdirSync(bin, { recursive: true });
  Deno.symlinkSync(BINARY, `${bin}/aws_signing_helper`);
  try {
    const [program = "", ...args] = shell;
    return await runProgram(program, [...args, script], {
      cwd: directory.path,
      // fish reads a PATH that is not ASCII in a UTF-8 locale only.
      env: {
        LC_ALL: "C.UTF-8",
        HOME: directory.path,
        PATH: `${bin}:${Deno.env.get("PATH")}`,
        ...env,
      },
    });
  } finally {
    Deno.removeSync(bin, { recursive: true });
  }
}

testWith(
  ["binary"],
  "the examples with key files and PKCS#12 sign as they are written",
  async () => {
    await using scenario = await SessionScenario.create();
    using directory = new TemporaryDirectory();
    directory.write("certificate.pem", scenario.identity.certificatePem);
    directory.write("key.pem", scenario.identity.keyPem);
    directory.write("pass.txt", "correct horse\n");
    for (
      const [name, signatures] of [["sign-string", 1], ["inputs", 3], ["pkcs12", 1], [
        "encrypted key",
        3,
      ]] as const
    ) {
      const { code, stdout, stderr } = await run(directory, blocks(FILES, name).join("\n"));
      assertEquals([code, stderr], [0, ""], name);
      // Each run prints JSON or one line of hex; the passphrase is in none of them.
      assertEquals(stdout.trim().split("\n").length, signatures, stdout);
      assert(!stdout.includes("correct horse"));
      if (name === "sign-string") assertMatch(stdout, HEX_LINES);
    }
  },
);

testWith(["binary"], "the example of role chaining works as it is written", async () => {
  await using scenario = await ChainScenario.create();
  const { emulator, identity, directory } = scenario.session;
  directory.write("certificate.pem", identity.certificatePem);
  directory.write("key.pem", identity.keyPem);
  const { code, stdout, stderr } = await run(
    directory,
    blocks("src/rolesanywhere/README.md", "role chaining").join("\n"),
    {
      role: ARNS.role,
      profile: ARNS.profile,
      trust_anchor: ARNS.trustAnchor,
      AWS_SIGNING_HELPER_ENDPOINT: emulator.url,
      AWS_SIGNING_HELPER_STS_ENDPOINT: scenario.sts.localhost,
      AWS_SIGNING_HELPER_CA_BUNDLE: scenario.caBundle,
    },
  );
  assertEquals([code, stderr], [0, ""]);
  assertEquals(JSON.parse(stdout).AccessKeyId, scenario.sts.issued[0]?.accessKeyId);
});

Deno.test("the policies of role chaining fit its example and the quick start", async () => {
  const ROOM = "src/rolesanywhere/README.md";
  using directory = new TemporaryDirectory();
  Deno.mkdirSync(directory.join("stub"));
  directory.write("stub/aws", '#!/bin/sh\necho "$@"\n');
  Deno.chmodSync(directory.join("stub/aws"), 0o755);
  const script = blocks(ROOM, "chain policies").join("\n");
  const { code, stdout, stderr } = await runProgram("sh", ["-euc", script], {
    cwd: directory.path,
    env: { PATH: `${directory.join("stub")}:${Deno.env.get("PATH")}` },
  });
  assertEquals([code, stderr], [0, ""]);
  const statement = (name: string) =>
    JSON.parse(Deno.readTextFileSync(directory.join(name))).Statement[0];
  const policy = statement("chain-policy.json");
  const trust = statement("deploy-trust.json");
  const actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"];
  assertEquals([policy.Action, trust.Action], [actions, actions]);
  const [example = ""] = blocks(ROOM, "role chaining");
  const [, next = "", externalId] =
    /--assume-role-arn (\S+) --assume-role-external-id (\S+)/.exec(example) ?? [];
  assertEquals(policy.Resource, next);
  assertEquals(trust.Condition.StringEquals["sts:ExternalId"], externalId);
  const [, first = ""] = /create-role --role-name (\S+)/
    .exec(blocks("README.md", "quick start").join("\n")) ?? [];
  assertEquals(trust.Principal.AWS, `arn:aws:iam::123456789012:role/${first}`);
  assertStringIncludes(stdout, `iam put-role-policy --role-name ${first} `);
  assertStringIncludes(stdout, `iam create-role --role-name ${next.split("/").at(-1)} `);
});

testWith(["binary"], "a keystore of another system is refused as README.md has it", async () => {
  using directory = new TemporaryDirectory();
  const [block = ""] = blocks("README.md", "other system");
  const [command = "", ...output] = block.trimEnd().split("\n");
  const { code, stdout, stderr } = await run(directory, command.replace(/^\$ /, ""));
  assertEquals([code, stdout, stderr], [3, "", `${output.join("\n")}\n`]);
});

testWith(
  ["binary", "softhsm", "program:certtool"],
  "the walk from an empty token to credentials works as it is written",
  async () => {
    using hsm = new SoftHsm();
    const { directory } = hsm;
    await using scenario = await SessionScenario.create();
    const { trustAnchor, emulator, caBundle } = scenario;
    directory.write("ca.pem", trustAnchor.certificatePem);
    directory.write("ca.key", trustAnchor.keyPem);
    directory.write("certificate.ext", EXTENSIONS.exec(readDocument("README.md"))?.[1] ?? "");
    const env = {
      ...hsm.env,
      role: ARNS.role,
      profile: ARNS.profile,
      trust_anchor: ARNS.trustAnchor,
      AWS_SIGNING_HELPER_ENDPOINT: emulator.url,
      AWS_SIGNING_HELPER_CA_BUNDLE: caBundle,
    };
    const steps = blocks(TOKENS, "token walk");
    assertEquals(steps.length, 5, "the document has lost a step");
    const { code, stdout, stderr } = await run(directory, steps.join("\n"), env);
    assertEquals(code, 0, stdout + stderr);
    const sessions = stdout.split("\n").filter((line) => line.startsWith('{"Version":1,'));
    assertEquals(
      sessions.map((line) => JSON.parse(line).AccessKeyId),
      emulator.issued.map(({ accessKeyId }) => accessKeyId),
    );
    assertEquals(sessions.length, 2);
    // The file that the walk wrote is for this user only.
    assertEquals((Deno.statSync(directory.join("token.pin")).mode ?? 0) & 0o777, 0o600);

    const list = await run(directory, blocks(TOKENS, "token list").join("\n"), {
      ...hsm.env,
      SOFTHSM2_CONF: directory.join("token.conf"),
    });
    assertEquals([list.code, list.stderr], [0, ""]);
    const [documented = ""] = blocks(TOKENS, "token list", "output");
    const changing = /(Fingerprint|Subject|Issuer|Serial Number): .*|serial=[0-9a-f]+/g;
    const shape = (text: string) => text.replaceAll(changing, (_, name = "serial") => name);
    assertEquals(shape(list.stdout).trim(), shape(documented).trim());
  },
);

/** Shell that runs the block, the file that the block writes, and text of it. */
const COMPLETIONS: Readonly<
  Record<string, readonly [shell: readonly string[], file: string, text: string]>
> = {
  "bash completion": [
    ["bash", "-euc"],
    ".local/share/bash-completion/completions/aws_signing_helper",
    "complete -",
  ],
  "fish completion": [
    ["fish", "--no-config", "-c"],
    ".config/fish/completions/aws_signing_helper.fish",
    "complete -c aws_signing_helper",
  ],
  "zsh completion": [
    ["zsh", "-f", "-ec"],
    ".zfunc/_aws_signing_helper",
    "#compdef aws_signing_helper",
  ],
};

for (const [name, [shell, file, text]] of Object.entries(COMPLETIONS)) {
  testWith(
    ["binary", `program:${shell[0]}`],
    `${name} is installed for a new user as it is written`,
    async () => {
      using directory = new TemporaryDirectory();
      const { code, stderr } = await run(
        directory,
        blocks(PACKAGING, name).join("\n"),
        {},
        shell,
      );
      assertEquals([code, stderr], [0, ""]);
      assertStringIncludes(Deno.readTextFileSync(directory.join(file)), text);
    },
  );
}

testWith(
  ["python-client"],
  "the documents' blocks for PowerShell have no syntax error",
  async () => {
    using directory = new TemporaryDirectory();
    const scripts = documents().flatMap((path) => blocksOf(readDocument(path)))
      .filter(({ language }) => language === "powershell").map(({ text }) => text);
    assertEquals(scripts.length, 3);
    for (const [i, script] of [...scripts, "if ($a {"].entries()) {
      const file = directory.write(`${i}.ps1`, script);
      const { code, stdout, stderr } = await runProgram(PYTHON, [JUDGE, "powershell", file]);
      assertEquals(code, i < scripts.length ? 0 : 1, `${script}${stdout}${stderr}`);
    }
  },
);
