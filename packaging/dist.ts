// deno-lint-ignore-file no-console -- a build script prints its progress
/**
 * Builds a release in build/dist: the five binaries, their checksums, and a bill of materials. It
 * adds licences, man pages and completions, and Debian packages. With RELEASE_URL, the URL of the
 * published files, it also builds the manifests of Homebrew, winget and scoop.
 *
 * Usage: deno run -A packaging/dist.ts BINARY_OF_THIS_MACHINE
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { COMPLETIONS } from "../src/cli/commands/completions.ts";
import { VERSION } from "../src/cli/commands/version.ts";
import { PROGRAM } from "../src/cli/program.ts";
import { lowestGlibc } from "./base/symbol_versions.ts";
import { build, bundleOf } from "./build.ts";
import { FIRST_SCRIPT } from "./bundle.ts";
import { readChanges, releaseNotes } from "./dist/changelog.ts";
import { checkBinary } from "./dist/check_binary.ts";
import { writeDebianPackage } from "./dist/debian.ts";
import { bundledPackages, thirdPartyLicenses } from "./dist/licenses.ts";
import { packageManifests } from "./dist/manifests.ts";
import { writeSbom } from "./dist/sbom.ts";
import { manPages } from "./man.ts";
import { sha256 } from "./sha256.ts";
import { sourceDate } from "./source_date.ts";
import { fileNameOf, type Target, TARGETS } from "./targets.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const BUILD = `${ROOT}build`;
const DIST = `${BUILD}/dist`;

async function main(ownBinary: string): Promise<void> {
  Deno.umask(0o022); // the modes of files and folders are those of the Debian package, too
  const date = await sourceDate();
  await Deno.remove(DIST, { recursive: true }).catch(() => {});
  await Deno.mkdir(DIST, { recursive: true });
  const sums = new Map<string, string>();
  for (const target of TARGETS) {
    const file = fileNameOf(target);
    sums.set(file, await writeBinary(target, `${DIST}/${file}`, ownBinary));
  }

  const metafile = `${bundleOf(ownBinary, Deno.build.target)}.metafile.json`;
  const { inputs } = JSON.parse(await Deno.readTextFile(metafile));
  const packages = await bundledPackages(Object.keys(inputs), ROOT);
  await Deno.writeTextFile(`${DIST}/THIRD-PARTY-LICENSES`, await thirdPartyLicenses(packages));
  const sbom = `${DIST}/${PROGRAM}.cdx.json`;
  await writeSbom({ root: ROOT, folder: `${BUILD}/sbom`, metafile, output: sbom, date });
  console.log(`sbom and licences: ${packages.length} packages and the runtime`);

  await write("RELEASE_NOTES.md", releaseNotes(PROGRAM, VERSION, await readChanges(ROOT)));
  for (const [name, page] of manPages(date)) await write(`man/${name}`, page);
  for (const [shell, script] of Object.entries(COMPLETIONS)) {
    await write(`completions/${COMPLETION_FILES[shell]}`, script());
  }
  for (const target of TARGETS) {
    if (!target.debian) continue;
    const file = await writeDebianPackage({ root: ROOT, dist: DIST, target, date });
    console.log(`debian package: ${file}`);
  }
  const url = Deno.env.get("RELEASE_URL");
  if (!url) {
    console.log(
      "homebrew, winget, scoop: none, because RELEASE_URL is not set",
    );
  } else for (const [name, text] of packageManifests({ url, sums, date })) await write(name, text);
  await writeSums();
}

/** File name of the completions for each shell. */
const COMPLETION_FILES: Readonly<Record<string, string>> = {
  bash: PROGRAM,
  zsh: `_${PROGRAM}`,
  fish: `${PROGRAM}.fish`,
  powershell: `${PROGRAM}.ps1`,
};

/** Builds one binary, or uses the one that `make` built for this machine; returns its checksum. */
async function writeBinary(target: Target, output: string, ownBinary: string): Promise<string> {
  const isOwn = target.deno === Deno.build.target;
  if (isOwn) await Deno.copyFile(ownBinary, output);
  else await build({ entry: `${ROOT}src/main.ts`, output, target: target.deno }, () => {});
  const bundle = bundleOf(isOwn ? ownBinary : output, target.deno);
  const binary = await Deno.readFile(output);
  await checkBinary(output, binary, await Deno.readFile(`${bundle}/${FIRST_SCRIPT}`), target);
  const floor = target.format === "elf" ? `, glibc ${lowestGlibc(binary)} or later` : "";
  console.log(`${output.slice(ROOT.length)}: ${(binary.length / 1e6).toFixed(1)} MB${floor}`);
  return await sha256(binary);
}

async function write(name: string, text: string): Promise<void> {
  const path = `${DIST}/${name}`;
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  await Deno.writeTextFile(path, text);
}

/** Returns checksums of the files in the release's folder itself, in the format of `sha256sum -c`. */
async function writeSums(): Promise<void> {
  const names: string[] = [];
  for await (const { name, isFile } of Deno.readDir(DIST)) if (isFile) names.push(name);
  const lines = await Promise.all(
    names.toSorted().map(async (name) =>
      `${await sha256(await Deno.readFile(`${DIST}/${name}`))}  ${name}\n`
    ),
  );
  await Deno.writeTextFile(`${DIST}/SHA256SUMS`, lines.join(""));
}

if (import.meta.main) {
  const [ownBinary] = Deno.args;
  if (!ownBinary) {
    console.error("usage: dist.ts BINARY_OF_THIS_MACHINE");
    Deno.exit(2);
  }
  try {
    await main(ownBinary);
  } catch (thrown) {
    console.error(`dist: ${thrown instanceof Error ? thrown.message : thrown}`);
    Deno.exit(1);
  }
}
