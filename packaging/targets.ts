/**
 * Targets of a release.
 *
 * @module
 */
import { PROGRAM } from "../src/cli/program.ts";
import { VERSION } from "../src/cli/commands/version.ts";

/** System and processor. */
export interface Target {
  /** Name in file names. */
  readonly name: string;
  /** Name in `deno compile`. */
  readonly deno: string;
  /** First bytes of the program's format in hex, and the value of its processor field. */
  readonly format: "elf" | "pe" | "mach-o";
  readonly processor: "x64" | "arm64";
  /** Name of the processor in Debian and container images, for Linux. */
  readonly debian?: "amd64" | "arm64";
}

/** All targets. */
export const TARGETS: readonly Target[] = [
  {
    name: "linux-x64",
    deno: "x86_64-unknown-linux-gnu",
    format: "elf",
    processor: "x64",
    debian: "amd64",
  },
  {
    name: "linux-arm64",
    deno: "aarch64-unknown-linux-gnu",
    format: "elf",
    processor: "arm64",
    debian: "arm64",
  },
  { name: "macos-x64", deno: "x86_64-apple-darwin", format: "mach-o", processor: "x64" },
  { name: "macos-arm64", deno: "aarch64-apple-darwin", format: "mach-o", processor: "arm64" },
  { name: "windows-x64", deno: "x86_64-pc-windows-msvc", format: "pe", processor: "x64" },
];

/** Returns the name of a target's binary in a release. */
export function fileNameOf({ name, format }: Target): string {
  return `${PROGRAM}-${VERSION}-${name}${format === "pe" ? ".exe" : ""}`;
}
