// deno-lint-ignore-file no-console -- a benchmark prints its results
/**
 * Benchmark of the build's stages: the program built without one of them, compared with the whole program.
 *
 * Usage: deno run -A tests/bench/stages.ts
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import {
  addCodeCache,
  compile,
  installPackages,
  PACKAGES,
  prepareBase,
} from "../../packaging/build.ts";
import { importMap, makeBundle, OPTIONS, packageFile } from "../../packaging/bundle.ts";
import { median, timeRun } from "./measure.ts";
import { tokenSubject } from "./token.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FOLDER = `${ROOT}build/bench/stages`;
const ENTRY = `${ROOT}src/main.ts`;
const RUNS = 20;
const WARM_UPS = 3;

/**
 * Function that makes the bundle of a variant in a folder; returns the module that the program
 * starts with.
 */
type Variant = (folder: string) => Promise<string>;

async function whole(folder: string): Promise<string> {
  await makeBundle({ entry: ENTRY, bundle: folder, packages: PACKAGES, hasCodeCache: true });
  await addCodeCache(folder, Deno.build.target, base);
  return "loader.js";
}

async function removeFiles(folder: string, pattern: RegExp): Promise<void> {
  for (const { name } of [...Deno.readDirSync(folder)]) {
    if (pattern.test(name)) await Deno.remove(`${folder}/${name}`);
  }
}

const VARIANTS: Readonly<Record<string, Variant>> = {
  "as it is": whole,
  "without compiled code": async (folder) => {
    await makeBundle({ entry: ENTRY, bundle: folder, packages: PACKAGES });
    return "loader.js";
  },
  "without the token double": async (folder) => {
    await whole(folder);
    await removeFiles(folder, /^pkcs11.*\.cache$/);
    return "loader.js";
  },
  "one script, without Rollup": async (folder) => {
    await makeBundle({ entry: ENTRY, bundle: folder, packages: PACKAGES, hasCodeCache: true });
    await removeFiles(folder, /^(?!loader|package-|chunk-).*\.js$/);
    await esbuild.build({
      ...OPTIONS,
      entryPoints: { program: ENTRY },
      outdir: folder,
      format: "cjs",
      banner: { js: "(function (exports, require, importPackage) {const module={};" },
      footer: { js: "})" },
      plugins: [importMap(PACKAGES, (name) => `./${packageFile(name)}.js`)],
    });
    await esbuild.stop();
    await addCodeCache(folder, Deno.build.target, base);
    return "loader.js";
  },
  "modules of esbuild, without scripts": async (folder) => {
    await makeBundle({ entry: ENTRY, bundle: folder, packages: PACKAGES });
    await removeFiles(folder, /^(?!package-|chunk-).*\.js$/);
    for (const { name } of Deno.readDirSync(`${folder}.modules`)) {
      const { code } = await esbuild.transform(
        await Deno.readTextFile(`${folder}.modules/${name}`),
        { minify: true, target: "esnext", format: "esm" },
      );
      await Deno.writeTextFile(`${folder}/${name}`, code);
    }
    await esbuild.stop();
    return "program.js";
  },
};

await installPackages();
const { path: base } = await prepareBase(Deno.build.target);
const binaries = new Map<string, string>();
for (const [index, [name, make]] of Object.entries(VARIANTS).entries()) {
  const folder = `${FOLDER}/${index}`;
  const main = await make(folder);
  const output = `${FOLDER}/bin/${index}`;
  await compile(folder, main, output, Deno.build.target, base);
  binaries.set(name, output);
}
using token = await tokenSubject();
const key = `${FOLDER}/key.pem`;
await new Deno.Command("openssl", {
  args: ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key],
}).output();
const commands = [
  { name: "version", args: ["version"], env: {} },
  { name: "sign-string, EC", args: ["sign-string", "--private-key", key], env: {} },
  { name: "sign-string, SoftHSM", args: ["sign-string", ...token.flags], env: token.env },
];
console.log(`milliseconds, medians of ${RUNS} runs in turn`);
for (const { name, args, env } of commands) {
  const times = new Map([...binaries.keys()].map((variant) => [variant, [] as number[]]));
  for (let run = -WARM_UPS; run < RUNS; run++) {
    for (const [variant, binary] of binaries) {
      const elapsed = await timeRun([binary, ...args], env);
      if (run >= 0) times.get(variant)?.push(elapsed);
    }
  }
  const whole = median(times.get("as it is") ?? []);
  for (const [variant, measured] of times) {
    const figure = median(measured);
    const change = (100 * (figure / whole - 1)).toFixed(0);
    console.log(
      `${name.padEnd(22)} ${variant.padEnd(36)} ${figure.toFixed(1).padStart(6)}  ${
        change.padStart(3)
      } %`,
    );
  }
}
