/**
 * Signatures of the Windows functions that this keystore calls (wincrypt.h, ncrypt.h).
 *
 * Handles that are pointers are `pointer`. HCRYPTPROV, HCRYPTHASH and NCRYPT_KEY_HANDLE are integers
 * of pointer size, `usize`.
 *
 * @module
 */

/** crypt32.dll: certificate stores. */
export const CRYPT32 = {
  CertOpenStore: {
    // LPCSTR lpszStoreProvider, DWORD dwEncodingType, HCRYPTPROV_LEGACY, DWORD dwFlags, void *pvPara
    parameters: ["usize", "u32", "usize", "u32", "buffer"],
    result: "pointer", // HCERTSTORE
  },
  CertCloseStore: { parameters: ["pointer", "u32"], result: "i32" }, // HCERTSTORE, DWORD dwFlags
  CertEnumCertificatesInStore: {
    parameters: ["pointer", "pointer"], // HCERTSTORE, PCCERT_CONTEXT pPrevCertContext (freed)
    result: "pointer", // PCCERT_CONTEXT
  },
  CertDuplicateCertificateContext: { parameters: ["pointer"], result: "pointer" },
  CertFreeCertificateContext: { parameters: ["pointer"], result: "i32" },
  CertGetCertificateContextProperty: {
    // PCCERT_CONTEXT, DWORD dwPropId, void *pvData, DWORD *pcbData
    parameters: ["pointer", "u32", "buffer", "buffer"],
    result: "i32",
  },
  CertGetCertificateChain: {
    // HCERTCHAINENGINE, PCCERT_CONTEXT, LPFILETIME pTime, HCERTSTORE hAdditionalStore,
    // PCERT_CHAIN_PARA, DWORD dwFlags, LPVOID pvReserved, PCCERT_CHAIN_CONTEXT *
    parameters: ["usize", "pointer", "pointer", "pointer", "buffer", "u32", "pointer", "buffer"],
    result: "i32",
  },
  CertFreeCertificateChain: { parameters: ["pointer"], result: "void" },
  CryptAcquireCertificatePrivateKey: {
    // PCCERT_CONTEXT, DWORD dwFlags, void *pvParameters, HCRYPTPROV_OR_NCRYPT_KEY_HANDLE *,
    // DWORD *pdwKeySpec, BOOL *pfCallerFreeProvOrNCryptKey
    parameters: ["pointer", "u32", "pointer", "buffer", "buffer", "buffer"],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** ncrypt.dll: keys of the Cryptography API: Next Generation. Each returns a SECURITY_STATUS. */
export const NCRYPT = {
  NCryptSignHash: {
    // NCRYPT_KEY_HANDLE, VOID *pPaddingInfo, PBYTE pbHashValue, DWORD cbHashValue,
    // PBYTE pbSignature, DWORD cbSignature, DWORD *pcbResult, DWORD dwFlags
    parameters: ["usize", "buffer", "buffer", "u32", "buffer", "u32", "buffer", "u32"],
    result: "u32",
    nonblocking: true, // a smart card or TPM is slow
  },
  NCryptGetProperty: {
    // NCRYPT_HANDLE, LPCWSTR pszProperty, PBYTE pbOutput, DWORD cbOutput, DWORD *pcbResult, DWORD
    parameters: ["usize", "buffer", "buffer", "u32", "buffer", "u32"],
    result: "u32",
  },
  NCryptSetProperty: {
    // NCRYPT_HANDLE, LPCWSTR pszProperty, PBYTE pbInput, DWORD cbInput, DWORD dwFlags
    parameters: ["usize", "buffer", "buffer", "u32", "u32"],
    result: "u32",
  },
  NCryptFreeObject: { parameters: ["usize"], result: "u32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** advapi32.dll: keys of CryptoAPI, the older interface. */
export const ADVAPI32 = {
  CryptAcquireContextW: {
    // HCRYPTPROV *, LPCWSTR szContainer, LPCWSTR szProvider, DWORD dwProvType, DWORD dwFlags
    parameters: ["buffer", "buffer", "buffer", "u32", "u32"],
    result: "i32",
  },
  CryptReleaseContext: { parameters: ["usize", "u32"], result: "i32" }, // HCRYPTPROV, DWORD dwFlags
  CryptCreateHash: {
    // HCRYPTPROV, ALG_ID, HCRYPTKEY, DWORD dwFlags, HCRYPTHASH *
    parameters: ["usize", "u32", "usize", "u32", "buffer"],
    result: "i32",
  },
  CryptSetHashParam: {
    parameters: ["usize", "u32", "buffer", "u32"], // HCRYPTHASH, DWORD dwParam, BYTE *, DWORD
    result: "i32",
  },
  CryptSignHashW: {
    // HCRYPTHASH, DWORD dwKeySpec, LPCWSTR szDescription, DWORD dwFlags, BYTE *, DWORD *pdwSigLen
    parameters: ["usize", "u32", "pointer", "u32", "buffer", "buffer"],
    result: "i32",
  },
  CryptDestroyHash: { parameters: ["usize"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** kernel32.dll: error code of the last call on this thread. */
export const KERNEL32 = {
  GetLastError: { parameters: [], result: "u32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** kernel32.dll: folder of the Windows libraries. */
export const SYSTEM_DIRECTORY = {
  GetSystemDirectoryW: { parameters: ["buffer", "u32"], result: "u32" }, // LPWSTR, UINT uSize
} as const satisfies Deno.ForeignLibraryInterface;
