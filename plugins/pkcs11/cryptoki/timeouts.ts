/**
 * Timeouts of the calls into a module.
 *
 * @module
 */
import type { FunctionName } from "./ffi.ts";

/** Milliseconds by call; `load` is the loading of the library. */
export type TimeLimits = Readonly<Record<FunctionName | "load", number>>;

/** For what a module does by itself, be it over a slow card reader or a network. */
const DEVICE_TIMEOUT = 20_000;
/** For what may wait for a person: at a PIN pad, or to touch a key. */
const USER_TIMEOUT = 60_000;

/** The limits that are used. */
export const TIME_LIMITS: TimeLimits = {
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
