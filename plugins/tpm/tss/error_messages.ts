/**
 * Maps TPM and TSS return codes to an error code, a message, and whether a retry can help.
 *
 * @module
 */
import { type ErrorCode, HelperError } from "../../../src/errors.ts";
import { decodeReturnCode } from "./libraries.ts";
import { formatCode, type Operation, TPM_RC, TpmError, TSS2_RC } from "./return_codes.ts";

/** The error for some return codes. */
interface ReturnCodeMessage {
  readonly codes: readonly number[];
  /** Default: every operation that no earlier row names. */
  readonly during?: readonly Operation[];
  readonly error: ErrorCode;
  /** The cause may be temporary, so the operation is retried for a while. */
  readonly retryable?: true;
  /** Follows the key's name and a colon. */
  readonly message: string;
}

const LOADING: readonly Operation[] = ["load", "import"];
const KEY_USE: readonly Operation[] = ["sign", "unseal"];
const R = TPM_RC;

/** All messages; the first row that matches applies. */
const RETURN_CODE_MESSAGES: readonly ReturnCodeMessage[] = [
  {
    codes: [R.HANDLE, R.VALUE, R.REFERENCE_H0],
    during: ["find-key"],
    error: "key-not-found",
    message: "the TPM holds no key at this handle; list handles with tpm2_getcap " +
      "handles-persistent (a resource manager hides transient keys of other programs)",
  },
  {
    codes: [R.HANDLE, R.VALUE],
    during: ["find-parent"],
    error: "key-not-found",
    message: "the key's parent is not in this TPM; list handles with tpm2_getcap " +
      "handles-persistent (the key belongs to another TPM, or the parent was removed)",
  },
  {
    codes: [R.INTEGRITY],
    error: "key-unreadable",
    message: "this TPM cannot load the key (made by another TPM or under another parent, TPM " +
      "cleared since, or file damaged); make a new key",
  },
  {
    codes: [R.BINDING, R.ECC_POINT],
    error: "key-format",
    message: "the file is damaged: public and private parts of the key do not match; copy " +
      "or make it again",
  },
  {
    codes: [R.TYPE, R.KEY, R.ATTRIBUTES],
    during: LOADING,
    error: "key-format",
    message: "the TPM does not load the key: its parent is not a storage key, or its attributes " +
      "conflict; make the key again",
  },
  {
    codes: [R.KEY, R.TYPE, R.ATTRIBUTES],
    during: KEY_USE,
    error: "key-unsupported",
    message: "the TPM does not sign with this key; make one with the sign attribute",
  },
  {
    codes: [R.SCHEME, R.HASH],
    during: KEY_USE,
    error: "key-unsupported",
    message: "the TPM does not sign with this key and digest; IAM Roles Anywhere needs SHA-256 " +
      "with RSASSA or ECDSA",
  },
  {
    codes: [
      R.SCHEME,
      R.HASH,
      R.ASYMMETRIC,
      R.KEY_SIZE,
      R.CURVE,
      R.SYMMETRIC,
      R.MODE,
      R.KDF,
    ],
    error: "key-unsupported",
    message: "this TPM does not support this kind of key; list what it supports with tpm2_getcap " +
      "algorithms and tpm2_getcap ecc-curves",
  },
  {
    codes: [R.VALUE],
    during: ["policy-pcr"],
    error: "key-locked",
    message: "the PCRs are not in the state the key is bound to; compare them with tpm2_pcrread, " +
      "restore that state or make the key again",
  },
  {
    codes: [R.PCR_CHANGED],
    error: "key-locked",
    retryable: true,
    message: "the PCRs changed while the key was used; try again",
  },
  {
    codes: [R.POLICY_FAIL, R.POLICY, R.EXPIRED],
    error: "key-locked",
    message:
      "the policy in the file does not satisfy the key; compare it with the policy the key " +
      "was made with",
  },
  {
    codes: [R.POLICY_CC],
    error: "key-unsupported",
    message:
      "the key's policy does not allow the required command (TPM2_Sign, or TPM2_Unseal for " +
      "sealed keys); make the key with another policy",
  },
  {
    codes: [R.LOCALITY],
    error: "key-locked",
    message: "the key's policy requires a locality that programs here do not have; " +
      "make the key with another policy",
  },
  {
    codes: [R.PP],
    error: "key-locked",
    message: "the TPM requires physical presence; make the key with another policy",
  },
  {
    codes: [R.AUTH_TYPE, R.AUTH_MISSING, R.AUTH_UNAVAILABLE],
    error: "key-unsupported",
    message: "the key requires a policy, and none is known; use the key's TSS2 file with the " +
      "policy in it",
  },
  {
    codes: [R.AUTH_FAIL, R.BAD_AUTH],
    error: "key-locked",
    message: "the TPM rejected the password; correct it before you try again",
  },
  {
    codes: [R.LOCKOUT],
    error: "key-locked",
    message: "the TPM is locked after too many wrong passwords; wait, or have the owner of the " +
      "lockout hierarchy run tpm2_dictionarylockout --clear-lockout",
  },
  {
    codes: [R.HIERARCHY, R.DISABLED],
    error: "key-unreadable",
    message: "the key's hierarchy is disabled; enable it with tpm2_hierarchycontrol (firmware " +
      "disables the platform hierarchy)",
  },
  {
    codes: [R.HANDLE, R.REFERENCE_H0, R.REFERENCE_H1, R.REFERENCE_S0, R.NONCE, R.CONTEXT_GAP],
    error: "keystore-unavailable",
    retryable: true,
    message: "the TPM is busy: another program removed the key or session in use; try " +
      "again, or use a resource manager (/dev/tpmrm0)",
  },
  {
    codes: [R.OBJECT_MEMORY, R.OBJECT_HANDLES, R.MEMORY],
    error: "keystore-unavailable",
    retryable: true,
    message: "the TPM is busy: it has no memory for another key; try again, use a resource " +
      "manager (/dev/tpmrm0), or remove leftover keys with tpm2_flushcontext --transient-object",
  },
  {
    codes: [R.SESSION_MEMORY, R.SESSION_HANDLES],
    error: "keystore-unavailable",
    retryable: true,
    message: "the TPM is busy: it has no memory for another session; try again, use a resource " +
      "manager (/dev/tpmrm0), or remove leftover sessions with tpm2_flushcontext --loaded-session",
  },
  {
    codes: [R.YIELDED, R.CANCELED, R.TESTING, R.NV_RATE, R.RETRY, R.NV_UNAVAILABLE],
    error: "keystore-unavailable",
    retryable: true,
    message: "the TPM is busy; try again",
  },
  {
    codes: [R.INITIALIZE],
    error: "keystore-unavailable",
    message: "the TPM has not been started by the firmware or kernel; for a software TPM, run " +
      "tpm2_startup --clear",
  },
  {
    codes: [R.FAILURE, R.REBOOT],
    error: "keystore-unavailable",
    message: "the TPM is in failure mode; restart the machine, and run tpm2_gettestresult",
  },
  {
    codes: [R.UPGRADE],
    error: "keystore-unavailable",
    message: "the TPM's firmware upgrade is not complete; finish it and restart the machine",
  },
  {
    codes: [R.BAD_TAG],
    error: "keystore-unavailable",
    message: "the TPM does not implement TPM 2.0; TPM 1.2 is not supported",
  },
  {
    codes: [R.COMMAND_CODE],
    error: "keystore-unavailable",
    message: "this TPM does not implement a command that the key needs; use another kind of key",
  },
  {
    codes: [
      R.SIZE,
      R.RANGE,
      R.VALUE,
      R.TAG,
      R.SELECTOR,
      R.INSUFFICIENT,
      R.RESERVED_BITS,
    ],
    during: [...LOADING, "policy", "policy-pcr"],
    error: "key-format",
    message: "the TPM rejects the contents of the key file (damaged, or made for another kind of " +
      "TPM); copy or make it again",
  },
  {
    codes: [TSS2_RC.MU_BAD_SIZE, TSS2_RC.MU_BAD_VALUE, TSS2_RC.MU_INSUFFICIENT_BUFFER],
    during: ["unmarshal"],
    error: "key-format",
    message: "the key file is damaged (malformed TPM structure); copy or make it again",
  },
  {
    codes: [TSS2_RC.ESYS_RSP_AUTH_FAILED],
    error: "keystore-unavailable",
    message: "a response of the TPM is not authentic: something changes the data on its way; " +
      "check the connection to the TPM",
  },
  {
    codes: [
      TSS2_RC.TCTI_NO_CONNECTION,
      TSS2_RC.TCTI_IO_ERROR,
      TSS2_RC.TCTI_NOT_PERMITTED,
      TSS2_RC.TCTI_MALFORMED_RESPONSE,
      TSS2_RC.SYS_MALFORMED_RESPONSE,
      TSS2_RC.SYS_INSUFFICIENT_RESPONSE,
    ],
    error: "keystore-unavailable",
    message:
      "the connection to the TPM failed; check the TPM, its resource manager or its emulator",
  },
];

const findMessage = ({ baseCode, operation }: TpmError): ReturnCodeMessage | undefined =>
  RETURN_CODE_MESSAGES.find(({ codes, during }) =>
    codes.includes(baseCode) && (during === undefined || during.includes(operation))
  );

/** Returns true if the cause of the error may be temporary, so that a retry can help. */
export function isRetryable(thrown: unknown): boolean {
  return thrown instanceof TpmError && findMessage(thrown)?.retryable === true;
}

/** Returns the error for a return code; `label` names the key in its message. */
export function toHelperError(error: TpmError, label: string): HelperError {
  const found = findMessage(error);
  const number = formatCode(error.code);
  if (found) {
    return new HelperError(found.error, `${label}: ${found.message} (${number})`, { cause: error });
  }
  const decoded = decodeReturnCode(error.code) ?? "unknown return code";
  return new HelperError(
    "keystore-unavailable",
    `${label}: the TPM or its software stack failed at "${error.operation}" with ${number} ` +
      `(${decoded})`,
    { cause: error },
  );
}
