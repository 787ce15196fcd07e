/**
 * Comparison of a program's base binary with the pinned hash. It does not matter which host the base came
 * from: the bytes in the program are compared.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { PINNED_BASES, PINNED_DENO } from "../pin.ts";
import { withEarlyVariables, withoutEarlyVariables } from "./environment.ts";
import { sha256 } from "../sha256.ts";
import { constantPart, removePayload } from "./payload.ts";

/** Variable that allows a base binary with another hash. A release does not follow it. */
export const OVERRIDE = "UNPINNED_BASE";

/** Pinned version and hashes; only tests have others. */
export interface Pins {
  readonly deno: string;
  readonly bases: Readonly<Record<string, { readonly sha256: string }>>;
}

const PINS: Pins = { deno: PINNED_DENO, bases: PINNED_BASES };

/**
 * Throws unless a compiled program is the pinned base binary of its target, without the early variables,
 * and one payload.
 */
export async function compareBase(
  program: Uint8Array,
  target: string,
  { deno, bases }: Pins = PINS,
): Promise<void> {
  const pinned = bases[target]?.sha256;
  const actual = await hashOfBase(program, target);
  if (actual === pinned) return;
  throw new Error(
    `base binary for ${target}: its SHA-256 is ${actual} instead of ${
      pinned ?? "a pinned one"
    }; use the base binary of Deno ${deno}, or set ${OVERRIDE}=1 if you trust this one`,
  );
}

/** Settings that allow another base binary; only tests replace them. */
export interface Allowance {
  /** Version of the Deno that compiled the program. */
  readonly deno: string;
  /** True if {@link OVERRIDE} is 1. */
  readonly override: boolean;
}

/**
 * Returns the end of the build's last line, which states if the base binary is the pinned one. Throws if it
 * is not and neither {@link OVERRIDE} nor another version of Deno was chosen. A program with several
 * payloads is never allowed.
 */
export async function baseStatus(
  program: Uint8Array,
  target: string,
  { deno, override }: Allowance = {
    deno: Deno.version.deno,
    override: Deno.env.get(OVERRIDE) === "1",
  },
  pins: Pins = PINS,
): Promise<string> {
  const actual = await hashOfBase(program, target);
  if (deno !== pins.deno) return `NOT compared, because no SHA-256 is pinned for Deno ${deno}`;
  if (!override) await compareBase(program, target, pins);
  return actual === pins.bases[target]?.sha256
    ? "its SHA-256 is the pinned one"
    : `its SHA-256 is NOT the pinned one, which ${OVERRIDE}=1 allows`;
}

/** Returns the hash of the base binary in a compiled program, as `toolchain/pin.json` has it. */
async function hashOfBase(program: Uint8Array, target: string): Promise<string> {
  const changed = constantPart(removePayload(program));
  const base = withEarlyVariables(changed, target);
  // A variable whose name was not removed is followed; restoring and hashing do not notice it.
  if (!Buffer.from(changed).equals(withoutEarlyVariables(base, target))) {
    throw new Error(`base binary for ${target}: a variable's name is still in it; build it again`);
  }
  return await sha256(new Uint8Array(base));
}

/** Returns the hex SHA-256 of a base binary without payload, as `toolchain/pin.json` has it. */
export async function sha256OfBase(base: Uint8Array): Promise<string> {
  return await sha256(new Uint8Array(constantPart(base)));
}
