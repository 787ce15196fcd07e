/**
 * Timeouts of the calls into a module.
 *
 * @module
 */
import type { FunctionName } from "./ffi.ts";

/** Milliseconds by call; `load` is for loading the library. */
export type Timeouts = Readonly<Record<FunctionName | "load", number>>;

/** Timeout for calls that need no user, including slow readers and network HSMs. */
const DEVICE_TIMEOUT = 20_000;
/** Timeout for calls that may wait for the user: a PIN pad or a touch. */
const USER_TIMEOUT = 60_000;

/** The default timeouts. */
export const TIMEOUTS: Timeouts = {
  load: DEVICE_TIMEOUT,
  C_GetFunctionList: DEVICE_TIMEOUT,
  C_Initialize: DEVICE_TIMEOUT,
  C_Finalize: DEVICE_TIMEOUT,
  C_GetInfo: DEVICE_TIMEOUT,
  C_GetSlotList: DEVICE_TIMEOUT,
  C_GetSlotInfo: DEVICE_TIMEOUT,
  C_GetTokenInfo: DEVICE_TIMEOUT,
  C_GetMechanismList: DEVICE_TIMEOUT,
  C_OpenSession: DEVICE_TIMEOUT,
  C_CloseSession: DEVICE_TIMEOUT,
  C_Login: USER_TIMEOUT,
  C_GetAttributeValue: DEVICE_TIMEOUT,
  C_FindObjectsInit: DEVICE_TIMEOUT,
  C_FindObjects: DEVICE_TIMEOUT,
  C_FindObjectsFinal: DEVICE_TIMEOUT,
  C_SignInit: DEVICE_TIMEOUT,
  C_Sign: USER_TIMEOUT,
};
