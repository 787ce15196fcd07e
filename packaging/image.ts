// deno-lint-ignore-file no-console -- a build script prints its progress
/**
 * Container images (OCI image layout), built by umoci without a daemon. build/image gets one archive for
 * each processor, with a tag for each variant.
 *
 * Usage: deno run -A packaging/image.ts; needs root, mmdebstrap and umoci (Debian packages), and
 * the output of `make dist`.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { PROGRAM } from "../src/cli/program.ts";
import { VERSION } from "../src/cli/commands/version.ts";
import { DESCRIPTION, LICENSE } from "./dist/manifests.ts";
import { runTool } from "./dist/run_tool.ts";
import { USER, type Variant, VARIANTS, writeLibraries, writeSurroundings } from "./image/root.ts";
import { sourceDate } from "./source_date.ts";
import { fileNameOf, type Target, TARGETS } from "./targets.ts";

const BUILD = fileURLToPath(new URL("../build", import.meta.url));
const IMAGES = `${BUILD}/image`;
const PROGRAM_PATH = `/usr/bin/${PROGRAM}`;

/** Returns the file name of the image archive for a processor, by its name in registries. */
export function archiveOf(architecture: string): string {
  return `${PROGRAM}-${VERSION}-image-${architecture}.tar`;
}

/** Returns the tag of a variant's image. */
export function tagOf({ suffix }: Variant): string {
  return `${VERSION}${suffix}`;
}

async function writeImages(target: Target, architecture: string, date: Date): Promise<void> {
  // 150 MB: /tmp may be small.
  const work = await Deno.makeTempDir({ dir: BUILD, prefix: "image-" });
  try {
    const layout = `${work}/layout`;
    const [base, ...others] = VARIANTS;
    await runTool("umoci", ["init", "--layout", layout]);
    const image = `${layout}:${tagOf(base)}`;
    await runTool("umoci", ["new", "--image", image]);
    await writeLibraries(base, architecture, `${work}/base`);
    await writeSurroundings(`${work}/base`);
    await insert(image, `${work}/base`, "/", date);
    const binary = `${work}/${PROGRAM}`;
    await Deno.copyFile(`${BUILD}/dist/${fileNameOf(target)}`, binary);
    await Deno.chmod(binary, 0o755);
    await insert(image, binary, PROGRAM_PATH, date);
    await configure(image, architecture, date);
    for (const variant of others) {
      await runTool("umoci", ["tag", "--image", image, tagOf(variant)]);
      await writeLibraries(variant, architecture, `${work}/variant`);
      await removeFilesOfBase(`${work}/variant`, `${work}/base`);
      await insert(`${layout}:${tagOf(variant)}`, `${work}/variant`, "/", date);
      await Deno.remove(`${work}/variant`, { recursive: true });
    }
    await runTool("umoci", ["gc", "--layout", layout]);
    await Deno.mkdir(IMAGES, { recursive: true });
    await runTool("tar", [
      "-C",
      layout,
      "--sort=name",
      "--owner=0",
      "--group=0",
      `--mtime=@${date.getTime() / 1000}`,
      "-cf",
      `${IMAGES}/${archiveOf(architecture)}`,
      ".",
    ]);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Adds a layer; its files have the source's time. */
async function insert(image: string, from: string, to: string, date: Date): Promise<void> {
  await runTool("find", [from, "-exec", "touch", "-h", "-d", date.toISOString(), "{}", "+"]);
  await runTool("umoci", [
    "insert",
    "--image",
    image,
    `--history.created=${date.toISOString().replace(/\.\d+/, "")}`,
    from,
    to,
  ]);
}

async function configure(image: string, architecture: string, date: Date): Promise<void> {
  const labels = {
    title: PROGRAM,
    version: VERSION,
    licenses: LICENSE,
    description: DESCRIPTION,
  };
  await runTool("umoci", [
    "config",
    "--image",
    image,
    "--os=linux",
    `--architecture=${architecture}`,
    `--created=${date.toISOString().replace(/\.\d+/, "")}`,
    "--no-history",
    `--config.user=${USER}:${USER}`,
    `--config.entrypoint=${PROGRAM_PATH}`,
    "--config.workingdir=/home/nonroot",
    // No HOME: it follows the user that a pod runs as, by /etc/passwd.
    "--config.env=PATH=/usr/local/bin:/usr/bin",
    ...Object.entries(labels).map(([name, value]) =>
      `--config.label=org.opencontainers.image.${name}=${value}`
    ),
  ]);
}

/** Removes the files of the base from a variant's layer. */
async function removeFilesOfBase(folder: string, base: string): Promise<void> {
  const files = (await runTool("find", [folder, "-not", "-type", "d"])).split("\n");
  for (const file of files) {
    const existing = await Deno.lstat(base + file.slice(folder.length)).catch(() => undefined);
    if (existing) await Deno.remove(file);
  }
}

if (import.meta.main) {
  Deno.umask(0o022); // the modes of files and folders are the image's
  try {
    const date = await sourceDate();
    await Deno.remove(IMAGES, { recursive: true }).catch(() => {});
    for (const target of TARGETS) {
      if (!target.debian) continue;
      await writeImages(target, target.debian, date);
      const { size } = await Deno.stat(`${IMAGES}/${archiveOf(target.debian)}`);
      const tags = VARIANTS.map(tagOf).join(", ");
      console.log(
        `build/image/${archiveOf(target.debian)}: ${(size / 1e6).toFixed(1)} MB, ${tags}`,
      );
    }
  } catch (thrown) {
    console.error(`image: ${thrown instanceof Error ? thrown.message : thrown}`);
    Deno.exit(1);
  }
}
