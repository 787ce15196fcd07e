/**
 * THE table of what return codes mean to a person: the error they become, the words that say what to
 * do, and whether it may pass.
 *
 * @module
 */
import type { ErrorCode } from "../../../src/errors.ts";
import { type Step, TPM_RC, TSS2_RC } from "./return_codes.ts";

/** What some codes mean. */
export interface ReturnCodeMessage {
  readonly codes: readonly number[];
  /** Absent: in every step that no earlier row names. */
  readonly during?: readonly Step[];
  readonly error: ErrorCode;
  /** It may pass by itself: worth trying again for a while. */
  readonly passing?: true;
  /** What follows the key's name and a colon. */
  readonly words: string;
}

const LOADING: readonly Step[] = ["load", "import"];
const USING: readonly Step[] = ["sign", "unseal"];
const R = TPM_RC;

/** Every meaning; the first row that fits counts. */
export const MEANINGS: readonly ReturnCodeMessage[] = [
  {
    codes: [R.HANDLE, R.VALUE, R.REFERENCE_H0],
    during: ["find-key"],
    error: "key-not-found",
    words: "the TPM holds no key at this handle; tpm2_getcap handles-persistent lists those it " +
      "holds (a transient one is seen by the program that loaded it, or without a resource manager)",
  },
  {
    codes: [R.HANDLE, R.VALUE],
    during: ["find-parent"],
    error: "key-not-found",
    words: "the key's parent is not in this TPM; tpm2_getcap handles-persistent lists what it " +
      "holds (the key is another TPM's, or the parent was removed)",
  },
  {
    codes: [R.INTEGRITY],
    error: "key-unreadable",
    words: "this TPM cannot open the key: another TPM or another parent made it, the TPM was " +
      "cleared since, or the file is damaged",
  },
  {
    codes: [R.BINDING, R.ECC_POINT],
    error: "key-format",
    words: "the public and the private part of the key do not belong together; the file is damaged",
  },
  {
    codes: [R.TYPE, R.KEY, R.ATTRIBUTES],
    during: LOADING,
    error: "key-format",
    words: "the TPM does not load the key: its parent is no storage key, or its attributes " +
      "contradict each other; make the key again",
  },
  {
    codes: [R.KEY, R.TYPE, R.ATTRIBUTES],
    during: USING,
    error: "key-unsupported",
    words: "the TPM does not sign with this key; make one with the sign attribute",
  },
  {
    codes: [R.SCHEME, R.HASH],
    during: USING,
    error: "key-unsupported",
    words:
      "the TPM does not sign with this key and digest; IAM Roles Anywhere needs SHA-256 with " +
      "RSASSA or ECDSA",
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
    words: "this TPM does not support this kind of key; tpm2_getcap algorithms and ecc-curves " +
      "list what it supports",
  },
  {
    codes: [R.VALUE],
    during: ["policy-pcr"],
    error: "key-locked",
    words: "the PCRs are not in the state the key is bound to; compare them with tpm2_pcrread, " +
      "restore that state or make the key again",
  },
  {
    codes: [R.PCR_CHANGED],
    error: "key-locked",
    passing: true,
    words: "the PCRs changed while the key was used; try again",
  },
  {
    codes: [R.POLICY_FAIL, R.POLICY, R.EXPIRED],
    error: "key-locked",
    words: "the key's policy is not satisfied by what its file lists; compare the file with the " +
      "policy the key was made with",
  },
  {
    codes: [R.POLICY_CC],
    error: "key-unsupported",
    words: "the key's policy allows another command than the one that is needed " +
      "(TPM2_Sign, or TPM2_Unseal for sealed keys)",
  },
  {
    codes: [R.LOCALITY],
    error: "key-locked",
    words: "the key's policy asks for another locality than programs on this machine have",
  },
  {
    codes: [R.PP],
    error: "key-locked",
    words: "the TPM asks for physical presence",
  },
  {
    codes: [R.AUTH_TYPE, R.AUTH_MISSING, R.AUTH_UNAVAILABLE],
    error: "key-unsupported",
    words: "the key may be used with a policy alone, and none is known; use the key's TSS2 file " +
      "with the policy in it",
  },
  {
    codes: [R.AUTH_FAIL, R.BAD_AUTH],
    error: "key-locked",
    words: "the TPM refuses the password",
  },
  {
    codes: [R.LOCKOUT],
    error: "key-locked",
    words: "the TPM is locked after too many wrong passwords; wait, or have the owner of the " +
      "lockout hierarchy run tpm2_dictionarylockout --clear-lockout",
  },
  {
    codes: [R.HIERARCHY, R.DISABLED],
    error: "key-unreadable",
    words: "the hierarchy that the key belongs to is turned off; firmware turns the platform " +
      "hierarchy off, and tpm2_hierarchycontrol turns the others on",
  },
  {
    codes: [R.HANDLE, R.REFERENCE_H0, R.REFERENCE_H1, R.REFERENCE_S0, R.NONCE, R.CONTEXT_GAP],
    error: "keystore-unavailable",
    passing: true,
    words: "the TPM is busy: another program removed the key or session while it was used; try " +
      "again, or go through a resource manager (/dev/tpmrm0)",
  },
  {
    codes: [R.OBJECT_MEMORY, R.OBJECT_HANDLES, R.MEMORY],
    error: "keystore-unavailable",
    passing: true,
    words: "the TPM is busy: it has no room for another key; try again, go through a resource " +
      "manager (/dev/tpmrm0), or remove what programs left with tpm2_flushcontext --transient-object",
  },
  {
    codes: [R.SESSION_MEMORY, R.SESSION_HANDLES],
    error: "keystore-unavailable",
    passing: true,
    words:
      "the TPM is busy: it has no room for another session; try again, go through a resource " +
      "manager (/dev/tpmrm0), or remove what programs left with tpm2_flushcontext --loaded-session",
  },
  {
    codes: [R.YIELDED, R.CANCELED, R.TESTING, R.NV_RATE, R.RETRY, R.NV_UNAVAILABLE],
    error: "keystore-unavailable",
    passing: true,
    words: "the TPM is busy; try again",
  },
  {
    codes: [R.INITIALIZE],
    error: "keystore-unavailable",
    words: "the TPM has not been started; the firmware or the kernel does that, for a software " +
      "TPM tpm2_startup --clear",
  },
  {
    codes: [R.FAILURE, R.REBOOT],
    error: "keystore-unavailable",
    words: "the TPM is in failure mode; restart the machine, and see tpm2_gettestresult",
  },
  {
    codes: [R.UPGRADE],
    error: "keystore-unavailable",
    words: "the TPM waits for the end of a firmware upgrade; finish it and restart the machine",
  },
  {
    codes: [R.BAD_TAG],
    error: "keystore-unavailable",
    words: "the TPM does not speak TPM 2.0; a TPM 1.2 cannot be used",
  },
  {
    codes: [R.COMMAND_CODE],
    error: "keystore-unavailable",
    words: "this TPM lacks a command that the key needs",
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
    words: "the TPM does not accept what the key file says; the file is damaged, or made for " +
      "another kind of TPM",
  },
  {
    codes: [TSS2_RC.MU_BAD_SIZE, TSS2_RC.MU_BAD_VALUE, TSS2_RC.MU_INSUFFICIENT_BUFFER],
    during: ["unmarshal"],
    error: "key-format",
    words: "the key file holds a TPM structure that is malformed; the file is damaged",
  },
  {
    codes: [TSS2_RC.ESYS_RSP_AUTH_FAILED],
    error: "keystore-unavailable",
    words: "an answer of the TPM is not authentic: something between this program and the TPM " +
      "changes what is sent",
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
    words: "the connection to the TPM broke; check the TPM, its resource manager or its emulator",
  },
];
