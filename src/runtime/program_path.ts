/**
 * Path of this program: the only code that differs between the compiled program and its bundle under
 * `deno run`.
 *
 * @module
 */

/** Place of the first module in the folder that `packaging/launcher.ts` writes. */
const LOADER = "/bundle/loader.js";

/** Returns the path of the compiled program, or of the script that starts the bundle under `deno run`. */
export function programPath(): string {
  if (Deno.build.standalone || !Deno.mainModule.endsWith(LOADER)) return Deno.execPath();
  const folder = Deno.mainModule.slice(0, -LOADER.length);
  return decodeURIComponent(new URL(`${folder}/aws_signing_helper`).pathname);
}
