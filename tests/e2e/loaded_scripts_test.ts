import { assertEquals } from "@std/assert";

import { testWith } from "../support/needs.ts";

const BUNDLE = new URL("../../build/bundle/aws_signing_helper/", import.meta.url);

/** Returns the scripts that each script loads at once, not on demand. */
function readImports(): ReadonlyMap<string, readonly string[]> {
  const imports = new Map<string, readonly string[]>();
  for (const { name } of Deno.readDirSync(BUNDLE)) {
    if (!/^(?!package-|chunk-|loader).*\.js$/.test(name)) continue;
    const text = Deno.readTextFileSync(new URL(name, BUNDLE));
    const atOnce = text.matchAll(/(?<!return )require\("\.\/([^"]+)"\)/g);
    imports.set(name, [...atOnce].map(([, script = ""]) => script));
  }
  return imports;
}

/** Returns these scripts and all that they load. */
function closure(
  imports: ReadonlyMap<string, readonly string[]>,
  scripts: readonly string[],
): ReadonlySet<string> {
  const loaded = new Set(scripts);
  for (const script of loaded) imports.get(script)?.forEach((other) => loaded.add(other));
  return loaded;
}

testWith(["binary"], "no script loads one that loads it", () => {
  const imports = readImports();
  assertEquals(imports.has("program.js"), true);
  for (const [script, others] of imports) {
    assertEquals(closure(imports, others).has(script), false, script);
  }
});

/** Scripts that a run loads, and those of the others that it must not. */
const RUNS: Readonly<Record<string, readonly [loads: readonly string[], not: RegExp]>> = {
  "version": [["program.js"], /./],
  "a cached session": [
    ["program.js", "credential_process.js", "cached_session.js"],
    /^(keys|session|services|plugins|file|sign_string)\.js$/,
  ],
  "sign-string with a file": [
    ["program.js", "sign_string.js", "file.js"],
    /^(session|services|plugins|requests|cache)\.js$/,
  ],
  "credential-process with files": [
    ["program.js", "credential_process.js", "vend_session.js", "file.js"],
    /^(services|plugins|cache)\.js$/,
  ],
};

for (const [run, [loads, not]] of Object.entries(RUNS)) {
  testWith(["binary"], `${run} loads no script of other runs`, () => {
    const imports = readImports();
    assertEquals(loads.filter((script) => !imports.has(script)), []);
    const others = [...closure(imports, loads)].filter((script) => !loads.includes(script));
    assertEquals(others.filter((script) => not.test(script)), []);
  });
}
