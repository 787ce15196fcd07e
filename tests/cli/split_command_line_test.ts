import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";

import { quoteCommandLine } from "../../src/cli/shell_quote.ts";
import { shellSyntaxIn, splitCommandLine } from "../../src/cli/settings/split_command_line.ts";
import { HelperError } from "../../src/errors.ts";
import { runProgram } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { PYTHON } from "../support/tools.ts";

const BOTOCORE = `
import json, sys
from botocore.compat import _windows_shell_split
import shlex
def split_line(split, line):
    try:
        return split(line)
    except ValueError:
        return None
lines = json.load(open(sys.argv[1]))
json.dump([[split_line(shlex.split, line), split_line(_windows_shell_split, line)] for line in lines], sys.stdout)
`;

/** Generates lines from pieces that are special to one of the parsers, from a seed. */
function randomLines(count: number): string[] {
  const pieces = [
    "a",
    "b c",
    " ",
    "  ",
    "\t",
    "'",
    '"',
    "\\",
    "\\\\",
    '\\"',
    "''",
    '""',
    "/",
    "=",
    "é",
  ];
  let state = 14;
  const next = (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor(state / 65_536) % below;
  };
  return Array.from(
    { length: count },
    () => Array.from({ length: next(9) }, () => pieces[next(pieces.length)]).join(""),
  );
}

testWith(["python-client"], "splitCommandLine() splits 4,000 lines as botocore does", async () => {
  const lines = [...new Set(randomLines(4000))];
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, JSON.stringify(lines));
    const { code, stdout, stderr } = await runProgram(PYTHON, ["-c", BOTOCORE, file]);
    assertEquals(code, 0, stderr);
    const expected: [string[] | null, string[] | null][] = JSON.parse(stdout);
    const split = (line: string, platform: "linux" | "windows") => {
      try {
        return splitCommandLine(line, platform);
      } catch (thrown) {
        if (thrown instanceof HelperError) return null;
        throw thrown;
      }
    };
    for (const [i, line] of lines.entries()) {
      assertEquals([line, split(line, "linux"), split(line, "windows")], [
        line,
        ...expected[i] ?? [],
      ]);
    }
    // The seed must reach both outcomes.
    assertEquals(new Set(expected.flatMap((each) => each.map((args) => args === null))).size, 2);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("splitCommandLine() returns the arguments that quoteCommandLine() was given", () => {
  const args = ["/opt/my tools/helper", "", "it's", "C:\\a b\\", "a\\b", "-", "x=y", "é #"];
  assertEquals(splitCommandLine(quoteCommandLine(args, "linux"), "linux"), args);
  const forWindows = args.filter((argument) => !/#/.test(argument));
  assertEquals(splitCommandLine(quoteCommandLine(forWindows, "windows"), "windows"), forWindows);
});

Deno.test("splitCommandLine() does not show a line with an unterminated quote", () => {
  for (const line of ["helper 'hunter2", 'helper "hunter2', "helper hunter2\\"]) {
    const error = assertThrows(() => splitCommandLine(line, "linux"), HelperError);
    assertEquals([error.code, error.message.includes("hunter2")], ["usage", false]);
    assertStringIncludes(error.message, "credential_process has ");
  }
});

for (
  const [line, syntax] of [
    ["/bin/x --a 'b $c' --d \"e;f\" g=~ a#b", undefined],
    ["~/bin/x --a b", "~"],
    ["/bin/x --a $HOME/key.pem", "$"],
    ['/bin/x --a "$HOME"', "$"],
    ["/bin/x --a `pwd`", "`"],
    ["/bin/x | tee", "|"],
    ["/bin/x --a *.pem", "*"],
    ["/bin/x # note", "#"],
    ["/bin/x --a \\$b", undefined],
  ] as const
) {
  Deno.test(`shellSyntaxIn() finds ${syntax ?? "nothing"} in ${line}`, () => {
    assertEquals(shellSyntaxIn(line), syntax);
  });
}
