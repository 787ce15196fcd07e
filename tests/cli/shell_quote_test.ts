import { assertEquals, assertThrows } from "@std/assert";

import { quoteCommandLine } from "../../src/cli/shell_quote.ts";
import { HelperError } from "../../src/errors.ts";
import { runProgram } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { PYTHON } from "../support/tools.ts";

const ARGUMENTS: readonly string[] = [
  "plain",
  "arn:aws:iam::123456789012:role/a@b",
  "/Program Files/x y",
  "it's",
  "''",
  '"double"',
  "back\\slash",
  "ends with \\",
  "$HOME `id` $(id) ${x}",
  "a # no comment ; none",
  " # first",
  "* ? [a] ~ ! & | < > ( )",
  "%PATH%",
  "ünïcode ✓",
  "",
];

testWith(
  ["python-client"],
  "quoteCommandLine() returns a line that sh and botocore split into the same arguments",
  async () => {
    const line = quoteCommandLine(ARGUMENTS, "linux");
    const shell = await runProgram("sh", ["-c", `printf '%s\\0' ${line}`]);
    assertEquals(shell.stdout.split("\0").slice(0, -1), ARGUMENTS);
    const judge = "import json,sys; from botocore.compat import compat_shell_split as s; " +
      "print(json.dumps(s(sys.argv[1], 'linux')))";
    const python = await runProgram(PYTHON, ["-c", judge, line]);
    assertEquals(JSON.parse(python.stdout), ARGUMENTS);
    assertEquals(/\s[#;]/.test(line), false, "no SDK may see a comment in it");
  },
);

testWith(
  ["python-client"],
  "quoteCommandLine() returns a line that botocore splits like Windows",
  async () => {
    const args = ARGUMENTS.filter((argument) => !/["%]|\s[#;]/.test(argument));
    const judge = "import json,sys; from botocore.compat import compat_shell_split as s; " +
      "print(json.dumps(s(sys.argv[1], 'win32')))";
    const python = await runProgram(PYTHON, ["-c", judge, quoteCommandLine(args, "windows")]);
    assertEquals(JSON.parse(python.stdout), args);
    assertEquals(
      quoteCommandLine(["C:\\Program Files\\x\\"], "windows"),
      '"C:\\Program Files\\x\\\\"',
    );
  },
);

const REFUSED: readonly (readonly ["linux" | "windows", string])[] = [
  ["linux", "two\nlines"],
  ["linux", "a\u2028b"],
  ["windows", "two\r\nlines"],
  ["windows", "%PATH%"],
  ["windows", 'a "b"'],
  ["windows", "a # b"],
];

for (const [platform, word] of REFUSED) {
  Deno.test(`quoteCommandLine() rejects ${JSON.stringify(word)} on ${platform}`, () => {
    const error = assertThrows(() => quoteCommandLine([word], platform), HelperError);
    assertEquals(error.code, "usage");
    assertEquals(error.message.includes(word), false);
  });
}
