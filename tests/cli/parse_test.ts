import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";

import type { FlagValues } from "../../src/cli/flag_values.ts";
import { COMMANDS } from "../../src/cli/flags.ts";
import { parseArguments } from "../../src/cli/parse.ts";
import { HelperError } from "../../src/errors.ts";

const parse = (args: readonly string[], variables: Record<string, string> = {}) =>
  parseArguments(args, (name) => variables[name]);

async function valuesOf(...args: string[]): Promise<FlagValues> {
  const request = await parse(args);
  if (request.kind !== "run") throw new Error("it asks for help");
  assertEquals(request.command, args[0]);
  return request.values;
}

async function refusal(...args: string[]): Promise<string> {
  const error = await assertRejects(() => parse(args), HelperError);
  assertEquals(error.code, "usage");
  return error.message;
}

Deno.test("parseArguments() reads values behind a space and behind an equals sign", async () => {
  const values = await valuesOf(
    "sign-string",
    "--private-key",
    "a b",
    "--certificate=c=d",
    "--debug",
  );
  assertEquals([values.text("private-key"), values.text("certificate")], ["a b", "c=d"]);
  assertEquals([values.isOn("debug"), values.isOn("reuse-pin")], [true, false]);
});

Deno.test("parseArguments() takes the last of a flag that is given twice", async () => {
  const values = await valuesOf("sign-string", "--private-key", "a", "--private-key=b");
  assertEquals(values.text("private-key"), "b");
});

Deno.test("parseArguments() takes an empty value, and one that begins with a dash", async () => {
  const values = await valuesOf("sign-string", "--private-key=", "--pkcs8-password=-x");
  assertEquals(values.text("private-key"), "");
  assertEquals(values.secretSource("pkcs8-password")?.text, "-x");
});

Deno.test("parseArguments() reads a flag that begins with no- as a flag of its own", async () => {
  const values = await valuesOf("sign-string", "--private-key", "a", "--no-tpm-key-password");
  assertEquals(values.isOn("no-tpm-key-password"), true);
  assertEquals(values.secretSource("tpm-key-password"), undefined);
});

const SWITCHES: Record<string, boolean> = {
  "--debug": true,
  "--debug=true": true,
  "--debug=TRUE": true,
  "--debug=1": true,
  "--debug=false": false,
  "--debug=False": false,
  "--debug=0": false,
};

for (const [argument, expected] of Object.entries(SWITCHES)) {
  Deno.test(`parseArguments() reads ${argument} as ${expected}, whatever the variable says`, async () => {
    const args = ["sign-string", "--private-key", "a", argument];
    const request = await parse(args, { AWS_SIGNING_HELPER_DEBUG: String(!expected) });
    assertEquals(request.kind === "run" && request.values.isOn("debug"), expected);
  });
}

Deno.test("parseArguments() gathers the arguments of a list, however they are written", async () => {
  const lists = async (...args: string[]) =>
    (await valuesOf("sign-string", ...args, "--debug")).list("cert-selector");
  assertEquals(await lists("--cert-selector", "a", "b"), ["a", "b"]);
  assertEquals(await lists("--cert-selector=a", "--cert-selector", "b"), ["a", "b"]);
});

for (const args of [[], ["--help"], ["-h"], ["help"]]) {
  Deno.test(`parseArguments() asks for the program's help when it is given [${args}]`, async () => {
    assertEquals(await parse(args), { kind: "help" });
  });
}

for (const command of Object.keys(COMMANDS)) {
  const words = command.split(" ");
  for (const args of [[...words, "--help"], [...words, "-h"], ["help", ...words]]) {
    Deno.test(`parseArguments() asks for help when it is given ${args.join(" ")}`, async () => {
      const request = await parse(args);
      assertEquals<unknown>(request, { kind: "help", command });
    });
  }
}

Deno.test("parseArguments() asks for help even when flags are missing", async () => {
  const request = await parse(["credential-process", "--certificate", "a", "--help"]);
  assertEquals(request.kind, "help");
});

for (const args of [["cache", "--help"], ["cache", "-h"], ["cache", "help"], ["help", "cache"]]) {
  Deno.test(`parseArguments() asks for the help of a group when it is given ${args.join(" ")}`, async () => {
    assertEquals<unknown>(await parse(args), { kind: "help", group: "cache" });
  });
}

Deno.test("parseArguments() finds a command of two words, and its flags behind them", async () => {
  const request = await parse(["cache", "clear", "--cache-dir", "a b"]);
  if (request.kind !== "run") throw new Error("it asks for help");
  assertEquals([request.command, request.values.text("cache-dir")], ["cache clear", "a b"]);
});

const USAGE: Record<string, string[]> = {
  "half a command": ["cache"],
  "half a command and a flag": ["cache", "--cache-dir", "a"],
  "half a command and another word": ["cache", "empty"],
  "a command of two words as one": ["cache clear"],
  "a word too many": ["cache", "clear", "all"],
  "help of half a command and another word": ["help", "cache", "empty"],
  "help of a word too many": ["help", "cache", "clear", "all"],
  "an unknown command": ["credentials"],
  "a flag before the command": ["--debug", "version"],
  "an unknown flag": ["sign-string", "--privatekey", "a"],
  "a flag of another command": ["version", "--certificate", "a"],
  "a switch of another command": ["version", "--with-proxy=false"],
  "the denial of a flag": ["sign-string", "--private-key", "a", "--no-debug"],
  "a short flag": ["sign-string", "-d"],
  "an abbreviated flag": ["sign-string", "--private", "a"],
  "a stray argument": ["sign-string", "--private-key", "a", "b"],
  "a stray argument behind --": ["sign-string", "--private-key", "a", "--", "b"],
  "a stray argument of version": ["version", "x"],
  "a flag without its value": ["sign-string", "--private-key"],
  "a flag in place of a value": ["sign-string", "--private-key", "--debug"],
  "a switch that is neither": ["sign-string", "--private-key", "a", "--debug=maybe"],
  "help of an unknown command": ["help", "nothing"],
  "a flag in capitals": ["sign-string", "--Private-Key", "a"],
  "an unknown flag beside --help's": ["sign-string", "--private-key", "a", "--prototype"],
};

for (const [what, args] of Object.entries(USAGE)) {
  Deno.test(`parseArguments() throws usage in one sentence when there is ${what}`, async () => {
    const words = await refusal(...args);
    assertMatch(words, /^[^\n]+$/);
  });
}

Deno.test("parseArguments() suggests what was meant when a name is nearly right", async () => {
  assertStringIncludes(await refusal("sign-strin"), "sign-string");
  assertStringIncludes(
    await refusal("cache", "clean"),
    'unknown command "cache clean"; did you mean cache clear?',
  );
  assertStringIncludes(await refusal("cache"), "cache clear");
  assertStringIncludes(await refusal("sign-string", "--privat-key", "a"), "--private-key");
});

const SECRET = "hunter2";
const WITH_SECRET: string[][] = [
  ["sign-string", "--private-key", "a", "--pkcs8-password", "two", SECRET],
  ["sign-string", "--private-key", "a", `--pkcs8-password=two`, SECRET],
  ["sign-string", SECRET, "--private-key", "a", "--pkcs8-password", "two"],
  ["sign-string", "--private-key", "a", "--tpm-key-password", "two", "--", SECRET],
  ["sign-string", `--pkcs8-pasword=${SECRET}`],
  ["sign-string", `--pkcs8-pasword=a'${SECRET}`],
  ["sign-string", `--pkcs8-pasword=a\n${SECRET}`],
  ["sign-string", "--pkcs8-pasword", SECRET],
  ["sign-string", `-pkcs8-password=${SECRET}`],
  ["sign-string", "-pkcs8-password", SECRET],
  [`--pkcs8-password=${SECRET}`, "sign-string"],
  ["--pkcs8-password", SECRET, "sign-string"],
  ["version", `--pkcs8-password=${SECRET}`],
  ["version", "--pkcs8-password", SECRET],
  ["sign-string", "--private-key", `--pkcs8-password=${SECRET}`],
  ["sign-string", "--pkcs8-password", SECRET],
  ["sign-string", "--private-key", "a", "--pkcs8-password", SECRET, "--tpm-key-password", SECRET],
  ["sign-string", "--private-key", "a", `--PKCS8-PASSWORD=${SECRET}`],
];

for (const args of WITH_SECRET) {
  Deno.test(`parseArguments() keeps the secret out of the error of ${args.join(" ")}`, async () => {
    const words = await refusal(...args);
    assertEquals(words.includes(SECRET), false, words);
  });
}
