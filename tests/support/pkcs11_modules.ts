import { fileURLToPath } from "node:url";

const SOURCES = fileURLToPath(new URL("../plugins/pkcs11/modules/", import.meta.url));
const OUTPUT = fileURLToPath(new URL("../../build/test-modules/", import.meta.url));

/** Path of SoftHSM: Debian's, or that of another system from the variable that packaging/ci sets. */
export const SOFTHSM = Deno.env.get("AWS_SIGNING_HELPER_TEST_SOFTHSM") ??
  "/usr/lib/softhsm/libsofthsm2.so";

/** Debian's path of p11-kit's proxy. */
export const PROXY = `/usr/lib/${Deno.build.arch}-linux-gnu/p11-kit-proxy.so`;

/** Test modules: source file and macros. */
const MODULES = {
  /** Around another module: counts, fails, waits; see wrapper.c. */
  wrapper: ["wrapper.c"],
  /** In the layout of Windows: around SoftHSM, and around the wrapper. */
  packed: ["packed.c"],
  packedWrapper: ["packed.c", `-DINNER_MODULE="${OUTPUT}wrapper.so"`],
  /** Libraries that fail harmfully when loaded. */
  segfault: ["broken.c", "-DSEGFAULT"],
  abort: ["broken.c", "-DABORT"],
  exit: ["broken.c", "-DEXIT"],
  hang: ["broken.c", "-DHANG"],
  /** A token with an ML-DSA key; see mldsa.c. */
  mldsa: ["mldsa.c"],
  /** A library that is not a PKCS#11 module. */
  empty: ["broken.c"],
} as const satisfies Record<string, readonly string[]>;

/** Compiles a test module and returns its path. */
export async function compileModule(name: keyof typeof MODULES): Promise<string> {
  const output = `${OUTPUT}${name}.so`;
  await compile(MODULES[name], output, ["-shared", "-fPIC"]);
  return output;
}

/** Compiles sizes.c and returns its output. */
export async function compilerSizes(macros: readonly string[]): Promise<unknown> {
  const program = `${OUTPUT}sizes`;
  await compile(["sizes.c", ...macros], program, []);
  const { stdout } = await new Deno.Command(program).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Compiles fill.c and returns the path of the program, which fills a token with certificates. */
export async function compileFiller(): Promise<string> {
  const program = `${OUTPUT}fill`;
  await compile(["fill.c"], program, []);
  return program;
}

async function compile(
  [source, ...macros]: readonly string[],
  output: string,
  options: readonly string[],
): Promise<void> {
  await Deno.mkdir(OUTPUT, { recursive: true });
  // Another test may be using the old one.
  const fresh = `${output}.${crypto.randomUUID()}`;
  const { success, stderr } = await new Deno.Command("gcc", {
    args: [
      "-Wall",
      "-Wextra",
      "-Werror",
      "-O1",
      ...options,
      ...macros,
      "-o",
      fresh,
      `${SOURCES}${source}`,
      "-ldl",
    ],
    stderr: "piped",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  await Deno.rename(fresh, output);
}
