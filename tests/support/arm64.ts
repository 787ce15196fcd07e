import { type Result, runProgram } from "./binary.ts";
import { BUILD, missing } from "./native.ts";

const QEMU = "qemu-aarch64-static";
/** The compiler of arm64 Linux programs. */
export const ARM64_COMPILER = "aarch64-linux-gnu-gcc";
/** The libraries of Debian for arm64, as `make tools` lays them out. */
const ROOT = `${BUILD}arm64/root`;
const LIBRARIES = `${ROOT}/usr/lib/aarch64-linux-gnu`;

/** The program with a double of a store in it, for arm64 Linux, as `make` builds it. */
export const ARM64_STORE_PROGRAM = `${BUILD}arm64/store_program`;

/** Flags that compile against those libraries. */
export const ARM64_FLAGS: readonly string[] = [
  ...["-isystem", `${ROOT}/usr/include`, "-isystem", `${ROOT}/usr/include/aarch64-linux-gnu`],
  `-L${LIBRARIES}`,
];

/** Why arm64 programs cannot be run here; undefined when they can. */
export function reasonAgainstArm64(): string | undefined {
  return missing(QEMU, ARM64_COMPILER, `${LIBRARIES}/libcrypto.so.3`);
}

/** Runs an arm64 program under emulation; starting one takes some seconds. */
export async function runArm64(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Result> {
  return await runProgram(QEMU, ["-L", ROOT, program, ...args], { env });
}
