/**
 * Directions of imports between the layers, checked over every source file as `deno fmt` writes it.
 * Statements begin at the start of a line, and specifiers are in double quotes.
 */
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import { assertEquals, assertGreater } from "@std/assert";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The layers of `src`: each may import itself and those after it. */
const LAYERS = [
  "cli",
  "imds",
  "credentials",
  "sts",
  "rolesanywhere",
  "http",
  "keystore",
  "x509",
  "runtime",
  "files",
  "timeout.ts",
  "bytes.ts",
  "path.ts",
  "errors.ts",
];
/** Parts of `src` that a plugin may import. */
const PLUGIN_LAYERS = ["keystore", "x509", "files", "timeout.ts", "bytes.ts", "errors.ts"];
/** The rooms of plugins that have some, each may import itself and those after it; "" is the plugin's own folder. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  pkcs11: ["", "search", "login", "objects", "uri", "module", "cryptoki"],
  tpm: ["", "keys", "auth", "commands", "tss", "structures"],
};
/** The program itself, which wires plugins to the registry. */
const MAIN = "src/main.ts";
/** Files that every layer may import: the version of the program. */
const CONFIGURATION = "deno.json";

/** Text of each file by its path below the root, with slashes. */
type Sources = ReadonlyMap<string, string>;

interface Import {
  /** As written: a path or a package. */
  readonly specifier: string;
  readonly dynamic: boolean;
}

/** Returns the violations in `sources`, one sentence each. */
function violations(sources: Sources): string[] {
  const found: string[] = [];
  for (const [file, text] of sources) {
    const code = withoutComments(text);
    for (const { specifier, dynamic } of importsOf(code)) {
      const why = forbidden(file, specifier, dynamic, sources);
      if (why) found.push(`${file} imports ${specifier}: ${why}`);
    }
    if (/\bimport\((?!\s*")/.test(code)) found.push(`${file}: a computed import`);
    if (file !== MAIN && /\bDeno\s*\.\s*exit\b/.test(code)) found.push(`${file}: Deno.exit`);
    if (opensLibraryAtTopLevel(code)) found.push(`${file}: Deno.dlopen when it is loaded`);
  }
  return [...found, ...cycles(sources)];
}

/** Removes whole-line comments; those after code do not contain an import statement. */
function withoutComments(text: string): string {
  return text.split("\n").filter((line) => !/^\s*(\/\/|\/\*|\*)/.test(line)).join("\n");
}

function importsOf(code: string): Import[] {
  const of = (pattern: RegExp, dynamic: boolean) =>
    [...code.matchAll(pattern)].map(([, specifier = ""]) => ({ specifier, dynamic }));
  return [
    ...of(/^(?:import|export)\b[^;"]*?\bfrom "([^"]+)"/gm, false),
    ...of(/^import "([^"]+)"/gm, false),
    ...of(/\bimport\(\s*"([^"]+)"/g, true),
  ];
}

const isRelative = (specifier: string) => /^\.\.?\//.test(specifier);

const targetOf = (file: string, specifier: string) => join(dirname(file), specifier);

function forbidden(
  file: string,
  specifier: string,
  dynamic: boolean,
  sources: Sources,
): string | undefined {
  if (!isRelative(specifier)) {
    return /^(\/|file:|https?:)/.test(specifier) ? "neither relative nor a package" : undefined;
  }
  const target = targetOf(file, specifier);
  if (target === CONFIGURATION) return undefined;
  if (!sources.has(target)) return "no such file in src or plugins";
  if (target === MAIN) return "the program is nobody's module";
  if (target.startsWith("plugins/")) {
    if (file === MAIN) return dynamic ? undefined : "a plugin must be loaded when it is used";
    if (pluginOf(file) !== pluginOf(target)) return "only main.ts may import a plugin";
    return isForward(file, target) ? undefined : `${roomOf(file)} may not know ${roomOf(target)}`;
  }
  const layer = layerOf(target);
  if (pluginOf(file)) {
    return PLUGIN_LAYERS.includes(layer) ? undefined : `a plugin may not know ${layer}`;
  }
  if (file === MAIN) return undefined;
  const [from, to] = [LAYERS.indexOf(layerOf(file)), LAYERS.indexOf(layer)];
  if (from < 0 || to < 0) return "a layer without a place in the order";
  return from <= to ? undefined : `${layerOf(file)} may not know ${layer}`;
}

const layerOf = (file: string) => file.split("/")[1] ?? "";

const pluginOf = (file: string) => /^plugins\/([^/]+)\//.exec(file)?.[1];

/** Returns the room of a plugin's file: its folder in the plugin's. */
const roomOf = (file: string) => file.split("/").slice(2, -1).join("/");

function isForward(file: string, target: string): boolean {
  const rooms = ROOMS[pluginOf(file) ?? ""] ?? [""];
  const [from, to] = [rooms.indexOf(roomOf(file)), rooms.indexOf(roomOf(target))];
  return from >= 0 && to >= 0 && from <= to;
}

/** Returns true for a `Deno.dlopen` outside of every function, method and class. */
function opensLibraryAtTopLevel(code: string): boolean {
  // A statement at the top begins in the first column, with anything but a closing bracket.
  return code.split(/^(?=[^\s)}\]])/m).some((statement) => {
    const [before, after] = statement.split(/\bDeno\s*\.\s*dlopen\b/, 2);
    return after !== undefined && !/=>|\bfunction\b|\bclass\b/.test(before ?? "");
  });
}

/** Returns every cycle of static and type imports once, from its first file in the alphabet. */
function cycles(sources: Sources): string[] {
  const found = new Set<string>();
  const finished = new Set<string>();
  const visit = (file: string, path: string[]) => {
    const start = path.indexOf(file);
    if (start >= 0) {
      const circle = path.slice(start);
      const first = circle.indexOf(circle.toSorted()[0] ?? "");
      const turned = [...circle.slice(first), ...circle.slice(0, first)];
      found.add(`a circle of imports: ${[...turned, turned[0]].join(" → ")}`);
      return;
    }
    if (finished.has(file)) return;
    for (const { specifier } of importsOf(withoutComments(sources.get(file) ?? ""))) {
      const target = targetOf(file, specifier);
      if (isRelative(specifier) && sources.has(target)) visit(target, [...path, file]);
    }
    finished.add(file);
  };
  for (const file of [...sources.keys()].toSorted()) visit(file, []);
  return [...found];
}

function readSources(...folders: string[]): Sources {
  const sources = new Map<string, string>();
  const visit = (folder: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(folder)) {
      const path = join(folder, name);
      if (isDirectory) visit(path);
      else if (name.endsWith(".ts") && !name.endsWith(".d.ts")) {
        sources.set(relative(ROOT, path).replaceAll("\\", "/"), Deno.readTextFileSync(path));
      }
    }
  };
  for (const folder of folders) visit(join(ROOT, folder));
  return sources;
}

const REAL = readSources("src", "plugins");

Deno.test("every source file keeps to the directions of the layers", () => {
  assertGreater(REAL.size, 30);
  assertEquals(violations(REAL), []);
});

Deno.test("main.ts loads every plugin, by a literal import", () => {
  const loaded = importsOf(REAL.get(MAIN) ?? "").filter(({ dynamic }) => dynamic)
    .map(({ specifier }) => targetOf(MAIN, specifier))
    .filter((target) => target.startsWith("plugins/"));
  const plugins = new Set([...REAL.keys()].flatMap((file) => pluginOf(file) ?? []));
  assertEquals(loaded.toSorted(), [...plugins].map((name) => `plugins/${name}/mod.ts`).toSorted());
});

/** Files without violations, to which the tests add some. */
const SOUND: Record<string, string> = {
  "src/main.ts":
    'import { run } from "./cli/run.ts";\nimport("../plugins/a/mod.ts");\nDeno.exit(0);',
  "src/cli/run.ts": 'import type { K } from "../keystore/k.ts";\nimport c from "../../deno.json";',
  "src/imds/app.ts": 'import {\n  session,\n} from "../credentials/session.ts";',
  "src/credentials/session.ts": 'import { sign } from "../rolesanywhere/sign.ts";',
  "src/rolesanywhere/sign.ts": 'import { K } from "../keystore/k.ts";\nimport "node:http";',
  "src/keystore/k.ts": 'import { der } from "../x509/der.ts";\n// import "../cli/run.ts";',
  "src/x509/der.ts": 'export { HelperError } from "../errors.ts";\n/** Deno.exit(1) */',
  "src/errors.ts": "export const a = 1;",
  "plugins/a/mod.ts":
    'import { K } from "../../src/keystore/k.ts";\nimport { open } from "./ffi.ts";\n',
  "plugins/a/ffi.ts":
    "export function open() {\n  return Deno.dlopen(path);\n}\nconst later = () => Deno.dlopen(path);\n",
  "plugins/b/mod.ts": "export const keystore = 1;",
  "plugins/tpm/mod.ts": 'import { sign } from "./keys/signer.ts";',
  "plugins/tpm/keys/signer.ts": 'import { wire } from "../structures/wire.ts";',
  "plugins/tpm/structures/wire.ts": "export const wire = 1;",
};

Deno.test("violations() finds none in files that are in order", () => {
  assertEquals(violations(new Map(Object.entries(SOUND))), []);
});

const PLANTED: [string, string, string][] = [
  ["src/x509/der.ts", 'import { K } from "../keystore/k.ts";', "x509 may not know keystore"],
  ["src/x509/der.ts", 'import type { K } from "../keystore/k.ts";', "x509 may not know keystore"],
  ["src/x509/der.ts", 'export * from "../keystore/k.ts";', "x509 may not know keystore"],
  ["src/x509/der.ts", 'import "../keystore/k.ts";', "x509 may not know keystore"],
  ["src/x509/der.ts", 'import {\n  a,\n  b,\n} from "../keystore/k.ts";', "may not know keystore"],
  ["src/x509/der.ts", 'const k = await import("../keystore/k.ts");', "may not know keystore"],
  ["src/x509/der.ts", 'type K = import("../keystore/k.ts").K;', "may not know keystore"],
  ["src/errors.ts", 'import { der } from "./x509/der.ts";', "errors.ts may not know x509"],
  ["src/keystore/k.ts", 'import { run } from "../cli/run.ts";', "keystore may not know cli"],
  ["src/credentials/session.ts", 'import { a } from "../imds/app.ts";', "may not know imds"],
  ["src/cli/run.ts", 'import { open } from "../../plugins/a/mod.ts";', "only main.ts"],
  ["src/cli/run.ts", 'import("../../plugins/a/mod.ts");', "only main.ts"],
  ["src/main.ts", 'import { open } from "../plugins/a/mod.ts";', "loaded when it is used"],
  ["src/cli/run.ts", 'import { world } from "../main.ts";', "nobody's module"],
  ["src/cli/run.ts", "await import(name);", "a computed import"],
  ["src/cli/run.ts", "await import(`../x509/der.ts`);", "a computed import"],
  ["src/cli/run.ts", "  Deno.exit(1);", "Deno.exit"],
  ["plugins/a/mod.ts", 'import { run } from "../../src/cli/run.ts";', "may not know cli"],
  ["plugins/a/mod.ts", 'import { s } from "../../src/rolesanywhere/sign.ts";', "may not know"],
  ["plugins/a/mod.ts", 'import { k } from "../b/mod.ts";', "only main.ts"],
  ["plugins/a/mod.ts", 'import { k } from "./missing.ts";', "no such file"],
  ["plugins/tpm/structures/wire.ts", 'import "../keys/signer.ts";', "structures may not know keys"],
  ["plugins/a/mod.ts", 'import { k } from "/etc/k.ts";', "neither relative nor a package"],
  ["plugins/a/mod.ts", "const library = Deno.dlopen(path, {});", "Deno.dlopen when it is loaded"],
  ["plugins/a/mod.ts", "const all = {\n  library: Deno.dlopen(path),\n};", "Deno.dlopen when"],
  [
    "plugins/a/ffi.ts",
    'import type { k } from "./mod.ts";',
    "a circle of imports: plugins/a/ffi.ts",
  ],
];

for (const [file, planted, message] of PLANTED) {
  Deno.test(`violations() finds ${JSON.stringify(planted)} in ${file}`, () => {
    const sources = new Map(Object.entries(SOUND));
    sources.set(file, `${sources.get(file)}\n${planted}\n`);
    const found = violations(sources);
    assertEquals(found.some((sentence) => sentence.includes(message)), true, found.join("\n"));
  });
}
