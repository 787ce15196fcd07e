import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";

import type { FlagValues } from "../../src/cli/flags/flag_values.ts";
import { COMMANDS } from "../../src/cli/flags/flags.ts";
import { parseArguments } from "../../src/cli/flags/parse.ts";
import { HelperError } from "../../src/errors.ts";

const parse = (args: readonly string[], variables: Record<string, string> = {}) =>
  parseArguments(args, (name) => variables[name]);

async function valuesOf(...args: string[]): Promise<FlagValues> {
  const request = await parse(args);
  if (request.kind !== "run") throw new Error("it requests help");
  assertEquals(request.command, args[0]);
  return request.values;
}

async function refusal(...args: string[]): Promise<string> {
  const error = await assertRejects(() => parse(args), HelperError);
  assertEquals(error.code, "usage");
  return error.message;
}

Deno.test("parseArguments() reads values after a space and after an equals sign", async () => {
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

Deno.test("parseArguments() uses the last value of a flag that is given twice", async () => {
  const values = await valuesOf("sign-string", "--private-key", "a", "--private-key=b");
  assertEquals(values.text("private-key"), "b");
});

Deno.test("parseArguments() takes a value that begins with a dash", async () => {
  const values = await valuesOf("sign-string", "--private-key=k", "--pkcs8-password=-x");
  assertEquals(values.secretSource("pkcs8-password")?.text, "-x");
});

Deno.test("parseArguments() takes an empty value as not given, except for a secret", async () => {
  const values = await valuesOf(
    ...["sign-string", "--certificate=c", "--private-key=", "--pkcs8-password", ""],
    ...["--digest", "", "--debug=", "--pkcs11-lib="],
  );
  assertEquals([values.text("private-key"), values.text("digest")], [undefined, "SHA256"]);
  assertEquals([values.isOn("debug"), values.text("pkcs11-lib")], [false, undefined]);
  assertEquals(values.secretSource("pkcs8-password"), { text: "", literal: false });
});

Deno.test("parseArguments() uses the variable when the flag's value is empty", async () => {
  const request = await parse(["sign-string", "--private-key="], {
    AWS_SIGNING_HELPER_PRIVATE_KEY: "k",
  });
  assertEquals(request.kind === "run" && request.values.text("private-key"), "k");
});

/** Command lines with flags before the command, and the values that each must have. */
const LEADING: readonly (readonly [args: readonly string[], expected: unknown[]])[] = [
  [["--debug", "sign-string", "--private-key", "a"], ["sign-string", "a", true]],
  [["--private-key", "a", "sign-string"], ["sign-string", "a", false]],
  [["--private-key=a", "--debug=false", "sign-string"], ["sign-string", "a", false]],
  [["--private-key", "sign-string", "sign-string"], ["sign-string", "sign-string", false]],
  [["--private-key", "a", "sign-string", "--private-key", "b"], ["sign-string", "b", false]],
  [["--pkcs8-password", "", "--private-key", "a", "sign-string"], ["sign-string", "a", false]],
];

for (const [args, expected] of LEADING) {
  Deno.test(`parseArguments() takes flags before the command: ${args.join(" ")}`, async () => {
    const request = await parse(args);
    if (request.kind !== "run") throw new Error("it requests help");
    const { command, values } = request;
    assertEquals([command, values.text("private-key"), values.isOn("debug")], expected);
  });
}

Deno.test("parseArguments() keeps a list that comes before the command apart from it", async () => {
  const request = await parse(["--cert-selector", "x", "y", "read-certificate-data"]);
  assertEquals(request.kind === "run" && request.values.list("cert-selector"), ["x", "y"]);
  const group = await parse(["--cache-dir", "d", "cache", "clear"]);
  assertEquals(group.kind === "run" && group.values.text("cache-dir"), "d");
});

for (const args of [["--debug", "--help"], ["--region", "x", "help"], ["--debug", "-h"]]) {
  Deno.test(`parseArguments() requests the program's help when it is given ${args}`, async () => {
    assertEquals(await parse(args), { kind: "help" });
  });
}

Deno.test("parseArguments() accepts completion for completions", async () => {
  const request = await parse(["completion", "bash"]);
  assertEquals(request.kind === "run" && request.command, "completions");
  assertEquals<unknown>(await parse(["completion", "--help"]), {
    kind: "help",
    command: "completions",
  });
});

Deno.test("parseArguments() reads settings only for commands that use the network", async () => {
  let reads = 0;
  const settings = () => {
    reads++;
    return Promise.resolve(new Map([["endpoint", { text: "https://e", source: "file" }]] as const));
  };
  const environment = () => undefined;
  await parseArguments(["version"], environment, settings);
  await parseArguments(["update", "--help"], environment, settings);
  await parseArguments(["sign-string", "--private-key", "k"], environment, settings);
  assertEquals(reads, 0);
  const request = await parseArguments(["doctor"], environment, settings);
  assertEquals([reads, request.kind === "run" && request.values.text("endpoint")], [
    1,
    "https://e",
  ]);
});

/** Common mistakes, and the error's message. */
const MISTAKES: readonly (readonly [args: readonly string[], message: RegExp])[] = [
  [["update", "\u2014certificate", "x"], /typographic dash; write --certificate with two hyphens/],
  [["update", "--debug", "\u2013role-arn", "x"], /write --role-arn with two hyphens/],
  [["\u2014certificate", "x", "update"], /write --certificate with two hyphens/],
  [["update", "\u2014", "x"], /typographic dash; write -- with two hyphens/],
  [["update", "--debug", "\\"], /line continuation/],
  [["update", "--debug", "\n"], /line continuation/],
  [["update", "--debug", "`"], /line continuation/],
  [["\\", "update"], /line continuation/],
  [["update", "--debug", "\n--certificate", "c"], /line continuation/],
  [["update", "--debug", "\\\r\n--certificate", "c"], /line continuation/],
  [["update", "-certificate", "x"], /"-certificate" has one dash; write --certificate/],
  [["update", "-certificate=x"], /"-certificate" has one dash; write --certificate/],
  [["-region", "x", "update"], /"-region" has one dash; write --region/],
  [["update", "--cert", "x"], /did you mean --certificate or --cert-selector\? See/],
  [["update", "--endpoint-url", "x"], /did you mean --endpoint\?/],
  [["update", "--role_arn", "x"], /did you mean --role-arn\?/],
  [["update", "--Role-ARN", "x"], /did you mean --role-arn\?/],
  [
    ["credential-process", "--profile", "x"],
    /--profile is not a flag of credential-process, but of update, configure and doctor/,
  ],
  [["serve", "--once"], /--once is not a flag of serve, but of update;/],
  [
    ["version", "--certificate", "x"],
    /--certificate is not a flag of version, but of credential-process, update, serve and \d more/,
  ],
  [["sign-string", "--pkcs8-password hunter2"], /^(?!.*hunter2).*are one argument; write two/],
  [["update", "--cert"], /did you mean --certificate or --cert-selector\? See/],
  [["update", "--key"], /unknown flag "--key"; did you mean --private-key\? See/],
  [["update", "--xyz"], /unknown flag "--xyz"; see aws_signing_helper update --help/],
  [["--xyz", "update"], /unknown flag "--xyz"; see aws_signing_helper --help/],
  [["update", "a"], /unexpected argument "a"; .*see aws_signing_helper update --help/],
  [["update", "--region"], /--region has no value; see aws_signing_helper update --help/],
  [
    ["update"],
    /--certificate or --cert-selector are missing; see aws_signing_helper update --help/,
  ],
  [["cache", "clear", "x"], /see aws_signing_helper cache clear --help/],
  [["cache"], /see aws_signing_helper cache --help/],
  [["--debug"], /no command was given; see aws_signing_helper --help/],
  [["complete"], /did you mean completions\?/],
  [
    ["--pkcs8-password", "two", "hunter2", "sign-string"],
    /unexpected argument before the command/,
  ],
];

for (const [args, message] of MISTAKES) {
  Deno.test(`parseArguments() names the mistake in ${JSON.stringify(args)}`, async () => {
    assertMatch(await refusal(...args), message);
  });
}

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
  Deno.test(`parseArguments() reads ${argument} as ${expected}, whatever the variable is`, async () => {
    const args = ["sign-string", "--private-key", "a", argument];
    const request = await parse(args, { AWS_SIGNING_HELPER_DEBUG: String(!expected) });
    assertEquals(request.kind === "run" && request.values.isOn("debug"), expected);
  });
}

Deno.test("parseArguments() collects the arguments of a list in every form", async () => {
  const lists = async (...args: string[]) =>
    (await valuesOf("sign-string", ...args, "--debug")).list("cert-selector");
  assertEquals(await lists("--cert-selector", "a", "b"), ["a", "b"]);
  assertEquals(await lists("--cert-selector=a", "--cert-selector", "b"), ["a", "b"]);
});

for (const args of [[], ["--help"], ["-h"], ["help"], ["help", "--help"], ["help", "help"]]) {
  Deno.test(`parseArguments() requests the program's help when it is given [${args}]`, async () => {
    assertEquals(await parse(args), { kind: "help" });
  });
}

for (const command of Object.keys(COMMANDS)) {
  const words = command.split(" ");
  for (const args of [[...words, "--help"], [...words, "-h"], ["help", ...words]]) {
    Deno.test(`parseArguments() requests help when it is given ${args.join(" ")}`, async () => {
      const request = await parse(args);
      assertEquals<unknown>(request, { kind: "help", command });
    });
  }
}

Deno.test("parseArguments() requests help even when flags are missing", async () => {
  const request = await parse(["credential-process", "--certificate", "a", "--help"]);
  assertEquals(request.kind, "help");
});

for (const args of [["cache", "--help"], ["cache", "-h"], ["cache", "help"], ["help", "cache"]]) {
  Deno.test(`parseArguments() requests a group's help when it is given ${args.join(" ")}`, async () => {
    assertEquals<unknown>(await parse(args), { kind: "help", group: "cache" });
  });
}

Deno.test("parseArguments() finds a two-word command, and its flags after it", async () => {
  const request = await parse(["cache", "clear", "--cache-dir", "a b"]);
  if (request.kind !== "run") throw new Error("it requests help");
  assertEquals([request.command, request.values.text("cache-dir")], ["cache clear", "a b"]);
});

const USAGE: Record<string, string[]> = {
  "half a command": ["cache"],
  "half a command and a flag": ["cache", "--cache-dir", "a"],
  "half a command and another word": ["cache", "empty"],
  "a two-word command as one argument": ["cache clear"],
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
  "a stray argument after --": ["sign-string", "--private-key", "a", "--", "b"],
  "a stray argument of version": ["version", "x"],
  "a flag without its value": ["sign-string", "--private-key"],
  "a flag in place of a value": ["sign-string", "--private-key", "--debug"],
  "a switch that is neither": ["sign-string", "--private-key", "a", "--debug=maybe"],
  "help of an unknown command": ["help", "nothing"],
  "a flag in capitals": ["sign-string", "--Private-Key", "a"],
  "an unknown flag named like a property": ["sign-string", "--private-key", "a", "--prototype"],
};

for (const [what, args] of Object.entries(USAGE)) {
  Deno.test(`parseArguments() throws usage in one sentence when there is ${what}`, async () => {
    const message = await refusal(...args);
    assertMatch(message, /^[^\n]+$/);
  });
}

Deno.test("parseArguments() suggests the closest name", async () => {
  assertStringIncludes(await refusal("sign-strin"), "sign-string");
  assertStringIncludes(
    await refusal("cache", "clean"),
    'unknown command "cache clean"; did you mean cache clear?',
  );
  assertStringIncludes(await refusal("cache"), "cache needs a subcommand: clear;");
  assertStringIncludes(await refusal("sign-string", "--privat-key", "a"), "--private-key");
});

const SECRET = "hunter2";
const WITH_SECRET: string[][] = [
  [SECRET],
  [`${SECRET}secret`],
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
  ["--pkcs8-password", "two", SECRET, "sign-string"],
  ["sign-string", `\u2014pkcs8-password=${SECRET}`],
  ["sign-string", `-pkcs8-password=${SECRET}`, "x"],
  ["version", `--pkcs8-password=${SECRET}`],
  ["version", "--pkcs8-password", SECRET],
  ["sign-string", "--private-key", `--pkcs8-password=${SECRET}`],
  ["sign-string", "--pkcs8-password", SECRET],
  ["sign-string", "--private-key", "a", "--pkcs8-password", SECRET, "--tpm-key-password", SECRET],
  ["sign-string", "--private-key", "a", `--PKCS8-PASSWORD=${SECRET}`],
];

for (const args of WITH_SECRET) {
  Deno.test(`parseArguments() keeps the secret out of the error of ${args.join(" ")}`, async () => {
    const message = await refusal(...args);
    assertEquals(message.includes(SECRET), false, message);
  });
}
