/**
 * Pinned Deno: its version, and the base binary of each target by hash. All that belongs to one version is
 * in `toolchain/pin.json`, which the Makefile and `install_deno.sh` read, too.
 *
 * @module
 */
import pin from "./toolchain/pin.json" with { type: "json" };

/** Pinned base binary of a target. */
export interface PinnedBase {
  /** Hex SHA-256 of the base binary, without the signature of macOS. */
  readonly sha256: string;
  /** Package on npm with a program that the pinned Deno compiled, and its integrity, as npm records it. */
  readonly package: string;
  readonly integrity: string;
  /** Path of the program in the package. */
  readonly program: string;
}

/** Version that all hashes belong to. */
export const PINNED_DENO: string = pin.deno;

/** Base binaries, by targets of `deno compile`. */
export const PINNED_BASES: Readonly<Record<string, PinnedBase>> = pin.bases;
