import { type Result, runProgram } from "./binary.ts";
import { BUILD, missingTools } from "./native.ts";

const QEMU = "qemu-aarch64-static";
/** Compiler for arm64 Linux programs. */
export const ARM64_COMPILER = "aarch64-linux-gnu-gcc";
/** Debian's arm64 libraries, as installed by `make tools`. */
const ROOT = `${BUILD}arm64/root`;
const LIBRARIES = `${ROOT}/usr/lib/aarch64-linux-gnu`;

/** The program with a double of a store, for arm64 Linux, as built by `make`. */
export const ARM64_STORE_PROGRAM = `${BUILD}arm64/store_program`;

/** Compiler flags for those libraries. */
export const ARM64_FLAGS: readonly string[] = [
  ...["-isystem", `${ROOT}/usr/include`, "-isystem", `${ROOT}/usr/include/aarch64-linux-gnu`],
  `-L${LIBRARIES}`,
];

/** Returns the reason why arm64 programs cannot run here, or undefined. */
export function reasonAgainstArm64(): string | undefined {
  return missingTools(QEMU, ARM64_COMPILER, `${LIBRARIES}/libcrypto.so.3`);
}

/** Runs an arm64 program under emulation; starting one takes some seconds. */
export async function runArm64(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Result> {
  return await runProgram(QEMU, ["-L", ROOT, program, ...args], { env });
}
