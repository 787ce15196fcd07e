/**
 * THE table of what a release is built for.
 *
 * @module
 */
import { PROGRAM } from "../src/cli/program.ts";
import { VERSION } from "../src/cli/commands/version.ts";

/** One system and processor. */
export interface Target {
  /** As the file's name has it. */
  readonly name: string;
  /** As `deno compile` has it. */
  readonly deno: string;
  /** The format of the program, by its first bytes in hex, and what says the processor in it. */
  readonly format: "elf" | "pe" | "mach-o";
  readonly processor: "x64" | "arm64";
  /** Debian's and container images' name of the processor, for Linux. */
  readonly debian?: "amd64" | "arm64";
}

/** Everything that is released. */
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

/** The name of a target's binary in a release. */
export function fileNameOf({ name, format }: Target): string {
  return `${PROGRAM}-${VERSION}-${name}${format === "pe" ? ".exe" : ""}`;
}
