/**
 * Bundle: the program as a few scripts, and the packages that it loads on demand.
 *
 * There is a script for each command, each plugin, and shared parts. So a run reads and evaluates only
 * what it needs, and few files, because each file costs a little. They are scripts, not modules, because
 * V8's code cache supports scripts only. `scripts.js` runs them.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { rollup } from "rollup";
import config from "../deno.json" with { type: "json" };
import { type Command, COMMANDS } from "../src/cli/flags/flags.ts";
import { REMOVED_VARIABLES } from "../src/runtime/variables.ts";
import { scriptName, scriptOf } from "./script_partition.ts";

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

/** Input and output of a bundle. */
export interface BundleRequest {
  /** The module the program starts with. */
  readonly entry: string;
  /** The folder of the bundle, which is replaced. esbuild's metafile is written next to it. */
  readonly bundle: string;
  /** The folder with the installed packages. */
  readonly packages: string;
  /** The target of `deno compile`; default this system. Code for other systems is left out. */
  readonly target?: string;
  /** True if a code cache for V8 is added to the bundle. */
  readonly hasCodeCache?: boolean;
}

/** `Deno.build.os` by a part of the target's name. */
const SYSTEMS = ["linux", "darwin", "windows"] as const;

/** Makes the bundle; returns the total size of its files in bytes. */
export async function makeBundle(request: BundleRequest): Promise<number> {
  const { bundle, packages, hasCodeCache = false } = request;
  await Deno.remove(bundle, { recursive: true }).catch(() => {});
  await Deno.mkdir(bundle, { recursive: true });
  try {
    const onDemand = new Set<string>();
    const program = await bundleProgram(request, onDemand);
    await mergeIntoScripts(program, bundle);
    await esbuild.build({
      bundle: true,
      entryPoints: { loader: `${ROOT}packaging/loader.js` },
      outdir: bundle,
      // Deno reads it in each run: 1 ms less with Deno 2.9.
      minify: true,
      // esbuild writes comments with paths that are relative to this folder.
      absWorkingDir: ROOT,
      format: "esm",
      platform: "node",
      define: {
        NETWORK_COMMANDS: JSON.stringify(NETWORK_COMMANDS),
        REMOVED_VARIABLES: JSON.stringify(REMOVED_VARIABLES),
        HAS_CODE_CACHE: String(hasCodeCache),
      },
    });
    const packageBundle = await bundlePackages([...onDemand].toSorted(), bundle, packages);
    const metafile = {
      inputs: { ...program.inputs, ...packageBundle.inputs },
      outputs: { ...program.outputs, ...packageBundle.outputs },
    };
    // Next to the bundle, because everything in it goes into the binary.
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

/** Bundles the program's own modules; adds the packages that it imports dynamically to `onDemand`. */
async function bundleProgram(
  { entry, bundle, packages, target = Deno.build.target }: BundleRequest,
  onDemand: Set<string>,
): Promise<esbuild.Metafile> {
  const outdir = `${bundle}.modules`;
  const system = SYSTEMS.find((name) => target.includes(name));
  if (!system) throw new Error(`${target} is not a target`);
  await Deno.remove(outdir, { recursive: true }).catch(() => {});
  const { metafile } = await esbuild.build({
    ...OPTIONS,
    minify: false,
    entryPoints: { program: entry },
    outdir,
    splitting: true,
    format: "esm",
    define: { "Deno.build.os": JSON.stringify(system) },
    plugins: [
      usedParts(),
      importMap(packages, (name) => {
        onDemand.add(name);
        return `./${packageFile(name)}.js`;
      }),
    ],
  });
  return metafile;
}

/**
 * Merges esbuild's files, one for each set of entry points that share modules, into a few scripts.
 *
 * Measured by tests/bench/stages.ts: one script for all takes 9 % longer for `version`. For
 * `sign-string` with a PEM file it takes 6 % longer. esbuild's modules without scripts take 5 % to
 * 24 % longer.
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
    onwarn: ({ code, message }) => {
      // Of functions that only other systems use, whose code is left out.
      if (code !== "UNUSED_EXTERNAL_IMPORT") throw new Error(message);
    },
  });
  const { output } = await generate({
    format: "cjs",
    entryFileNames: FIRST_SCRIPT,
    chunkFileNames: "[name].js",
    manualChunks: (file, { getModuleInfo }) => scriptOf(file, first, scripts, getModuleInfo),
    // Only the scripts use the exports, so they are plain properties, complete when a script has run.
    esModule: false,
    externalLiveBindings: false,
    freeze: false,
    interop: "default",
    dynamicImportInCjs: false,
    hoistTransitiveImports: false,
  });
  await close();
  for (const chunk of output) {
    if (chunk.type !== "chunk") throw new Error(`${chunk.fileName} is not a script`);
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

/** Bundles each package that is loaded on demand into its own file. */
async function bundlePackages(
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
    // CommonJS packages load Node's modules by require.
    banner: { js: "const require = (name) => process.getBuiltinModule(name);" },
    plugins: [importMap(packages)],
  });
  return metafile;
}

export function packageFile(name: string): string {
  return `package-${name.replace(/\.js$/, "").replace(/[^a-z0-9]+/g, "-").replace(/^-/, "")}`;
}

/** Replaces two tables by the parts that the program uses; each run would read the rest. */
function usedParts(): esbuild.Plugin {
  const names = JSON.stringify(REMOVED_VARIABLES);
  const modules: readonly (readonly [RegExp, string])[] = [
    [/[\\/]src[\\/]runtime[\\/]variables\.ts$/, `export const REMOVED_VARIABLES = ${names};`],
    [/[\\/]deno\.json$/, `export default ${JSON.stringify({ version: config.version })};`],
  ];
  return {
    name: "used-parts",
    setup(build) {
      for (const [filter, contents] of modules) build.onLoad({ filter }, () => ({ contents }));
    },
  };
}

/**
 * Resolves the import map's names in the installed packages. `onDemand` gets packages that are imported
 * dynamically, and returns the file to import instead.
 */
export function importMap(packages: string, onDemand?: (name: string) => string): esbuild.Plugin {
  const targets: Readonly<Record<string, string>> = config.imports;
  return {
    name: "import-map",
    setup(build) {
      build.onResolve({ filter: /^[@a-z]/ }, async ({ path, kind, pluginData }) => {
        if (pluginData === "resolved") return undefined;
        const target = targets[path]?.match(/^npm:((?:@[^/]+\/)?[^@/]+)@[^/]+(\/.*)?$/);
        if (!target) return undefined;
        if (kind === "dynamic-import" && onDemand) return { path: onDemand(path), external: true };
        return await build.resolve(`${target[1]}${target[2] ?? ""}`, {
          kind,
          resolveDir: packages,
          pluginData: "resolved",
        });
      });
    },
  };
}
