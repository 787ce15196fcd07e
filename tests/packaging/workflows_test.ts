/** Workflows of `.github` and the scripts of `packaging/ci` that they call. */
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { fileURLToPath } from "node:url";

import { runProgram } from "../support/binary.ts";
import { compiledClient, PYTHON } from "../support/tools.ts";
import { testWith } from "../support/needs.ts";
import {
  endToEndOn,
  excludedOn,
  type System,
  systemOf,
  whyNotOn,
} from "../support/system_differences.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { isUnitTest, testFilesBelow } from "../support/test_files.ts";
import pin from "../../packaging/toolchain/pin.json" with { type: "json" };

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const WORKFLOWS = ".github/workflows";
const SCRIPTS = "packaging/ci";
const JUDGE = fileURLToPath(new URL("../support/judge_syntax.py", import.meta.url));

/** An action by the hash of its commit, with its version in a comment. */
const PINNED = /^ {6}(?:- | {2})uses: [a-z-]+\/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/;

/** A call of a script, without an expression of the workflow in it. */
const CALL =
  /^(?:sudo env "PATH=\$PATH" )?(?:sh|pwsh -NoProfile -File) (packaging\/ci\/[a-z_]+\.(?:sh|ps1))(?: [a-z0-9/]+)*$/;

/** Permissions of a job. All others have only the first. */
const PERMISSIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  publish: { "contents": "write", "id-token": "write", "attestations": "write" },
};
const LEAST = { contents: "read" };

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions: unknown;
  readonly concurrency: { readonly group: string };
  readonly jobs: Readonly<
    Record<string, {
      readonly permissions: unknown;
      readonly "timeout-minutes": number;
      readonly steps: readonly Step[];
    }>
  >;
}

function namesIn(folder: string, ...suffixes: readonly string[]): string[] {
  return [...Deno.readDirSync(`${ROOT}${folder}`)].map(({ name }) => `${folder}/${name}`)
    .filter((path) => suffixes.some((suffix) => path.endsWith(suffix))).toSorted();
}

const read = (path: string) => Deno.readTextFileSync(`${ROOT}${path}`);

async function parse(path: string): Promise<Workflow> {
  const script = "import json,sys,yaml; print(json.dumps(yaml.safe_load(sys.stdin)))";
  // A key `on` is true in YAML 1.1.
  const stdin = read(path).replace(/^on:/m, '"on":');
  const { code, stdout, stderr } = await runProgram(PYTHON, ["-c", script], { stdin });
  assertEquals([code, stderr], [0, ""]);
  return JSON.parse(stdout);
}

const paths = namesIn(WORKFLOWS, ".yml");

Deno.test("there are workflows for CI and for releases", () => {
  assertEquals(paths, [`${WORKFLOWS}/ci.yml`, `${WORKFLOWS}/release.yml`]);
});

for (const path of paths) {
  Deno.test(`${path}: each action is pinned by hash, and each hash has one version`, () => {
    const lines = read(path).split("\n").filter((line) => line.includes("uses:"));
    assert(lines.length > 5);
    assertEquals(lines.filter((line) => !PINNED.test(line)), []);
  });

  testWith(["python-client"], `${path}: each step calls a script or an action`, async () => {
    const scripts = namesIn(SCRIPTS, ".sh", ".ps1");
    for (const [name, { steps }] of Object.entries((await parse(path)).jobs)) {
      for (const { uses, run, with: inputs } of steps) {
        assertEquals([uses, run].filter((it) => it !== undefined).length, 1, name);
        if (uses?.startsWith("actions/checkout@")) {
          assertEquals(inputs, { "persist-credentials": false }, name);
        }
        if (run === undefined) continue;
        const [, script = ""] = CALL.exec(run) ?? [];
        assert(scripts.includes(script), `${name}: not a call of a script: ${run}`);
      }
    }
  });

  testWith(
    ["python-client"],
    `${path}: each job has a timeout and the least permissions`,
    async () => {
      const workflow = await parse(path);
      assertEquals(workflow.permissions, {});
      assertMatch(workflow.concurrency.group, /github\.ref/);
      // It runs with the secrets of the repository, on a stranger's commit.
      assert(!("pull_request_target" in workflow.on));
      for (const [name, job] of Object.entries(workflow.jobs)) {
        assertEquals(job.permissions, PERMISSIONS[name] ?? LEAST, name);
        assert(job["timeout-minutes"] <= 90, name);
      }
    },
  );
}

Deno.test("a tag, a hash without a version, and a script in the workflow are refused", () => {
  const hash = "0123456789abcdef0123456789abcdef01234567";
  const refused = [
    "      - uses: actions/checkout@v6",
    `      - uses: actions/checkout@${hash}`,
    `      - uses: actions/checkout@${hash} # main`,
    `      - uses: actions/checkout@${hash.slice(1)} # v6.0.2`,
  ];
  assertEquals(refused.filter((line) => PINNED.test(line)), []);
  assert(PINNED.test(`      - uses: actions/checkout@${hash} # v6.0.2`));
  const scripts = [
    "make test",
    "sh packaging/ci/linux.sh ${{ github.head_ref }}",
    "sh packaging/ci/linux.sh build; make",
    "sh packaging/ci/../install.sh",
  ];
  assertEquals(scripts.filter((run) => CALL.test(run)), []);
});

Deno.test("an action has one hash in all workflows", () => {
  const uses = paths.flatMap((path) =>
    read(path).match(/[a-z-]+\/[a-z-]+@[0-9a-f]{40} # .*/g) ?? []
  );
  const actions = uses.map((use) => use.split("@")[0]);
  assertEquals(new Set(uses).size, new Set(actions).size);
});

testWith(["program:shellcheck"], "shellcheck finds nothing in the scripts of CI", async () => {
  const files = namesIn(SCRIPTS, ".sh");
  assert(files.length > 3);
  const check = async (...args: readonly string[]) =>
    await runProgram("shellcheck", args, { cwd: ROOT });
  const { code, stdout, stderr } = await check(...files);
  assertEquals([code, stdout, stderr], [0, "", ""]);
  using directory = new TemporaryDirectory();
  const wrong = directory.write("wrong.sh", "#!/bin/sh\nrm -r $1\n");
  assertEquals((await check(wrong)).code, 1);
});

testWith(["python-client"], "the scripts of CI for PowerShell have no syntax error", async () => {
  const files = namesIn(SCRIPTS, ".ps1");
  assert(files.length > 1);
  for (const path of files) {
    const { code, stdout } = await runProgram(PYTHON, [JUDGE, "powershell", path], { cwd: ROOT });
    assertEquals([code, stdout], [0, ""], path);
  }
});

testWith(
  ["actionlint", "program:shellcheck"],
  "actionlint finds nothing in the workflows",
  async () => {
    const actionlint = `${compiledClient("actionlint").folder}actionlint`;
    const check = async (path: string) =>
      await runProgram(actionlint, ["-no-color", path], { cwd: ROOT });
    for (const path of paths) {
      const { code, stdout, stderr } = await check(path);
      assertEquals([code, stdout, stderr], [0, "", ""]);
    }
    using directory = new TemporaryDirectory();
    const text = read(`${WORKFLOWS}/ci.yml`);
    const wrong = directory.write(
      "wrong.yml",
      text.replace("runs-on: windows-2025", "runs-on: windows-1"),
    );
    assertMatch((await check(wrong)).stdout, /label "windows-1" is unknown/);
  },
);

Deno.test("the version of Deno in the workflows is that of the pin", async () => {
  using directory = new TemporaryDirectory();
  const output = directory.write("output", "before=1\n");
  const { code, stdout } = await runProgram("sh", [`${ROOT}${SCRIPTS}/deno_version.sh`], {
    env: { GITHUB_OUTPUT: output },
  });
  assertEquals([code, stdout], [0, `version=${pin.deno}\n`]);
  assertEquals(Deno.readTextFileSync(output), `before=1\nversion=${pin.deno}\n`);
});

Deno.test("release.sh refuses another tag, sums that are wrong and builds that differ", async () => {
  using directory = new TemporaryDirectory();
  const run = async (env: Readonly<Record<string, string>>, ...args: readonly string[]) =>
    await runProgram("sh", [`${ROOT}${SCRIPTS}/release.sh`, ...args], { env });
  assertEquals((await run({ GITHUB_REF_NAME: "v0.0.0" }, "tag")).code, 1);
  const sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; // of "abc", FIPS 180-4
  for (const name of ["first", "second"]) {
    directory.write(`${name}/file`, "abc");
    directory.write(`${name}/SHA256SUMS`, `${sum}  file\n`);
  }
  const both = [directory.join("first"), directory.join("second")];
  assertEquals((await run({}, "compare", ...both)).code, 0);
  directory.write("second/file", "other");
  assertNotEquals((await run({}, "compare", ...both)).code, 0);
  assertNotEquals((await run({}, "verify", directory.join("second"))).code, 0);
  directory.write("second/SHA256SUMS", `${"0".repeat(64)}  file\n`);
  const differ = await run({}, "compare", ...both);
  assertEquals(differ.code, 1);
  assertMatch(differ.stderr, /^release: two builds of this commit differ/m);
});

Deno.test("release.sh publishes the files that have a sum, and none if a sum is wrong", async () => {
  using directory = new TemporaryDirectory();
  const sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  for (const name of ["RELEASE_NOTES.md", "program", "other"]) {
    directory.write(`dist/${name}`, "abc");
  }
  directory.write("dist/SHA256SUMS", `${sum}  RELEASE_NOTES.md\n${sum}  program\n`);
  directory.write("bin/gh", `#!/bin/sh\nprintf '%s\\n' "$@" >"$LIST"\n`, 0o755);
  const list = directory.join("list");
  const publish = async () =>
    await runProgram("sh", [`${ROOT}${SCRIPTS}/release.sh`, "publish", directory.join("dist")], {
      env: {
        GITHUB_REF_NAME: "v1.2.3",
        LIST: list,
        PATH: `${directory.join("bin")}:${Deno.env.get("PATH") ?? ""}`,
      },
    });
  assertEquals((await publish()).code, 0);
  const args = Deno.readTextFileSync(list).trimEnd().split("\n");
  assertEquals(args.slice(0, 4), ["release", "create", "v1.2.3", "--verify-tag"]);
  assertEquals(args.slice(-4), ["--notes-file", "RELEASE_NOTES.md", "SHA256SUMS", "program"]);
  Deno.removeSync(list);
  directory.write("dist/program", "changed");
  assertNotEquals((await publish()).code, 0);
  assertEquals(directory.names().includes("list"), false);
});

for (const system of ["darwin", "windows"] satisfies System[]) {
  Deno.test(`the list of tests for ${system} names tests that there are`, () => {
    const files = testFilesBelow(`${ROOT}tests`).map((path) => path.slice(ROOT.length));
    const units = files.filter(isUnitTest);
    assertEquals(endToEndOn(system).filter((path) => !files.includes(path)), []);
    const unused = excludedOn(system).filter((start) =>
      !units.some((path) => path.startsWith(start))
    );
    assertEquals(unused, []);
    assert(units.filter((path) => whyNotOn(system, path) === undefined).length > 50);
    assertEquals(systemOf(system), system);
  });
}
