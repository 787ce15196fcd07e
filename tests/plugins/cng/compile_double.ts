import { fileURLToPath } from "node:url";

import { compileC, missing } from "../../support/native.ts";

const SOURCES = ["state.c", "stores.c", "keys.c"];
const BACKENDS = {
  linux: {
    compiler: "gcc",
    sources: ["signing_openssl.c"],
    flags: ["-fPIC", "-shared", "-fvisibility=hidden", "-lcrypto"],
  },
  windows: {
    compiler: "x86_64-w64-mingw32-gcc",
    sources: ["signing_bcrypt.c", "windows.def"],
    flags: ["-static", "-shared", "-lbcrypt"],
  },
} as const;

/** Why the double cannot be compiled for a system here; undefined when it can. */
export function reasonAgainst(system: keyof typeof BACKENDS): string | undefined {
  return missing(
    BACKENDS[system].compiler,
    ...(system === "linux" ? ["/usr/include/openssl/evp.h"] : []),
  );
}

/** Compiles the double: its path. */
export function compileDouble(system: keyof typeof BACKENDS, output: string): Promise<string> {
  const { compiler, sources, flags } = BACKENDS[system];
  const paths = [...SOURCES, ...sources].map((name) =>
    fileURLToPath(new URL(`doubles/${name}`, import.meta.url))
  );
  return compileC(compiler, paths, output, flags);
}
