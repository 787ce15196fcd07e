import { fileURLToPath } from "node:url";

import { compileC } from "../../support/native.ts";

const SOURCES = ["objects.c", "state.c", "security.c"].map((name) =>
  fileURLToPath(new URL(`doubles/${name}`, import.meta.url))
);

/** Compiles the double, by default for this machine. Returns its path. */
export function compileDouble(
  output: string,
  flags: readonly string[] = [],
  compiler = "gcc",
): Promise<string> {
  return compileC(compiler, SOURCES, output, [
    ...["-fPIC", "-shared", "-fvisibility=hidden", ...flags, "-lcrypto"],
  ]);
}
