/*
 * Stores one certificate many times in SoftHSM's slot, each time under another label and CKA_ID:
 * fill SLOT PIN COUNT CERTIFICATE.der. pkcs11-tool takes a fifth of a second for each.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cryptoki.h"

enum { CREATE_OBJECT = 20, RW_SERIAL_SESSION = 6, CKU_USER = 1, MAX_CERTIFICATE = 8192 };
typedef CK_RV create_object_fn(CK_ULONG, CK_ATTRIBUTE *, CK_ULONG, CK_ULONG *);

static void check(const char *what, CK_RV value) {
  if (value == CKR_OK) return;
  fprintf(stderr, "%s: 0x%lx\n", what, (unsigned long)value);
  exit(1);
}

/* The certificate's subject, DER: the sixth element of its body, which has a version. */
static CK_BYTE *element(CK_BYTE *at, size_t *header, size_t *length) {
  *header = 2;
  *length = at[1];
  if (at[1] & 0x80) {
    size_t bytes = at[1] & 0x7f;
    *header += bytes;
    *length = 0;
    for (size_t i = 0; i < bytes; i++) *length = *length << 8 | at[2 + i];
  }
  return at + *header + *length;
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  static CK_BYTE der[MAX_CERTIFICATE];
  FILE *file = fopen(argv[4], "rb");
  if (!file) return 1;
  CK_ULONG size = fread(der, 1, sizeof der, file);
  size_t header, length;
  element(der, &header, &length);
  CK_BYTE *at = der + header;
  element(at, &header, &length);
  at += header;
  for (int i = 0; i < 5; i++) at = element(at, &header, &length);
  element(at, &header, &length);

  void *library = dlopen("/usr/lib/softhsm/libsofthsm2.so", RTLD_NOW);
  if (!library) return 1;
  get_function_list_fn *get = (get_function_list_fn *)dlsym(library, "C_GetFunctionList");
  CK_FUNCTION_LIST *list;
  check("C_GetFunctionList", get(&list));
  check("C_Initialize", ((initialize_fn *)list->at[INITIALIZE])(NULL));
  CK_ULONG session;
  check("C_OpenSession", ((open_session_fn *)list->at[OPEN_SESSION])(
    strtoul(argv[1], NULL, 10), RW_SERIAL_SESSION, NULL, NULL, &session));
  check("C_Login", ((login_fn *)list->at[LOGIN])(
    session, CKU_USER, (CK_BYTE *)argv[2], strlen(argv[2])));
  CK_ULONG class = 1, type = 0;
  CK_BYTE yes = 1, no = 0;
  for (int i = 0; i < atoi(argv[3]); i++) {
    char label[32];
    CK_BYTE id[2] = { i >> 8, i & 0xff };
    snprintf(label, sizeof label, "certificate %d", i);
    CK_ATTRIBUTE attributes[] = {
      { 0x0, &class, sizeof class }, { 0x1, &yes, 1 }, { 0x2, &no, 1 },
      { 0x3, label, strlen(label) }, { 0x11, der, size }, { 0x80, &type, sizeof type },
      { 0x101, at, header + length }, { 0x102, id, sizeof id },
    };
    CK_ULONG object;
    check("C_CreateObject", ((create_object_fn *)list->at[CREATE_OBJECT])(
      session, attributes, sizeof attributes / sizeof *attributes, &object));
  }
  check("C_Finalize", ((finalize_fn *)list->at[FINALIZE])(NULL));
  return 0;
}
