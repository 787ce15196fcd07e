/**
 * Signatures of the functions and constants of macOS that this keystore uses (CoreFoundation,
 * Security). A constant is the address of its symbol. The program reads a `CFTypeRef` from it, or
 * passes it as a structure of callbacks.
 *
 * @module
 */

/** CoreFoundation. The caller releases results of functions with Create or Copy in their name. */
export const CORE_FOUNDATION = {
  CFRelease: { parameters: ["pointer"], result: "void" }, // CFTypeRef
  CFRetain: { parameters: ["pointer"], result: "pointer" },
  CFArrayCreate: {
    // CFAllocatorRef, const void **values, CFIndex numValues, const CFArrayCallBacks *
    parameters: ["pointer", "buffer", "isize", "pointer"],
    result: "pointer",
  },
  CFArrayGetCount: { parameters: ["pointer"], result: "isize" },
  CFArrayGetValueAtIndex: { parameters: ["pointer", "isize"], result: "pointer" }, // the array's
  CFDataCreate: {
    parameters: ["pointer", "buffer", "isize"], // CFAllocatorRef, const UInt8 *, CFIndex length
    result: "pointer",
  },
  CFDataGetLength: { parameters: ["pointer"], result: "isize" },
  CFDataGetBytePtr: { parameters: ["pointer"], result: "pointer" },
  CFDictionaryCreate: {
    // CFAllocatorRef, const void **keys, const void **values, CFIndex numValues,
    // const CFDictionaryKeyCallBacks *, const CFDictionaryValueCallBacks *
    parameters: ["pointer", "buffer", "buffer", "isize", "pointer", "pointer"],
    result: "pointer",
  },
  CFErrorGetCode: { parameters: ["pointer"], result: "isize" },
  CFErrorGetDomain: { parameters: ["pointer"], result: "pointer" }, // CFStringRef, the error's
  CFStringGetCString: {
    parameters: ["pointer", "buffer", "isize", "u32"], // CFStringRef, char *, CFIndex, encoding
    result: "u8", // Boolean
  },
  kCFBooleanTrue: { type: "pointer" },
  kCFTypeArrayCallBacks: { type: "pointer" },
  kCFTypeDictionaryKeyCallBacks: { type: "pointer" },
  kCFTypeDictionaryValueCallBacks: { type: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Security. `i32` results are OSStatus. */
export const SECURITY = {
  SecItemCopyMatching: { parameters: ["pointer", "buffer"], result: "i32" }, // query, CFTypeRef *
  SecIdentityCopyCertificate: { parameters: ["pointer", "buffer"], result: "i32" },
  SecIdentityCopyPrivateKey: { parameters: ["pointer", "buffer"], result: "i32" },
  SecCertificateCopyData: { parameters: ["pointer"], result: "pointer" }, // CFDataRef
  SecKeyIsAlgorithmSupported: {
    parameters: ["pointer", "isize", "pointer"], // SecKeyRef, SecKeyOperationType, SecKeyAlgorithm
    result: "u8",
  },
  SecKeyCreateSignature: {
    parameters: ["pointer", "pointer", "pointer", "buffer"], // SecKeyRef, algorithm, CFDataRef, CFErrorRef *
    result: "pointer", // CFDataRef
    nonblocking: true, // macOS may prompt the user
  },
  SecPolicyCreateBasicX509: { parameters: [], result: "pointer" },
  SecTrustCreateWithCertificates: {
    parameters: ["pointer", "pointer", "buffer"], // certificates, policies, SecTrustRef *
    result: "i32",
  },
  SecTrustSetNetworkFetchAllowed: { parameters: ["pointer", "u8"], result: "i32" },
  SecTrustEvaluateWithError: { parameters: ["pointer", "buffer"], result: "u8" }, // CFErrorRef *
  // macOS 12 and later
  SecTrustCopyCertificateChain: { parameters: ["pointer"], result: "pointer", optional: true },
  // before; certificates are the trust's
  SecTrustGetCertificateCount: { parameters: ["pointer"], result: "isize", optional: true },
  SecTrustGetCertificateAtIndex: {
    parameters: ["pointer", "isize"],
    result: "pointer",
    optional: true,
  },
  SecKeychainItemCopyKeychain: { parameters: ["pointer", "buffer"], result: "i32" },
  SecKeychainGetStatus: { parameters: ["pointer", "buffer"], result: "i32" }, // SecKeychainStatus *
  SecKeychainGetPath: { parameters: ["pointer", "buffer", "buffer"], result: "i32" }, // UInt32 *, char *
  SecKeychainUnlock: {
    parameters: ["pointer", "u32", "buffer", "u8"], // SecKeychainRef, length, password, Boolean
    result: "i32",
  },
  kSecClass: { type: "pointer" },
  kSecClassIdentity: { type: "pointer" },
  kSecReturnRef: { type: "pointer" },
  kSecMatchLimit: { type: "pointer" },
  kSecMatchLimitAll: { type: "pointer" },
  kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA256: { type: "pointer" },
  kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA384: { type: "pointer" },
  kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA512: { type: "pointer" },
  kSecKeyAlgorithmECDSASignatureDigestX962SHA256: { type: "pointer" },
  kSecKeyAlgorithmECDSASignatureDigestX962SHA384: { type: "pointer" },
  kSecKeyAlgorithmECDSASignatureDigestX962SHA512: { type: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;
