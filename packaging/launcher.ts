/**
 * Program for `deno run`: the bundle, and a script that starts it with the Deno that runs this file. The
 * tests run it where no base binary of a version of Deno can be had (`make test-runtime`).
 *
 * Usage: deno run -A packaging/launcher.ts FOLDER
 *
 * @module
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { PROGRAM } from "../src/cli/program.ts";
import { installPackages, PACKAGES, V8_FLAGS } from "./build.ts";
import { makeBundle } from "./bundle.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Writes the bundle and the script, which is named like the program, to a folder. */
async function writeLauncher(folder: string): Promise<void> {
  const bundle = `${folder}/bundle`;
  await installPackages();
  await makeBundle({ entry: `${ROOT}src/main.ts`, bundle, packages: PACKAGES });
  const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  const path = `${folder}/${PROGRAM}`;
  // DENO_DIR does not exist: nothing is written there, as with the compiled program.
  await Deno.writeTextFile(
    path,
    `#!/bin/sh
DENO_DIR=/proc/nonexistent DENO_NO_UPDATE_CHECK=1 exec ${
      quoted(await Deno.realPath(Deno.execPath()))
    } \\
  run --quiet --no-config --no-lock --no-prompt --no-code-cache --allow-all \\
  ${V8_FLAGS} ${quoted(`${bundle}/loader.js`)} "$@"
`,
  );
  await Deno.chmod(path, 0o755);
}

await writeLauncher(resolve(Deno.args[0] ?? "build/runtime"));
