/**
 * The TPM's protection against guessing passwords (TPM 2.0 Library, Part 1 section "Dictionary
 * Attack Protection"), for messages and for caution.
 *
 * @module
 */
import type { Connection } from "../tss/connection.ts";
import { properties } from "../commands/signing.ts";

/** TPM_PT of the counter; the limit and the two times follow it. */
const FIRST_PROPERTY = 0x20e;
const PROPERTY = { failed: 0x20e, max: 0x20f, secondsPerTry: 0x210 };

/** Where the counter stands. */
export interface LockoutState {
  /** Wrong passwords that the TPM takes before it locks; 0: it is locked. */
  readonly triesLeft: number;
  /** After so many seconds without a wrong password one try comes back. */
  readonly secondsPerTry: number;
}

/** Reads the counter. */
export async function readLockout(connection: Connection): Promise<LockoutState> {
  const found = await properties(connection, FIRST_PROPERTY, 4);
  const read = (property: number) => found.get(property) ?? 0;
  return {
    triesLeft: Math.max(0, read(PROPERTY.max) - read(PROPERTY.failed)),
    secondsPerTry: read(PROPERTY.secondsPerTry),
  };
}

/** The sentence's tail that tells how many tries remain. */
export function triesWords({ triesLeft, secondsPerTry }: LockoutState): string {
  if (triesLeft === 0) return `the TPM is locked now: ${unlockWords(secondsPerTry)}`;
  return triesLeft === 1
    ? "one more wrong password locks the TPM"
    : `${triesLeft} more wrong passwords lock the TPM`;
}

/** How a locked TPM is opened again. */
export function unlockWords(secondsPerTry: number): string {
  const wait = secondsPerTry > 0 ? `wait ${duration(secondsPerTry)} for the next try, or ` : "";
  return `${wait}have the owner of the lockout hierarchy run tpm2_dictionarylockout --clear-lockout`;
}

function duration(seconds: number): string {
  if (seconds < 120) return `${seconds} seconds`;
  return seconds < 7200
    ? `${Math.ceil(seconds / 60)} minutes`
    : `${Math.ceil(seconds / 3600)} hours`;
}
