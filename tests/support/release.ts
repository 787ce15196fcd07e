import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { archiveOf, tagOf } from "../../packaging/image.ts";
import { VARIANTS } from "../../packaging/image/root.ts";
import { runProgram } from "./binary.ts";
import type { TemporaryDirectory } from "./temporary_directory.ts";

/** The project's folder. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Output folder of `make dist`. */
export const DIST = `${ROOT}build/dist`;

/** An unpacked image, as a runtime starts it. */
export interface UnpackedImage {
  readonly root: string;
  readonly process: {
    readonly user: { readonly uid: number; readonly gid: number };
    readonly args: readonly string[];
    readonly env: readonly string[];
    readonly cwd: string;
  };
}

/** Unpacks an image of `make image` with umoci. */
export async function unpackImage(
  directory: TemporaryDirectory,
  architecture: string,
  suffix = "",
): Promise<UnpackedImage> {
  const layout = directory.join(`layout-${architecture}`);
  Deno.mkdirSync(layout, { recursive: true });
  await must("tar", ["-xf", `${ROOT}build/image/${archiveOf(architecture)}`, "-C", layout]);
  const bundle = directory.join(`bundle-${architecture}${suffix}`);
  const variant = VARIANTS.find((candidate) => candidate.suffix === suffix) ?? VARIANTS[0];
  // Only root can change the owner of files; the image may be there all the same, made by root.
  const rootless = Deno.uid() === 0 ? [] : ["--rootless"];
  await must("sh", [
    ...["-c", 'umask 022; exec "$@"', "sh"],
    ...["umoci", "unpack", ...rootless, "--image", `${layout}:${tagOf(variant)}`, bundle],
  ]);
  // Other users must be able to enter it.
  for (const path of [directory.path, bundle]) Deno.chmodSync(path, 0o755);
  const { process } = JSON.parse(Deno.readTextFileSync(`${bundle}/config.json`));
  return { root: `${bundle}/rootfs`, process };
}

/**
 * Creates the mount point of a folder in an image's root, which is read-only later, as a container runtime
 * does. A folder below /tmp needs none, because /tmp is a file system of its own.
 */
export function makeMountFolder(root: string, path: string): void {
  let folder = root;
  for (const name of path.startsWith("/tmp/") ? [] : path.split("/").slice(1)) {
    folder += `/${name}`;
    if (existsSync(folder)) continue;
    Deno.mkdirSync(folder);
    Deno.chmodSync(folder, 0o755); // whatever the umask is
  }
}

/** Home of the programs, removed with the temporary files. */
const HOME = Deno.env.get("TMPDIR") ?? "/tmp";

/** Runs a program that must succeed. Returns its standard output. */
export async function must(command: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(command, args, { env: { HOME } });
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}: ${stderr}`);
  return stdout;
}
