import { assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";

import { runBinary, runProgram } from "../support/binary.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { PYTHON } from "../support/tools.ts";

async function scriptOf(shell: string): Promise<string> {
  const { code, stdout, stderr } = await runBinary(["completions", shell]);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  return stdout;
}

/** Typed text, and the only completions of its last word. */
const LINES: readonly (readonly [typed: string, continuations: readonly string[]])[] = [
  ["aws_signing_helper cred", ["credential-process"]],
  ["aws_signing_helper help doc", ["doctor"]],
  ["aws_signing_helper cache ", ["clear"]],
  ["aws_signing_helper cache clear --cache", ["--cache-dir"]],
  ["aws_signing_helper completions z", ["zsh"]],
  ["aws_signing_helper serve --hop", ["--hop-limit"]],
  ["aws_signing_helper sign-string --format b", ["bin"]],
  ["aws_signing_helper sign-string --digest SHA5", ["SHA512"]],
  ["aws_signing_helper doctor --certificate my", ["my file.pem"]],
  ["aws_signing_helper doctor --region my", []],
  ["aws_signing_helper version --cert", []],
];

/** Function that returns a shell's completions of `typed`, in `directory`. */
type Complete = (file: string, typed: string, directory: string) => Promise<readonly string[]>;

const BASH = `
source "$1"
read -r -a COMP_WORDS <<< "$2"
[[ "$2" == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
_aws_signing_helper
printf '%s\\n' "\${COMPREPLY[@]}"
`;

const SHELLS: Readonly<Record<string, Complete>> = {
  bash: async (file, typed, cwd) => {
    const { stdout, stderr } = await runProgram("bash", ["-c", BASH, "bash", file, typed], { cwd });
    assertEquals(stderr, "");
    return stdout.split("\n").filter((line) => line !== "");
  },
  fish: async (file, typed, cwd) => {
    const script = 'source $argv[1]; complete -C "$argv[2]"';
    const { stdout, stderr } = await runProgram("fish", ["-N", "-c", script, file, typed], { cwd });
    assertEquals(stderr, "");
    return stdout.split("\n").filter((line) => line !== "")
      .map((line) => line.split("\t")[0] ?? "");
  },
};

for (const [shell, complete] of Object.entries(SHELLS)) {
  Deno.test(`completions ${shell} prints a script with which ${shell} completes command lines`, async () => {
    using directory = new TemporaryDirectory();
    directory.write("my file.pem", "");
    const file = directory.write("completion", await scriptOf(shell));
    for (const [typed, expected] of LINES) {
      assertEquals(await complete(file, typed, directory.path), expected, typed);
    }
  });
}

Deno.test("completions zsh prints a script with which zsh completes command lines", async () => {
  using directory = new TemporaryDirectory();
  directory.write("my file.pem", "");
  const file = directory.write("completion", await scriptOf("zsh"));
  const driver = fileURLToPath(new URL("../support/complete_in_zsh.zsh", import.meta.url));
  for (const [typed, [continuation]] of LINES) {
    const { stdout, stderr } = await runProgram("zsh", ["-f", driver, file, typed], {
      cwd: directory.path,
      env: { TERM: "dumb" },
    });
    assertEquals(stderr, "");
    const line = /<line>(.*?)<\/line>/s.exec(stdout)?.[1]?.trimEnd();
    const begun = typed.slice(0, typed.lastIndexOf(" ") + 1);
    const wanted = continuation ? begun + continuation.replaceAll(" ", "\\ ") : typed;
    assertEquals(line?.replace(/=$/, ""), wanted, stdout);
  }
});

Deno.test("completions powershell prints a script without syntax errors", async () => {
  using directory = new TemporaryDirectory();
  const script = await scriptOf("powershell");
  const file = directory.write("completion.ps1", script);
  const judge = fileURLToPath(new URL("../support/judge_syntax.py", import.meta.url));
  const { code, stdout, stderr } = await runProgram(PYTHON, [judge, "powershell", file]);
  assertEquals({ code, stdout, stderr }, { code: 0, stdout: "", stderr: "" });
  const broken = directory.write(
    "broken.ps1",
    script.replace("$candidates = @()", "$candidates = @("),
  );
  assertEquals((await runProgram(PYTHON, [judge, "powershell", broken])).code, 1);
  assertStringIncludes(script, "'cache clear' = @{ Flags = @('--cache-dir', '--help')");
  assertStringIncludes(script, "    '--port' = 'port to listen on'\n");
  assertStringIncludes(script, "    'health --port' = 'port of the serve to ask'\n");
});

Deno.test("completions lists the shells when given none or an unknown one", async () => {
  const SAYS = "(one of bash, zsh, fish, powershell)";
  const none = await runBinary(["completions"]);
  assertEquals([none.code, none.stdout, none.stderr.includes(SAYS)], [2, "", true]);
  const other = await runBinary(["completions", "tcsh"]);
  assertEquals([other.code, other.stdout], [2, ""]);
  assertStringIncludes(
    other.stderr,
    'the shell is "tcsh"; it must be one of bash, zsh, fish, powershell',
  );
  const two = await runBinary(["completions", "bash", "zsh"]);
  assertEquals([two.code, two.stdout], [2, ""]);
});
