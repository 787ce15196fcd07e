/*
 * Puts the certificates of a PFX file into the user's store MY, as certutil -importPFX does, or
 * empties that store.
 *
 * Usage: store.exe import FILE PASSWORD | store.exe clear
 */
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <wincrypt.h>

static int fail(const char *what) {
  fprintf(stderr, "store.exe: %s: %#lx\n", what, (unsigned long)GetLastError());
  return 1;
}

static int import(const wchar_t *path, const wchar_t *password, HCERTSTORE store) {
  FILE *file = _wfopen(path, L"rb");
  if (file == NULL) return fail("open the file");
  static BYTE bytes[1 << 20];
  CRYPT_DATA_BLOB blob = {(DWORD)fread(bytes, 1, sizeof bytes, file), bytes};
  fclose(file);
  HCERTSTORE pfx = PFXImportCertStore(&blob, password, CRYPT_EXPORTABLE | CRYPT_USER_KEYSET);
  if (pfx == NULL) return fail("PFXImportCertStore");
  PCCERT_CONTEXT certificate = NULL;
  while ((certificate = CertEnumCertificatesInStore(pfx, certificate)) != NULL)
    if (!CertAddCertificateContextToStore(store, certificate, CERT_STORE_ADD_USE_EXISTING, NULL))
      return fail("CertAddCertificateContextToStore");
  CertCloseStore(pfx, 0);
  return 0;
}

/* wine forgets to write down what is deleted from a store: its registry keys are removed. */
static int clear(void) {
  static const wchar_t *const keys[] = {
      L"Software\\Microsoft\\SystemCertificates\\My\\Certificates",
      L"Software\\Wine\\Crypto\\RSA",
  };
  for (int i = 0; i < 2; i++) {
    LSTATUS status = RegDeleteTreeW(HKEY_CURRENT_USER, keys[i]);
    if (status != ERROR_SUCCESS && status != ERROR_FILE_NOT_FOUND) return fail("RegDeleteTreeW");
  }
  return 0;
}

int wmain(int count, wchar_t **arguments) {
  if (count != 4) return clear();
  HCERTSTORE store =
      CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0, CERT_SYSTEM_STORE_CURRENT_USER, L"MY");
  if (store == NULL) return fail("CertOpenStore");
  int code = import(arguments[2], arguments[3], store);
  CertCloseStore(store, 0);
  return code;
}
