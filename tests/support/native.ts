import { delimiter, isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";

import { runProgram } from "./binary.ts";

/** Directory of compiled doubles and emulated systems. */
export const BUILD = fileURLToPath(new URL("../../build/", import.meta.url));

/** Returns true if a program is on PATH or at an absolute path. */
function hasProgram(name: string): boolean {
  const paths = isAbsolute(name)
    ? [name]
    : (Deno.env.get("PATH") ?? "").split(delimiter).map((folder) => join(folder, name));
  const suffixes = Deno.build.os === "windows" ? ["", ".exe"] : [""];
  return paths.some((path) => suffixes.some((suffix) => isFile(path + suffix)));
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Returns the reason why tests that need these programs or files cannot run here, or undefined. */
export function missingTools(...names: readonly string[]): string | undefined {
  const absent = names.filter((name) => !hasProgram(name));
  return absent.length === 0 ? undefined : `${absent.join(", ")} is not installed`;
}

/** Compiles C. Throws the compiler's message if it fails. */
export async function compileC(
  compiler: string,
  sources: readonly string[],
  output: string,
  flags: readonly string[] = [],
): Promise<string> {
  // deno-fmt-ignore
  const { code, stderr } = await runProgram(compiler, [
    "-O1", "-Wall", "-Wextra", "-Werror", "-o", output, ...sources, ...flags,
  ]);
  if (code !== 0) throw new Error(`${compiler} does not compile: ${stderr}`);
  return output;
}
