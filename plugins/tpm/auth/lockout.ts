/**
 * State of the TPM's lockout after wrong passwords (TPM 2.0 Library, Part 1 section "Dictionary
 * Attack Protection").
 *
 * @module
 */
import type { Connection } from "../tss/connection.ts";
import { readProperties } from "../commands/signing.ts";

/** TPM_PT_LOCKOUT_COUNTER; the maximum, the interval and the recovery time follow it. */
const FIRST_PROPERTY = 0x20e;
const PROPERTY = { failed: 0x20e, max: 0x20f, secondsPerTry: 0x210 };

/** State of the lockout counter. */
export interface LockoutState {
  /** Number of wrong passwords until the TPM locks; 0 if it is locked. */
  readonly triesLeft: number;
  /** Seconds without a wrong password after which one more try is allowed. */
  readonly secondsPerTry: number;
}

/** Reads the lockout state from the TPM. */
export async function readLockout(connection: Connection): Promise<LockoutState> {
  const found = await readProperties(connection, FIRST_PROPERTY, 4);
  const read = (property: number) => found.get(property) ?? 0;
  return {
    triesLeft: Math.max(0, read(PROPERTY.max) - read(PROPERTY.failed)),
    secondsPerTry: read(PROPERTY.secondsPerTry),
  };
}

/** Returns the end of a message: how many tries are left. */
export function formatTriesLeft({ triesLeft, secondsPerTry }: LockoutState): string {
  if (triesLeft === 0) return `the TPM is locked now: ${formatUnlockAdvice(secondsPerTry)}`;
  return triesLeft === 1
    ? "one more wrong password locks the TPM"
    : `${triesLeft} more wrong passwords lock the TPM`;
}

/** Returns how to unlock a locked TPM. */
export function formatUnlockAdvice(secondsPerTry: number): string {
  const wait = secondsPerTry > 0
    ? `wait ${formatDuration(secondsPerTry)} for the next try, or `
    : "";
  return `${wait}have the owner of the lockout hierarchy run tpm2_dictionarylockout --clear-lockout`;
}

function formatDuration(seconds: number): string {
  if (seconds < 120) return `${seconds} seconds`;
  return seconds < 7200
    ? `${Math.ceil(seconds / 60)} minutes`
    : `${Math.ceil(seconds / 3600)} hours`;
}
