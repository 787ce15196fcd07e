import { fileURLToPath } from "node:url";

import { runProgram } from "./binary.ts";

/** Where compiled doubles and emulated systems stand, below `build`. */
export const BUILD = fileURLToPath(new URL("../../build/", import.meta.url));

/** Whether a program is on PATH or at an absolute path. */
function hasProgram(name: string): boolean {
  const directories = name.startsWith("/") ? [""] : (Deno.env.get("PATH") ?? "").split(":");
  return directories.some((directory) => {
    try {
      return Deno.statSync(`${directory}${directory === "" ? "" : "/"}${name}`).isFile;
    } catch {
      return false;
    }
  });
}

/** Why tests that need these programs or files cannot run here; undefined when they can. */
export function missing(...names: readonly string[]): string | undefined {
  const absent = names.filter((name) => !hasProgram(name));
  return absent.length === 0 ? undefined : `${absent.join(", ")} is not installed`;
}

/** Compiles C. Throws with the compiler's words when it does not. */
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
