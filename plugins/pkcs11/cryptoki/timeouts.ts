/**
 * How long a module may take for each call.
 *
 * @module
 */
import type { FunctionName } from "./ffi.ts";

/** Milliseconds by call; `load` is the loading of the library. */
export type TimeLimits = Readonly<Record<FunctionName | "load", number>>;

/** For what a module does by itself, be it over a slow card reader or a network. */
const ALONE = 20_000;
/** For what may wait for a person: at a PIN pad, or to touch a key. */
const WITH_A_PERSON = 60_000;

/** The limits that are used. */
export const TIME_LIMITS: TimeLimits = {
  load: ALONE,
  C_GetFunctionList: ALONE,
  C_Initialize: ALONE,
  C_Finalize: ALONE,
  C_GetInfo: ALONE,
  C_GetSlotList: ALONE,
  C_GetSlotInfo: ALONE,
  C_GetTokenInfo: ALONE,
  C_GetMechanismList: ALONE,
  C_OpenSession: ALONE,
  C_CloseSession: ALONE,
  C_Login: WITH_A_PERSON,
  C_GetAttributeValue: ALONE,
  C_FindObjectsInit: ALONE,
  C_FindObjects: ALONE,
  C_FindObjectsFinal: ALONE,
  C_SignInit: ALONE,
  C_Sign: WITH_A_PERSON,
};
