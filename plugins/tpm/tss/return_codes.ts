/**
 * Return codes of the TPM (TPM 2.0 Library, Part 2 section "TPM_RC") and of the software stack (TSS
 * 2.0 Overview, "TSS2_RC").
 *
 * @module
 */

/** The operation that returned a code. */
export type Operation =
  | "connect"
  | "find-key"
  | "find-parent"
  | "make-parent"
  | "load"
  | "import"
  | "start-session"
  | "policy-pcr"
  | "policy"
  | "hash"
  | "sign"
  | "unseal"
  | "capability"
  | "flush"
  | "marshal"
  | "unmarshal";

/**
 * A return code of the TPM or its software stack; error_messages.ts converts it to a `HelperError`.
 */
export class TpmError extends Error {
  override readonly name = "TpmError";

  constructor(readonly operation: Operation, readonly code: number) {
    super(`${operation}: ${formatCode(code)}`);
  }

  /**
   * The code without its parameter, handle or session number, and without a resource manager's
   * layer.
   */
  get baseCode(): number {
    return baseCodeOf(this.code);
  }
}

/** Formats a return code as other programs do, for instance 0x98E. */
export function formatCode(code: number): string {
  return `0x${code.toString(16).toUpperCase()}`;
}

const LAYER_SHIFT = 16;
/**
 * Layers of resource managers that pass on TPM codes: TSS2_RESMGR_RC_LAYER,
 * TSS2_RESMGR_TPM_RC_LAYER.
 */
const RESOURCE_MANAGER_LAYERS = [11, 12];
const FORMAT_ONE = 0x080;
/** Mask that removes the parameter, handle or session number of a format-one code. */
const FORMAT_ONE_MASK = 0x0bf;

/** Returns the {@link TpmError.baseCode} of a return code. */
export function baseCodeOf(code: number): number {
  const layer = code >>> LAYER_SHIFT;
  const low = code & 0xffff;
  // Lower numbers are base codes that all layers of the software stack share.
  const fromTpm = layer === 0 || (RESOURCE_MANAGER_LAYERS.includes(layer) && low >= FORMAT_ONE);
  if (!fromTpm) return code;
  return low & FORMAT_ONE ? low & FORMAT_ONE_MASK : low;
}

/** TPM return codes, by their names in the specification without `TPM_RC_`. */
export const TPM_RC = {
  BAD_TAG: 0x01e,
  ASYMMETRIC: 0x081,
  ATTRIBUTES: 0x082,
  HASH: 0x083,
  VALUE: 0x084,
  HIERARCHY: 0x085,
  KEY_SIZE: 0x087,
  MODE: 0x089,
  TYPE: 0x08a,
  HANDLE: 0x08b,
  KDF: 0x08c,
  RANGE: 0x08d,
  AUTH_FAIL: 0x08e,
  NONCE: 0x08f,
  PP: 0x090,
  SCHEME: 0x092,
  SIZE: 0x095,
  SYMMETRIC: 0x096,
  TAG: 0x097,
  SELECTOR: 0x098,
  INSUFFICIENT: 0x09a,
  KEY: 0x09c,
  POLICY_FAIL: 0x09d,
  INTEGRITY: 0x09f,
  RESERVED_BITS: 0x0a1,
  BAD_AUTH: 0x0a2,
  EXPIRED: 0x0a3,
  POLICY_CC: 0x0a4,
  BINDING: 0x0a5,
  CURVE: 0x0a6,
  ECC_POINT: 0x0a7,
  INITIALIZE: 0x100,
  FAILURE: 0x101,
  DISABLED: 0x120,
  AUTH_TYPE: 0x124,
  AUTH_MISSING: 0x125,
  POLICY: 0x126,
  PCR_CHANGED: 0x128,
  UPGRADE: 0x12d,
  AUTH_UNAVAILABLE: 0x12f,
  REBOOT: 0x130,
  COMMAND_CODE: 0x143,
  CONTEXT_GAP: 0x901,
  OBJECT_MEMORY: 0x902,
  SESSION_MEMORY: 0x903,
  MEMORY: 0x904,
  SESSION_HANDLES: 0x905,
  OBJECT_HANDLES: 0x906,
  LOCALITY: 0x907,
  YIELDED: 0x908,
  CANCELED: 0x909,
  TESTING: 0x90a,
  REFERENCE_H0: 0x910,
  REFERENCE_H1: 0x911,
  REFERENCE_S0: 0x918,
  NV_RATE: 0x920,
  LOCKOUT: 0x921,
  RETRY: 0x922,
  NV_UNAVAILABLE: 0x923,
} as const;

/** Return codes of the software stack, by layer and name. */
export const TSS2_RC = {
  ESYS_RSP_AUTH_FAILED: 0x7001b,
  SYS_MALFORMED_RESPONSE: 0x80011,
  SYS_INSUFFICIENT_RESPONSE: 0x80013,
  MU_BAD_SIZE: 0x90010,
  MU_BAD_VALUE: 0x9000b,
  MU_INSUFFICIENT_BUFFER: 0x90006,
  TCTI_NO_CONNECTION: 0xa0008,
  TCTI_IO_ERROR: 0xa000a,
  TCTI_NOT_PERMITTED: 0xa000c,
  TCTI_MALFORMED_RESPONSE: 0xa0011,
} as const;
