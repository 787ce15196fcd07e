/**
 * C symbols of the TPM2 Software Stack, with the C type of each parameter. Sources: TCG "TSS 2.0
 * Enhanced System API", "TCTI Loader" and "Marshaling/Unmarshaling API". Structures are opaque
 * buffers, see marshalling.ts.
 *
 * Functions that can send a command to the TPM are nonblocking. They run on another thread, so that
 * a slow TPM does not block the event loop. Buffers must stay alive until such a call returns.
 *
 * @module
 */

const ESYS_CONTEXT = "pointer"; // ESYS_CONTEXT *
const OBJECT = "u32"; // ESYS_TR
const SESSION = "u32"; // ESYS_TR
const IN = "buffer"; // const T *
const OUT = "buffer"; // T * or T **
const UNWANTED = "pointer"; // T **, always null

const SESSIONS = [SESSION, SESSION, SESSION] as const;

/** libtss2-tctildr. */
export const TCTI_LOADER = {
  Tss2_TctiLdr_Initialize: {
    parameters: [IN, /* const char *nameConf */ OUT /* TSS2_TCTI_CONTEXT ** */],
    result: "u32",
    nonblocking: true,
  },
  Tss2_TctiLdr_Finalize: {
    parameters: [OUT /* TSS2_TCTI_CONTEXT ** */],
    result: "void",
    nonblocking: true,
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** libtss2-esys. */
export const ESYS_LIBRARY = {
  Esys_Initialize: {
    parameters: [
      OUT, // ESYS_CONTEXT **
      "pointer", // TSS2_TCTI_CONTEXT *
      "pointer", // TSS2_ABI_VERSION *
    ],
    result: "u32",
    nonblocking: true,
  },
  Esys_Finalize: { parameters: [OUT /* ESYS_CONTEXT ** */], result: "void", nonblocking: true },
  Esys_Free: { parameters: ["pointer" /* void * */], result: "void" },
  Esys_TR_FromTPMPublic: {
    parameters: [ESYS_CONTEXT, "u32", /* TPM2_HANDLE */ ...SESSIONS, OUT /* ESYS_TR * */],
    result: "u32",
    nonblocking: true,
  },
  Esys_TR_Serialize: {
    parameters: [ESYS_CONTEXT, OBJECT, OUT, /* uint8_t ** */ OUT /* size_t * */],
    result: "u32",
  },
  Esys_TR_Deserialize: {
    parameters: [ESYS_CONTEXT, IN, /* const uint8_t * */ "usize", OUT /* ESYS_TR * */],
    result: "u32",
  },
  Esys_TR_SetAuth: {
    parameters: [ESYS_CONTEXT, OBJECT, IN /* const TPM2B_AUTH * */],
    result: "u32",
  },
  Esys_ReadPublic: {
    parameters: [
      ESYS_CONTEXT,
      OBJECT,
      ...SESSIONS,
      OUT, // TPM2B_PUBLIC **
      UNWANTED, // TPM2B_NAME **name
      UNWANTED, // TPM2B_NAME **qualifiedName
    ],
    result: "u32",
    nonblocking: true,
  },
  Esys_CreatePrimary: {
    parameters: [
      ESYS_CONTEXT,
      OBJECT,
      ...SESSIONS,
      IN, // const TPM2B_SENSITIVE_CREATE *
      IN, // const TPM2B_PUBLIC *
      IN, // const TPM2B_DATA *outsideInfo
      IN, // const TPML_PCR_SELECTION *
      OUT, // ESYS_TR *
      UNWANTED, // TPM2B_PUBLIC **
      UNWANTED, // TPM2B_CREATION_DATA **
      UNWANTED, // TPM2B_DIGEST **
      UNWANTED, // TPMT_TK_CREATION **
    ],
    result: "u32",
    nonblocking: true,
  },
  Esys_Load: {
    parameters: [
      ESYS_CONTEXT,
      OBJECT,
      ...SESSIONS,
      IN, // const TPM2B_PRIVATE *
      IN, // const TPM2B_PUBLIC *
      OUT, // ESYS_TR *
    ],
    result: "u32",
    nonblocking: true,
  },
  Esys_Import: {
    parameters: [
      ESYS_CONTEXT,
      OBJECT,
      ...SESSIONS,
      IN, // const TPM2B_DATA *encryptionKey
      IN, // const TPM2B_PUBLIC *
      IN, // const TPM2B_PRIVATE *duplicate
      IN, // const TPM2B_ENCRYPTED_SECRET *
      IN, // const TPMT_SYM_DEF_OBJECT *
      OUT, // TPM2B_PRIVATE **
    ],
    result: "u32",
    nonblocking: true,
  },
  Esys_FlushContext: { parameters: [ESYS_CONTEXT, OBJECT], result: "u32", nonblocking: true },
  Esys_StartAuthSession: {
    parameters: [
      ESYS_CONTEXT,
      OBJECT, // tpmKey
      OBJECT, // bind
      ...SESSIONS,
      UNWANTED, // const TPM2B_NONCE *
      "u8", // TPM2_SE
      IN, // const TPMT_SYM_DEF *
      "u16", // TPMI_ALG_HASH
      OUT, // ESYS_TR *
    ],
    result: "u32",
    nonblocking: true,
  },
  Esys_TRSess_SetAttributes: {
    parameters: [ESYS_CONTEXT, SESSION, "u8", /* TPMA_SESSION */ "u8" /* mask */],
    result: "u32",
  },
  Esys_PolicyPCR: {
    parameters: [
      ESYS_CONTEXT,
      SESSION,
      ...SESSIONS,
      IN, // const TPM2B_DIGEST *
      IN, // const TPML_PCR_SELECTION *
    ],
    result: "u32",
    nonblocking: true,
  },
  Esys_PolicyAuthValue: {
    parameters: [ESYS_CONTEXT, SESSION, ...SESSIONS],
    result: "u32",
    nonblocking: true,
  },
  Esys_PolicyCommandCode: {
    parameters: [ESYS_CONTEXT, SESSION, ...SESSIONS, "u32" /* TPM2_CC */],
    result: "u32",
    nonblocking: true,
  },
  Esys_PolicyLocality: {
    parameters: [ESYS_CONTEXT, SESSION, ...SESSIONS, "u8" /* TPMA_LOCALITY */],
    result: "u32",
    nonblocking: true,
  },
  Esys_Hash: {
    parameters: [
      ESYS_CONTEXT,
      ...SESSIONS,
      IN, // const TPM2B_MAX_BUFFER *
      "u16", // TPMI_ALG_HASH
      OBJECT, // hierarchy
      OUT, // TPM2B_DIGEST **
      OUT, // TPMT_TK_HASHCHECK **
    ],
    result: "u32",
    nonblocking: true,
  },
  Esys_Sign: {
    parameters: [
      ESYS_CONTEXT,
      OBJECT,
      ...SESSIONS,
      IN, // const TPM2B_DIGEST *
      IN, // const TPMT_SIG_SCHEME *
      IN, // const TPMT_TK_HASHCHECK *
      OUT, // TPMT_SIGNATURE **
    ],
    result: "u32",
    nonblocking: true,
  },
  Esys_Unseal: {
    parameters: [ESYS_CONTEXT, OBJECT, ...SESSIONS, OUT /* TPM2B_SENSITIVE_DATA ** */],
    result: "u32",
    nonblocking: true,
  },
  Esys_GetCapability: {
    parameters: [
      ESYS_CONTEXT,
      ...SESSIONS,
      "u32", // TPM2_CAP
      "u32", // property
      "u32", // propertyCount
      OUT, // TPMI_YES_NO *moreData
      OUT, // TPMS_CAPABILITY_DATA **
    ],
    result: "u32",
    nonblocking: true,
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** Unmarshal: (const uint8_t buffer[], size_t size, size_t *offset, T *structure). */
const UNMARSHAL = { parameters: [IN, "usize", "pointer", OUT], result: "u32" } as const;
/** Marshal: (const T *structure, uint8_t buffer[], size_t size, size_t *offset). */
const MARSHAL = { parameters: ["pointer", OUT, "usize", OUT], result: "u32" } as const;

/** libtss2-mu. */
export const MARSHALLING = {
  Tss2_MU_TPM2B_DATA_Unmarshal: UNMARSHAL,
  Tss2_MU_TPM2B_DIGEST_Unmarshal: UNMARSHAL,
  Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal: UNMARSHAL,
  Tss2_MU_TPM2B_MAX_BUFFER_Unmarshal: UNMARSHAL,
  Tss2_MU_TPM2B_PRIVATE_Unmarshal: UNMARSHAL,
  Tss2_MU_TPM2B_PUBLIC_Unmarshal: UNMARSHAL,
  Tss2_MU_TPML_PCR_SELECTION_Unmarshal: UNMARSHAL,
  Tss2_MU_TPMT_SIG_SCHEME_Unmarshal: UNMARSHAL,
  Tss2_MU_TPMT_SYM_DEF_OBJECT_Unmarshal: UNMARSHAL,
  Tss2_MU_TPMT_SYM_DEF_Unmarshal: UNMARSHAL,
  Tss2_MU_TPMT_TK_HASHCHECK_Unmarshal: UNMARSHAL,
  Tss2_MU_TPM2B_DIGEST_Marshal: MARSHAL,
  Tss2_MU_TPM2B_PRIVATE_Marshal: MARSHAL,
  Tss2_MU_TPM2B_PUBLIC_Marshal: MARSHAL,
  Tss2_MU_TPM2B_SENSITIVE_DATA_Marshal: MARSHAL,
  Tss2_MU_TPMS_CAPABILITY_DATA_Marshal: MARSHAL,
  Tss2_MU_TPMT_SIGNATURE_Marshal: MARSHAL,
  Tss2_MU_TPMT_TK_HASHCHECK_Marshal: MARSHAL,
} as const satisfies Deno.ForeignLibraryInterface;

/** libtss2-rc. */
export const RETURN_CODES = {
  Tss2_RC_Decode: { parameters: ["u32" /* TSS2_RC */], result: "pointer" /* const char * */ },
} as const satisfies Deno.ForeignLibraryInterface;
