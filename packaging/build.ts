// deno-lint-ignore-file no-console -- a build script prints its progress
/**
 * Builds the program: npm packages by the lock, a bundle, one binary.
 *
 * Usage: deno run -A packaging/build.ts OUTPUT [--entry FILE] [--target TARGET]
 *
 * @module
 */
import { basename, dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import config from "../deno.json" with { type: "json" };
import { baseStatus } from "./base/compare.ts";
import { withoutEarlyVariables } from "./base/environment.ts";
import { checkPayload } from "./base/payload.ts";
import { onlyFileOf } from "./base/zip.ts";
import { FIRST_SCRIPT, makeBundle } from "./bundle.ts";
import { isCodeCacheFaster, recordCodeCache } from "./code_cache.ts";
import { denortFromNpm } from "./denort.ts";
import { sourceDate } from "./source_date.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const BUILD = `${ROOT}build`;
export const PACKAGES = `${BUILD}/packages`;
/** The recorder of the code cache, and its imports. */
const RECORDER = ["recorder.js", "scripts.js", "token_double.js"] as const;

/**
 * Flags of V8. Most runs end before helper threads of the garbage collector and the baseline
 * compiler are useful. They would only slow down the start.
 */
export const V8_FLAGS = "--v8-flags=--single-threaded-gc,--no-sparkplug";

/** Input and output of a build. */
export interface BuildRequest {
  /** The module the program starts with. */
  readonly entry: string;
  /** The binary to write. */
  readonly output: string;
  /** A target of `deno compile`. */
  readonly target: string;
}

/** Builds one binary; prints one line for each step. */
export async function build(request: BuildRequest, log: (line: string) => void): Promise<void> {
  const { entry, target } = request;
  const output = addSuffix(request.output, target);
  const bundle = bundleOf(output, target);
  await installPackages();
  log(`packages: ${Object.keys(config.imports).length} by deno.lock`);
  const hasCodeCache = target === Deno.build.target && isCodeCacheFaster(Deno.version.deno);
  const bundled = await makeBundle({ entry, bundle, packages: PACKAGES, target, hasCodeCache });
  log(`bundle: ${(bundled / 1024).toFixed(0)} KiB in ${bundle.slice(ROOT.length)}`);
  const base = await prepareBase(target);
  const added = hasCodeCache
    ? await addCodeCache(bundle, target, base.path)
    : `none, ${reasonForNone(target)}`;
  log(`compiled code: ${added}`);
  const status = await compile(bundle, "loader.js", output, target, base.path);
  const program = await Deno.readFile(output);
  checkPayload(program, await Deno.readFile(`${bundle}/${FIRST_SCRIPT}`));
  const size = (program.length / 1e6).toFixed(1);
  log(`binary: ${output} (${size} MB, base binary from ${base.from}; ${status})`);
}

/** Returns the folder of a program's bundle. Programs of the same name for two systems have two. */
export function bundleOf(output: string, target: string): string {
  const folder = target === Deno.build.target ? "" : `${target}/`;
  return `${BUILD}/bundle/${folder}${basename(output)}`;
}

/** Adds `.exe` for Windows, because `deno compile` adds it too. */
function addSuffix(output: string, target: string): string {
  return target.includes("windows") && !output.endsWith(".exe") ? `${output}.exe` : output;
}

function reasonForNone(target: string): string {
  return target === Deno.build.target
    ? `because Deno ${Deno.version.deno} starts faster without it`
    : `because binaries for ${target} do not run here`;
}

/** Adds the code cache to the bundle of a target whose binaries run here. */
export async function addCodeCache(bundle: string, target: string, base: string): Promise<string> {
  const recorder = addSuffix(`${BUILD}/recorder`, target);
  for (const file of RECORDER) await Deno.copyFile(`${ROOT}packaging/${file}`, `${bundle}/${file}`);
  try {
    await compile(bundle, RECORDER[0], recorder, target, base);
  } finally {
    for (const file of RECORDER) await Deno.remove(`${bundle}/${file}`);
  }
  const size = await recordCodeCache({ recorder, folder: bundle });
  return `${(size / 1024).toFixed(0)} KiB in the binary`;
}

/** Creates a node_modules folder from the lock, in which esbuild finds packages. */
export async function installPackages(): Promise<void> {
  await Deno.mkdir(PACKAGES, { recursive: true });
  await Deno.writeTextFile(
    `${PACKAGES}/deno.json`,
    JSON.stringify({ nodeModulesDir: "auto", imports: config.imports }),
  );
  await Deno.copyFile(`${ROOT}deno.lock`, `${PACKAGES}/deno.lock`);
  await deno(["install", "--quiet", "--frozen"], {}, PACKAGES);
}

/**
 * Compiles the bundle into the base binary. Compares the base binary in the output with the pinned
 * one before anything runs it. Returns the result as text. Throws if it is refused; an earlier
 * output stays. The output is replaced in one step, because programs may run it meanwhile.
 */
export async function compile(
  bundle: string,
  main: string,
  output: string,
  target: string,
  base: string,
): Promise<string> {
  await Deno.mkdir(dirname(output), { recursive: true });
  // Deno stores the files' times in the binary, and builds of one commit must be equal.
  const date = await sourceDate();
  for await (const { name } of Deno.readDir(bundle)) {
    await Deno.utime(`${bundle}/${name}`, date, date);
  }
  // `deno compile` removes its output first, and writes for 0.3 s.
  const folder = await Deno.makeTempDir({ dir: dirname(output) });
  try {
    const compiled = `${folder}/${basename(output)}`;
    await deno(
      [
        "compile",
        "--quiet",
        "--no-config",
        "--no-lock",
        "--no-check",
        // Its cache is executed from a directory that other users can write to.
        "--no-code-cache",
        V8_FLAGS,
        "--allow-all",
        "--target",
        target,
        "--include",
        ".",
        "--output",
        resolve(compiled),
        main,
      ],
      { DENORT_BIN: base },
      bundle,
    );
    const status = await baseStatus(await Deno.readFile(compiled), target);
    await Deno.rename(compiled, output);
    return status;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Source and place of a base binary. */
interface BaseOptions {
  /** A base binary, otherwise one from Deno's host or npm. */
  readonly given?: string | undefined;
  /** Folder to write it to. */
  readonly folder: string;
}

/** Writes the base binary of a target, without the variables that the program cannot remove. */
export async function prepareBase(
  target: string,
  { given, folder }: BaseOptions = {
    given: Deno.env.get("DENORT_BIN"),
    folder: `${BUILD}/toolchain`,
  },
): Promise<{ path: string; from: string }> {
  const { bytes, from } = await findBase(target, given);
  const path = `${folder}/base-${target}`;
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeFile(path, withoutEarlyVariables(bytes, target), { mode: 0o755 });
  return { path, from };
}

/** Returns the given base binary, otherwise the one from Deno's host, otherwise from npm. */
async function findBase(
  target: string,
  given: string | undefined,
): Promise<{ bytes: Uint8Array; from: string }> {
  if (given) return { bytes: await Deno.readFile(given), from: given };
  let official: unknown;
  try {
    return { bytes: await downloadedBase(target), from: "Deno's download host" };
  } catch (thrown) {
    official = thrown;
  }
  const path = await denortFromNpm(target, `${BUILD}/toolchain`).catch((npm) => {
    throw new Error(`${messageOf(official)}; and from npm: ${messageOf(npm)}`);
  });
  return {
    bytes: await Deno.readFile(path),
    from: `npm, because Deno's download host failed: ${causeOf(official)}`,
  };
}

/** Returns the last line of an error, which is its cause. */
function causeOf(thrown: unknown): string {
  return (messageOf(thrown).trim().split("\n").at(-1) ?? "").replace(/^\s*\d+:\s*/, "");
}

/** Makes Deno download the base binary, by compiling a program, and returns its archive. */
async function downloadedBase(target: string): Promise<Uint8Array> {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${directory}/empty.js`, "");
    const args = ["compile", "--quiet", "--no-config", "--target", target, "--output", "empty"];
    await deno([...args, "empty.js"], {}, directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
  const cache = Deno.env.get("DENO_DIR") ?? `${BUILD}/deno`;
  const archive = `${cache}/dl/release/v${Deno.version.deno}/denort-${target}.zip`;
  return await onlyFileOf(await Deno.readFile(archive));
}

async function deno(
  args: string[],
  env: Record<string, string>,
  cwd: string,
): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd,
    env: { NO_COLOR: "1", ...env },
  }).output();
  if (!success) {
    const message = new TextDecoder().decode(stderr).trim();
    throw new Error(`deno ${args[0]} failed: ${message.split("\n\nStack backtrace")[0]}`);
  }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

if (import.meta.main) {
  const [output, ...rest] = Deno.args;
  const option = (name: string) => {
    const at = rest.indexOf(name);
    return at < 0 ? undefined : rest[at + 1];
  };
  if (!output) {
    console.error("usage: build.ts OUTPUT [--entry FILE] [--target TARGET]");
    Deno.exit(2);
  }
  try {
    await build({
      output: resolve(output),
      entry: resolve(option("--entry") ?? `${ROOT}src/main.ts`),
      target: option("--target") ?? Deno.build.target,
    }, (line) => console.log(line));
  } catch (thrown) {
    console.error(`build: ${messageOf(thrown)}`);
    Deno.exit(1);
  }
}
