/**
 * Bill of materials (CycloneDX 1.6, JSON). The tool, `@cyclonedx/cyclonedx-esbuild`, reads the contents
 * of the bundle from esbuild. Tools that read a lock would also list packages for builds and tests only,
 * and they do not support deno.lock.
 *
 * @module
 */
import { PROGRAM } from "../../src/cli/program.ts";
import { VERSION } from "../../src/cli/commands/version.ts";
import { runTool } from "./run_tool.ts";

/** Writes `output` from esbuild's metafile. The tool is installed in `folder`. */
export async function writeSbom(
  { root, folder, metafile, output, date }: {
    readonly root: string;
    readonly folder: string;
    readonly metafile: string;
    readonly output: string;
    readonly date: Date;
  },
): Promise<void> {
  await installTool(`${root}packaging/sbom`, folder);
  await runTool(
    `${folder}/node_modules/.bin/cyclonedx-esbuild`,
    [
      "--output-reproducible",
      "--gather-license-texts",
      "--spec-version",
      "1.6",
      "-o",
      output,
      metafile,
    ],
    { cwd: root },
  );
  await runTool("node", [
    `${root}packaging/sbom/finish.mjs`,
    output,
    PROGRAM,
    VERSION,
    Deno.version.deno,
    date.toISOString(),
  ], { cwd: folder });
}

async function installTool(source: string, folder: string): Promise<void> {
  const lock = await Deno.readTextFile(`${source}/package-lock.json`);
  const installed = `${folder}/installed-lock.json`;
  if (await Deno.readTextFile(installed).catch(() => "") === lock) return;
  await Deno.mkdir(folder, { recursive: true });
  for (const name of ["package.json", "package-lock.json"]) {
    await Deno.copyFile(`${source}/${name}`, `${folder}/${name}`);
  }
  await runTool("npm", [
    "ci",
    "--prefix",
    folder,
    "--no-audit",
    "--no-fund",
    "--ignore-scripts",
    "--silent",
  ]);
  await Deno.writeTextFile(installed, lock);
}
