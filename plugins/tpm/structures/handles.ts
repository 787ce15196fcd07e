/**
 * TPM handles (TPM 2.0 Library, Part 2 section "Handles"), as people write them and as ESYS names
 * them.
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";

/** What ESYS takes in place of handles, `ESYS_TR`. */
export const ESYS = {
  none: 0xfff,
  /** A session that is no session: the password stands in the command, or is empty. */
  passwordSession: 0x0ff,
  owner: 0x101,
  null: 0x107,
} as const;

/** A hierarchy under which primary keys are made. */
export interface Hierarchy {
  /** TPM_RH, as TSS2 key files have it. */
  readonly handle: number;
  /** ESYS_TR. */
  readonly esys: number;
  readonly name: string;
}

/** Every hierarchy. */
export const HIERARCHIES: readonly Hierarchy[] = [
  { handle: 0x40000001, esys: ESYS.owner, name: "owner" },
  { handle: 0x4000000b, esys: 0x10b, name: "endorsement" },
  { handle: 0x4000000c, esys: 0x10c, name: "platform" },
  { handle: 0x40000007, esys: ESYS.null, name: "null" },
];

const TRANSIENT = 0x80;
const PERSISTENT = 0x81;

/** What other first bytes of a handle mean, for messages. */
const OTHER_KINDS: Readonly<Record<number, string>> = {
  0x00: "a PCR",
  0x01: "an NV index",
  0x02: "an HMAC session",
  0x03: "a policy session",
  0x40: "a hierarchy",
  0x90: "an attached component",
};

/** True for a handle of a persistent object. */
export function isPersistent(handle: number): boolean {
  return handle >>> 24 === PERSISTENT;
}

/** True for a handle of a transient object. */
export function isTransient(handle: number): boolean {
  return handle >>> 24 === TRANSIENT;
}

/** A handle as people write it. */
export function formatHandle(handle: number): string {
  return `0x${handle.toString(16).padStart(8, "0")}`;
}

/**
 * Reads the number behind `handle:`: hexadecimal, with or without `0x`, in any case.
 *
 * Throws `usage` when it is not a handle, or not one of a persistent or transient object.
 */
export function parseHandle(text: string, label: string): number {
  const digits = /^(?:0x)?([0-9a-f]{8})$/i.exec(text)?.[1];
  if (digits === undefined) {
    throw new HelperError(
      "usage",
      `${label} is not a TPM handle; write eight hexadecimal digits as in handle:0x81000001 ` +
        "(tpm2_getcap handles-persistent lists them), and passwords with --tpm-key-password",
    );
  }
  const handle = parseInt(digits, 16);
  if (isPersistent(handle) || isTransient(handle)) return handle;
  const kind = OTHER_KINDS[handle >>> 24] ?? "nothing a key can have";
  throw new HelperError(
    "usage",
    `${label} is the handle of ${kind}; handles of keys begin with 81 (persistent) or 80 (transient)`,
  );
}
