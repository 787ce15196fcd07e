import { assertEquals, assertLessOrEqual } from "@std/assert";

import { anchor, withGeneratedParts } from "../../packaging/reference.ts";
import {
  commandOf,
  COMMANDS,
  FLAGS,
  isCommandName,
  isFlagName,
} from "../../src/cli/flags/flags.ts";
import { findDialect } from "../support/dialect.ts";

const TEXT = Deno.readTextFileSync(new URL("../../commands.md", import.meta.url));
const COMMAND_NAMES = Object.keys(COMMANDS).filter(isCommandName);

const MAX_COLUMNS = 140;

/** Other terms that the reference avoids. */
const AVOIDED = /\b(besides|whether)\b/i;

/** The reference without its generated parts. The messages at its end have their own texts. */
const WRITTEN = TEXT.replace(/^## Messages$.*/ms, "")
  .replaceAll(/<!-- generated: .*? -->.*?<!-- end -->/gs, "");
const CODE_BLOCK = /^```.*?^```$/gms;

Deno.test("commands.md is what packaging/reference.ts writes", () => {
  assertEquals(withGeneratedParts(TEXT), TEXT);
});

Deno.test("commands.md names the command that does not read AWS_PROFILE for --profile", () => {
  const row = TEXT.split("\n").find((line) => line.startsWith("| `AWS_PROFILE` |"));
  assertEquals(
    row,
    "| `AWS_PROFILE` | `--profile`, if `AWS_SIGNING_HELPER_PROFILE` is not set; not for `doctor` |",
  );
});

Deno.test("withGeneratedParts() throws for a part without a place", () => {
  let message = "";
  try {
    withGeneratedParts(TEXT.replace("<!-- generated: tpm flags -->", ""));
  } catch (thrown) {
    message = String(thrown);
  }
  assertEquals(message, 'Error: commands.md has no place for "tpm flags"');
});

Deno.test("commands.md describes every flag once for each meaning that it has", () => {
  const rows = [...TEXT.matchAll(/^\| `--([a-z0-9-]+)` \| .* \| (.+) \|$/gm)]
    .filter(([row]) => row.split(/(?<!\\)\|/).length === 6);
  const described = new Map<string, string[]>();
  for (const [, flag = "", meaning = ""] of rows) {
    described.set(flag, [...described.get(flag) ?? [], meaning]);
  }
  for (const flag of Object.keys(FLAGS).filter(isFlagName)) {
    const users = COMMAND_NAMES.filter((name) => commandOf(name).flags.includes(flag));
    const variants = users.filter((name) => commandOf(name).variants?.[flag]);
    const isArgument = users.some((name) => commandOf(name).positional === flag);
    const meanings = isArgument ? 0 : variants.length + (variants.length < users.length ? 1 : 0);
    const actual = described.get(flag) ?? [];
    assertEquals(actual.length, meanings, flag);
    assertEquals(new Set(actual).size, actual.length, flag);
  }
});

Deno.test(`commands.md has no line over ${MAX_COLUMNS} columns outside of generated tables`, () => {
  for (const line of WRITTEN.split("\n")) assertLessOrEqual(line.length, MAX_COLUMNS, line);
});

Deno.test("commands.md has no padded tables and nothing that the style rule forbids", () => {
  assertEquals(TEXT.split("\n").filter((line) => /^\|.*( {2}|---- )/.test(line)), []);
  const prose = WRITTEN.replaceAll(CODE_BLOCK, "").split("\n");
  assertEquals(prose.filter((line) => AVOIDED.test(line)), []);
  assertEquals(findDialect(prose.join("\n")), []);
});

Deno.test("every link of commands.md into itself has its heading, which is there once", () => {
  const headings = [...TEXT.replaceAll(CODE_BLOCK, "").matchAll(/^#+ (.+)$/gm)]
    .map(([, heading = ""]) => anchor(heading));
  const links = [...TEXT.matchAll(/\]\(#([^)]+)\)/g)].map(([, target = ""]) => target);
  const occurrences = (target: string) => headings.filter((heading) => heading === target).length;
  assertEquals(links.filter((target) => occurrences(target) !== 1), []);
  assertEquals(TEXT.match(/^## .*/gm)?.at(-1), "## Messages");
});
