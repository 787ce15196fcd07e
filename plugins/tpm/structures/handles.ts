/**
 * TPM handles (TPM 2.0 Library, Part 2 section "Handles") and ESYS_TR values.
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";

/** Constant ESYS_TR values. */
export const ESYS_TR = {
  none: 0xfff,
  /** ESYS_TR_PASSWORD: password authorization, without a session. */
  password: 0x0ff,
  owner: 0x101,
  null: 0x107,
} as const;

/** A hierarchy, the parent of primary keys. */
export interface Hierarchy {
  /** TPM_RH, as in TSS2 key files. */
  readonly handle: number;
  /** ESYS_TR. */
  readonly esys: number;
  readonly name: string;
}

/** All hierarchies. */
export const HIERARCHIES: readonly Hierarchy[] = [
  { handle: 0x40000001, esys: ESYS_TR.owner, name: "owner" },
  { handle: 0x4000000b, esys: 0x10b, name: "endorsement" },
  { handle: 0x4000000c, esys: 0x10c, name: "platform" },
  { handle: 0x40000007, esys: ESYS_TR.null, name: "null" },
];

const TRANSIENT = 0x80;
const PERSISTENT = 0x81;

/** Object types by the first byte of a handle (TPM_HT), for messages. */
const OTHER_TYPES: Readonly<Record<number, string>> = {
  0x00: "a PCR",
  0x01: "an NV index",
  0x02: "an HMAC session",
  0x03: "a policy session",
  0x40: "a hierarchy",
  0x90: "an attached component",
};

/** Returns true for the handle of a persistent object. */
export function isPersistent(handle: number): boolean {
  return handle >>> 24 === PERSISTENT;
}

/** Returns true for the handle of a transient object. */
function isTransient(handle: number): boolean {
  return handle >>> 24 === TRANSIENT;
}

/** Formats a handle, for instance 0x81000001. */
export function formatHandle(handle: number): string {
  return `0x${handle.toString(16).padStart(8, "0")}`;
}

/**
 * Parses the handle in a `handle:` URI: hexadecimal, with or without `0x`, case-insensitive.
 *
 * Throws `usage` if it is not the handle of a persistent or transient object.
 */
export function parseHandle(text: string, label: string): number {
  const digits = /^(?:0x)?([0-9a-f]{8})$/i.exec(text)?.[1];
  if (digits === undefined) {
    throw new HelperError(
      "usage",
      `${label}: not a TPM handle; write eight hexadecimal digits as in handle:0x81000001 (list ` +
        "them with tpm2_getcap handles-persistent), and set passwords with --tpm-key-password",
    );
  }
  const handle = parseInt(digits, 16);
  if (isPersistent(handle) || isTransient(handle)) return handle;
  const type = OTHER_TYPES[handle >>> 24] ?? "an unknown object";
  throw new HelperError(
    "usage",
    `${label}: this is the handle of ${type}; use a key's handle, which begins with 81 (persistent) ` +
      "or 80 (transient)",
  );
}
