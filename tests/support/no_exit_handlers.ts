/**
 * Keeps OpenSSL from registering its exit handler in a test process; a preload of `deno test`.
 *
 * PKCS#11 modules and the TPM library load OpenSSL. Its handler frees memory that the threads of
 * the runtime's calls free too when they end. 2 of 1,240 processes ended by SIGABRT after their
 * last test. The program itself ends without exit handlers, see `src/runtime/end_process.ts`.
 *
 * @module
 */

/** OPENSSL_INIT_NO_ATEXIT */
const NO_EXIT_HANDLER = 0x80000n;

if (Deno.build.os === "linux") {
  try {
    Deno.dlopen("libcrypto.so.3", {
      // int OPENSSL_init_crypto(uint64_t options, const OPENSSL_INIT_SETTINGS *settings)
      OPENSSL_init_crypto: { parameters: ["u64", "pointer"], result: "i32" },
    }).symbols.OPENSSL_init_crypto(NO_EXIT_HANDLER, null);
  } catch {
    // a machine without OpenSSL 3
  }
}
