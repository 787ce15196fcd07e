/**
 * The PKCS#11 functions in use, with the C type and name of each parameter.
 *
 * @module
 */

/** Type of a parameter: CK_ULONG and its aliases, CK_BBOOL, or an address. */
export type Parameter = "ulong" | "u8" | "buffer" | "pointer";

/** The functions in use: index in CK_FUNCTION_LIST and parameters. */
export const FUNCTIONS = {
  // CK_C_INITIALIZE_ARGS *arguments
  C_Initialize: { index: 0, parameters: ["buffer"] },
  // void *reserved
  C_Finalize: { index: 1, parameters: ["pointer"] },
  // CK_INFO *info
  C_GetInfo: { index: 2, parameters: ["buffer"] },
  // CK_BBOOL token_present, CK_SLOT_ID *list, CK_ULONG *count
  C_GetSlotList: { index: 4, parameters: ["u8", "buffer", "buffer"] },
  // CK_SLOT_ID slot, CK_SLOT_INFO *info
  C_GetSlotInfo: { index: 5, parameters: ["ulong", "buffer"] },
  // CK_SLOT_ID slot, CK_TOKEN_INFO *info
  C_GetTokenInfo: { index: 6, parameters: ["ulong", "buffer"] },
  // CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *count
  C_GetMechanismList: { index: 7, parameters: ["ulong", "buffer", "buffer"] },
  // CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify, CK_SESSION_HANDLE *session
  C_OpenSession: { index: 12, parameters: ["ulong", "ulong", "pointer", "pointer", "buffer"] },
  // CK_SESSION_HANDLE session
  C_CloseSession: { index: 13, parameters: ["ulong"] },
  // CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG pin_length
  C_Login: { index: 18, parameters: ["ulong", "ulong", "buffer", "ulong"] },
  // CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template, CK_ULONG count
  C_GetAttributeValue: { index: 24, parameters: ["ulong", "ulong", "buffer", "ulong"] },
  // CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count
  C_FindObjectsInit: { index: 26, parameters: ["ulong", "buffer", "ulong"] },
  // CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *list, CK_ULONG max, CK_ULONG *count
  C_FindObjects: { index: 27, parameters: ["ulong", "buffer", "ulong", "buffer"] },
  // CK_SESSION_HANDLE session
  C_FindObjectsFinal: { index: 28, parameters: ["ulong"] },
  // CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key
  C_SignInit: { index: 42, parameters: ["ulong", "buffer", "ulong"] },
  // CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *signature, CK_ULONG *length
  C_Sign: { index: 43, parameters: ["ulong", "buffer", "ulong", "buffer", "buffer"] },
} as const satisfies Record<string, { index: number; parameters: readonly Parameter[] }>;

/** A function of CK_FUNCTION_LIST. */
export type ListedFunction = keyof typeof FUNCTIONS;

/** A function of a module. */
export type FunctionName = ListedFunction | "C_GetFunctionList";

/** Argument of a function. */
export type Argument = bigint | number | Uint8Array<ArrayBuffer> | null;
