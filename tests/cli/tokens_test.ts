import { assertEquals } from "@std/assert";
import { parseArgs } from "node:util";
import { tokenize } from "../../src/cli/flags/tokens.ts";

const OPTIONS = {
  "help": { type: "boolean", short: "h" },
  "cache": { type: "boolean" },
  "region": { type: "string" },
  "private-key": { type: "string" },
} as const;
const takesValue = (name: string) => name === "region" || name === "private-key";

/** Returns the tokens of node:util's parser, in the form of {@link tokenize}. */
function nodeTokens(args: readonly string[]) {
  const { tokens } = parseArgs({ args: [...args], options: OPTIONS, strict: false, tokens: true });
  return tokens.map((token) => {
    const argument = args[token.index] ?? "";
    if (token.kind !== "option") {
      return token.kind === "positional"
        ? { kind: token.kind, value: token.value, argument }
        : { kind: token.kind, argument };
    }
    const { kind, name, rawName, value, inlineValue = false } = token;
    return { kind, name, rawName, value, inlineValue, argument };
  });
}

const PARTS = [
  ...[
    "--",
    "-",
    "---",
    "--=",
    "--=x",
    "--=x=y",
    "-h",
    "-hx",
    "-xh",
    "-h-",
    "-hh",
    "-x=1",
    "-é😀",
    "",
  ],
  ...[
    "--help",
    "--help=",
    "--cache",
    "--cache=no",
    "--cache=a=b",
    "--region",
    "--region=",
    "--region=r",
  ],
  ...["--private-key", "--private-key=--region", "--unknown", "--unknown=1", "--constructor"],
  ...["--__proto__", "--no-cache", "word", "a b", "=", "--region =x", "-–region", "\n", "--\n=1"],
];

Deno.test("tokenize() agrees with node:util about every argument, pair and triple", () => {
  const lines = PARTS.flatMap((a) => [
    [a],
    ...PARTS.flatMap((b) => [[a, b], ...PARTS.map((c) => [a, b, c])]),
  ]);
  for (const args of lines) {
    assertEquals<unknown>(tokenize(args, takesValue), nodeTokens(args), JSON.stringify(args));
  }
});
