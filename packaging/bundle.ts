/**
 * The bundle: the program as a few scripts, and the packages it loads on use.
 *
 * A script for each command, each plugin, and what several of them share: a start then reads and
 * evaluates what it needs alone, and needs no more than a handful of files, as each costs a little.
 * They are scripts, not modules, since V8 keeps compiled code of scripts alone. `scripts.js` runs
 * them.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { type GetModuleInfo, rollup } from "rollup";
import config from "../deno.json" with { type: "json" };
import { type Command, COMMANDS } from "../src/cli/flags/flags.ts";
import { REMOVED_VARIABLES } from "../src/runtime/variables.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The script that the program starts with. */
export const FIRST_SCRIPT = "program.js";

/** The commands that connect to the service, for the loader. */
const NETWORK_COMMANDS = Object.entries<Command>(COMMANDS)
  .filter(([, { usesNetwork }]) => usesNetwork)
  .map(([name]) => name);

export const OPTIONS = {
  bundle: true,
  minify: true,
  platform: "node",
  target: "esnext",
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
  absWorkingDir: ROOT,
} as const satisfies esbuild.BuildOptions;

/** What a bundle is made of and where it goes. */
export interface BundleRequest {
  /** The module the program starts with. */
  readonly entry: string;
  /** The folder of the bundle, made anew. esbuild's metafile is written beside it. */
  readonly bundle: string;
  /** The folder with the installed packages. */
  readonly packages: string;
}

/** Makes the bundle; gives the sum of its files' sizes in bytes. */
export async function makeBundle({ entry, bundle, packages }: BundleRequest): Promise<number> {
  await Deno.remove(bundle, { recursive: true }).catch(() => {});
  await Deno.mkdir(bundle, { recursive: true });
  try {
    const onUse = new Set<string>();
    const program = await bundleProgram(entry, `${bundle}.modules`, packages, onUse);
    await mergeIntoScripts(program, bundle);
    await esbuild.build({
      bundle: true,
      entryPoints: { loader: `${ROOT}packaging/loader.js` },
      outdir: bundle,
      format: "esm",
      platform: "node",
      define: {
        NETWORK_COMMANDS: JSON.stringify(NETWORK_COMMANDS),
        REMOVED_VARIABLES: JSON.stringify(REMOVED_VARIABLES),
      },
    });
    const onUseBundle = await bundlePackages([...onUse].toSorted(), bundle, packages);
    const metafile = {
      inputs: { ...program.inputs, ...onUseBundle.inputs },
      outputs: { ...program.outputs, ...onUseBundle.outputs },
    };
    // Beside the bundle, not in it: everything in it goes into the binary.
    await Deno.writeTextFile(`${bundle}.metafile.json`, JSON.stringify(metafile));
  } finally {
    await esbuild.stop();
  }
  let size = 0;
  for await (const { name } of Deno.readDir(bundle)) {
    size += (await Deno.stat(`${bundle}/${name}`)).size;
  }
  return size;
}

/** Bundles the program's own modules; `onUse` is told of the packages it imports dynamically. */
async function bundleProgram(
  entry: string,
  outdir: string,
  packages: string,
  onUse: Set<string>,
): Promise<esbuild.Metafile> {
  await Deno.remove(outdir, { recursive: true }).catch(() => {});
  const { metafile } = await esbuild.build({
    ...OPTIONS,
    minify: false,
    entryPoints: { program: entry },
    outdir,
    splitting: true,
    format: "esm",
    plugins: [importMap(packages, (name) => {
      onUse.add(name);
      return `./${packageFile(name)}.js`;
    })],
  });
  return metafile;
}

/**
 * Merges esbuild's files, one for each set of entry points that share modules, into a few scripts.
 *
 * Measured by tests/bench/stages.ts: one script for all takes 9 % longer for `version` and 6 % longer for
 * `sign-string` with a PEM file. esbuild's modules without scripts take 5 % to 24 % longer.
 */
async function mergeIntoScripts({ outputs }: esbuild.Metafile, bundle: string): Promise<void> {
  const scripts = new Map<string, string>();
  let first: string | undefined;
  for (const [file, { entryPoint }] of Object.entries(outputs)) {
    if (!entryPoint) continue;
    first ??= file.endsWith(`/${FIRST_SCRIPT}`) ? `${ROOT}${file}` : undefined;
    scripts.set(`${ROOT}${file}`, scriptName(entryPoint));
  }
  if (!first) throw new Error("esbuild made no first script");
  const { generate, close } = await rollup({
    input: first,
    external: (name) => name.startsWith("node:") || name.startsWith("./package-"),
    plugins: [{
      name: "import-package",
      renderDynamicImport: ({ targetModuleId }) =>
        targetModuleId?.includes("/package-") ? { left: "importPackage(", right: ")" } : null,
    }],
    onwarn: ({ message }) => {
      throw new Error(message);
    },
  });
  const { output } = await generate({
    format: "cjs",
    entryFileNames: FIRST_SCRIPT,
    chunkFileNames: "[name].js",
    manualChunks: (file, { getModuleInfo }) => scriptOf(file, first, scripts, getModuleInfo),
    // The scripts are each other's only users: plain properties, known when a script has run.
    esModule: false,
    externalLiveBindings: false,
    freeze: false,
    interop: "default",
    dynamicImportInCjs: false,
    hoistTransitiveImports: false,
  });
  await close();
  for (const chunk of output) {
    if (chunk.type !== "chunk") throw new Error(`${chunk.fileName} is no script`);
    const { code } = await esbuild.transform(chunk.code, {
      minify: true,
      target: "esnext",
      format: "cjs",
      legalComments: "none",
      banner: "(function (exports, require, importPackage) {",
      footer: "})",
    });
    if (code.includes('require("./package-')) {
      throw new Error(`${chunk.fileName} would load a package, which is a module, as a script`);
    }
    await Deno.writeTextFile(`${bundle}/${chunk.fileName}`, code);
  }
}

/** `plugins/file/pkcs12.ts` is `file-pkcs12`, `plugins/file/mod.ts` is `file`. */
function scriptName(entryPoint: string): string {
  return entryPoint.replace(/^src\/cli\/commands\/|^src\/cli\/|^src\/|^plugins\//, "").replace(
    /(\/mod)?\.ts$/,
    "",
  )
    .replaceAll("/", "-");
}

/**
 * The script that a file goes into, by those that load it: its only one; the first, which is always
 * there; or one that several share: parts of one plugin, whatever signs, or commands.
 */
function scriptOf(
  file: string,
  first: string,
  scripts: ReadonlyMap<string, string>,
  getModuleInfo: GetModuleInfo,
): string {
  const users = entryPointsThatLoad(file, scripts, getModuleInfo);
  const [user, ...others] = users;
  if (users.has(first) || !user) return "program";
  const names = [user, ...others].map((name) => scripts.get(name) ?? "");
  const [name = ""] = names;
  if (others.length === 0) return name;
  const plugins = names.map((name) => PLUGINS.find((plugin) => name.split("-")[0] === plugin));
  const [plugin] = plugins;
  if (plugin && plugins.every((other) => other === plugin)) {
    return names.includes(plugin) ? plugin : `${plugin}-shared`;
  }
  return plugins.some(Boolean) || names.includes("sign_string") ? "keys" : "session";
}

const PLUGINS = [...Deno.readDirSync(`${ROOT}plugins`)].map(({ name }) => name);

/** The entry points from which static imports lead to a file. */
function entryPointsThatLoad(
  file: string,
  entryPoints: ReadonlyMap<string, string>,
  getModuleInfo: GetModuleInfo,
): ReadonlySet<string> {
  const seen = new Set([file]);
  for (const user of seen) {
    for (const importer of getModuleInfo(user)?.importers ?? []) seen.add(importer);
  }
  return new Set([...seen].filter((user) => entryPoints.has(user)));
}

/** Bundles each package that is loaded on use into a file of its own. */
export async function bundlePackages(
  names: readonly string[],
  outdir: string,
  packages: string,
): Promise<esbuild.Metafile> {
  const { metafile } = await esbuild.build({
    ...OPTIONS,
    entryPoints: Object.fromEntries(names.map((name) => [packageFile(name), name])),
    outdir,
    splitting: true,
    format: "esm",
    // CommonJS packages ask for Node's modules by require.
    banner: { js: "const require = (name) => process.getBuiltinModule(name);" },
    plugins: [importMap(packages)],
  });
  return metafile;
}

export function packageFile(name: string): string {
  return `package-${name.replace(/\.js$/, "").replace(/[^a-z0-9]+/g, "-").replace(/^-/, "")}`;
}

/**
 * Resolves the import map's names in the installed packages. `onUse` is told of packages that are
 * imported dynamically, and gives the file to import in their place.
 */
export function importMap(packages: string, onUse?: (name: string) => string): esbuild.Plugin {
  const targets: Readonly<Record<string, string>> = config.imports;
  return {
    name: "import-map",
    setup(build) {
      build.onResolve({ filter: /^[@a-z]/ }, async ({ path, kind, pluginData }) => {
        if (pluginData === "resolved") return undefined;
        const target = targets[path]?.match(/^npm:((?:@[^/]+\/)?[^@/]+)@[^/]+(\/.*)?$/);
        if (!target) return undefined;
        if (kind === "dynamic-import" && onUse) return { path: onUse(path), external: true };
        return await build.resolve(`${target[1]}${target[2] ?? ""}`, {
          kind,
          resolveDir: packages,
          pluginData: "resolved",
        });
      });
    },
  };
}
