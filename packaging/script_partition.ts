/**
 * Partition of the program into scripts. A run loads the script of its command, those of its
 * plugins, and the shared ones that they name.
 *
 * @module
 */
import type { GetModuleInfo } from "rollup";

/** Returns `file-pkcs12` for `plugins/file/pkcs12.ts`, and `file` for `plugins/file/mod.ts`. */
export function scriptName(entryPoint: string): string {
  return entryPoint.replace(/^src\/cli\/commands\/|^src\/cli\/|^src\/|^plugins\//, "").replace(
    /(\/mod)?\.ts$/,
    "",
  )
    .replaceAll("/", "-");
}

/**
 * Scripts of files that several scripts load, by their users; the first match decides. So typical runs
 * load little that they do not use.
 *
 * A file's imports are loaded by at least the same scripts. So scripts do not import each other in
 * a circle.
 */
const SHARED_SCRIPTS: readonly (readonly [string, (loadedBy: Users) => boolean])[] = [
  // For flags, files and sources, which a cached session needs too.
  [
    "inputs",
    (by) => (by("credential_process") || by("cached_session")) && (by("sign_string") || by("file")),
  ],
  ["keys", (by) => by("sign_string") || by("file")],
  ["requests", (by) => by("credential_process")],
  ["cache", (by) => by("cached_session")],
  ["session", (by) => by("vend_session")],
  ["plugins", (by) => PLUGINS.some(by)],
  ["services", () => true],
];

/** Function that returns true if a script or plugin loads a file. */
type Users = (name: string) => boolean;

/** Returns the script for a file: the first one, that of its only user or plugin, or a shared one. */
export function scriptOf(
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
  const loadedBy = (name: string) => names.includes(name) || plugins.includes(name);
  return SHARED_SCRIPTS.find(([, matches]) => matches(loadedBy))?.[0] ?? "program";
}

const PLUGINS = [...Deno.readDirSync(new URL("../plugins", import.meta.url))].map(({ name }) =>
  name
);

/** Returns the entry points from which static imports lead to a file. */
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
