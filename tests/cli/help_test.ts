import { assertEquals, assertLessOrEqual, assertMatch, assertStringIncludes } from "@std/assert";

import {
  type CommandName,
  commandOf,
  COMMANDS,
  type FlagName,
  flagOf,
} from "../../src/cli/flags/flags.ts";
import { EXAMPLES, flagGroups, HELP_TITLES, helpText } from "../../src/cli/flags/help.ts";
import { parseArguments } from "../../src/cli/flags/parse.ts";
import { findDialect } from "../support/dialect.ts";

const names = Object.keys(COMMANDS) as CommandName[];

/** Columns and lines of a terminal that every help fits in. */
const WIDTH = 80;
const HEIGHT = 60;

/** Other terms that help avoids. */
const AVOIDED = /\b(given|absent)\b/;

Deno.test("helpText() names every command and its summary", () => {
  const text = helpText();
  for (const name of names) {
    const line = text.split("\n").find((line) => line.startsWith(`  ${name} `)) ?? "";
    assertEquals(line.slice(name.length + 2).trim(), commandOf(name).summary);
    assertLessOrEqual(line.length, WIDTH);
  }
  assertStringIncludes(text, "AWS_SIGNING_HELPER_ROLE_ARN");
  assertStringIncludes(text, "Documentation: man aws_signing_helper, or commands.md\n");
});

/** Returns the headings of a help text, each with the flags below it. */
function listedGroups(text: string): [title: string, flags: string[]][] {
  const groups: [string, string[]][] = [];
  for (const line of text.split("\n")) {
    const title = /^([A-Z].*):$/.exec(line)?.[1];
    if (title) groups.push([title, []]);
    const flag = /^ {2}--([a-z0-9-]+)/.exec(line)?.[1];
    if (flag) groups.at(-1)?.[1].push(flag);
  }
  return groups.filter(([title]) => title !== "Example");
}

for (const name of names) {
  const { flags, required, oneOf, positional } = commandOf(name);
  const listed = flags.filter((flag) => flag !== positional);
  const text = helpText(name);

  Deno.test(`helpText() lists every flag of ${name}, each in one group`, () => {
    const groups = listedGroups(text);
    assertEquals(groups.flatMap(([, members]) => members).toSorted(), listed.toSorted());
    const titles = groups.map(([title]) => title.replace(/ \(.*/, ""));
    const order = [`Flags of ${name}`, "Required", ...Object.values(HELP_TITLES)];
    assertEquals(titles, titles.toSorted((a, b) => order.indexOf(a) - order.indexOf(b)));
    assertEquals(titles.filter((title) => !order.includes(title)), []);
  });

  Deno.test(`flagGroups() has each flag of ${name} in its group of the table, or in Required`, () => {
    for (const group of flagGroups(name)) {
      for (const flag of group.flags) {
        const needed = required.includes(flag) || oneOf.includes(flag);
        assertEquals(group.name, needed ? undefined : flagOf(flag).group, flag);
      }
    }
  });

  Deno.test(`helpText() keeps ${name} within ${WIDTH} columns and ${HEIGHT} lines`, () => {
    const lines = text.split("\n");
    assertLessOrEqual(lines.length - 1, HEIGHT);
    for (const line of lines) {
      assertLessOrEqual(line.length, WIDTH, line);
      assertEquals(line.trimEnd(), line);
    }
  });

  Deno.test(`helpText() of ${name} follows the style rule`, () => {
    const prose = text.replace(/^Usage.*/, "");
    assertEquals(findDialect(prose), []);
    assertEquals(AVOIDED.exec(prose), null);
  });

  Deno.test(`helpText() of ${name} names its documentation; variables only with secrets`, () => {
    const page = name.replaceAll(" ", "-");
    assertStringIncludes(text, `man aws_signing_helper-${page}, or commands.md\n`);
    const hasSecrets = flags.some((flag) => flagOf(flag).kind === "secret");
    assertEquals(/AWS_SIGNING_HELPER_|env:/.test(text), hasSecrets);
  });

  Deno.test(`the example of ${name} parses, with flags that it has`, async () => {
    const lines = text.split("Example:\n")[1]?.split("\n\n")[0] ?? "";
    const words = lines.replaceAll("\\\n", "").trim().split(/\s+/);
    assertEquals(words.join(" "), `aws_signing_helper ${name} ${EXAMPLES[name]}`.trim());
    const argv = words.slice(1).map((word) => word.replaceAll('"', ""));
    const request = await parseArguments(argv, () => undefined);
    assertEquals([request.kind, "command" in request && request.command], ["run", name]);
  });
}

Deno.test("helpText() describes the port and address of health as those to ask", () => {
  const text = helpText("health");
  assertMatch(text, /--port NUMBER +port of the serve to ask/);
  assertEquals(text.includes("listen"), false);
});

Deno.test("helpText() of completions shows the shell as an argument, not as a flag too", () => {
  const text = helpText("completions");
  assertMatch(text, /^Usage: aws_signing_helper completions bash\|zsh\|fish\|powershell$/m);
  assertEquals(text.includes("--shell"), false);
});

Deno.test("helpText() marks the flags of which one is required", () => {
  const marked = (name: CommandName): (FlagName | undefined)[] =>
    [...helpText(name).matchAll(/^ {2}--([a-z0-9-]+) .*\*$/gm)].map(([, flag]) => flag as FlagName);
  assertEquals(marked("serve"), ["certificate", "cert-selector"]);
  assertEquals(marked("doctor"), []);
  assertStringIncludes(
    helpText("serve"),
    "\nRequired (one of those with *; --roles replaces --role-arn):\n",
  );
  assertStringIncludes(helpText("sign-string"), "\nRequired (one of these):\n");
});
