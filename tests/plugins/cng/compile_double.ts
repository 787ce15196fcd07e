import { fileURLToPath } from "node:url";

import { compileC } from "../../support/native.ts";

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

/** Compiles the double. Returns its path. */
export function compileDouble(system: keyof typeof BACKENDS, output: string): Promise<string> {
  const { compiler, sources, flags } = BACKENDS[system];
  const paths = [...SOURCES, ...sources].map((name) =>
    fileURLToPath(new URL(`doubles/${name}`, import.meta.url))
  );
  return compileC(compiler, paths, output, flags);
}
