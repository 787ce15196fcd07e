/* Signing by bcrypt.dll, for the double on Windows: keys are BCRYPT_…PRIVATE_BLOB files. */
#include <windows.h>
/* bcrypt.h knows no types of its own. */
#include <bcrypt.h>
#include <stdio.h>
#include <stdlib.h>

#include "double.h"

struct signing_key {
  BCRYPT_ALG_HANDLE algorithm;
  BCRYPT_KEY_HANDLE key;
  int rsa;
  uint32_t signature_length;
};

struct signing_key *load_signing_key(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) return NULL;
  static UCHAR blob[8192];
  ULONG length = (ULONG)fread(blob, 1, sizeof blob, file);
  fclose(file);
  struct signing_key *key = calloc(1, sizeof *key);
  ULONG magic = *(ULONG *)blob, size = *(ULONG *)(blob + 4);
  LPCWSTR algorithm = magic == BCRYPT_ECDSA_PRIVATE_P256_MAGIC   ? BCRYPT_ECDSA_P256_ALGORITHM
                                                                 : BCRYPT_RSA_ALGORITHM;
  key->rsa = magic == BCRYPT_RSAPRIVATE_MAGIC;
  key->signature_length = key->rsa ? size / 8 : 2 * size;
  NTSTATUS status = BCryptOpenAlgorithmProvider(&key->algorithm, algorithm, NULL, 0);
  if (status == 0)
    status = BCryptImportKeyPair(key->algorithm, NULL,
                                 key->rsa ? BCRYPT_RSAPRIVATE_BLOB : BCRYPT_ECCPRIVATE_BLOB,
                                 &key->key, blob, length, 0);
  if (status != 0) fprintf(stderr, "cng double: bcrypt returned %#lx\n", (unsigned long)status);
  return status == 0 ? key : NULL;
}

void free_signing_key(struct signing_key *key) {
  BCryptDestroyKey(key->key);
  BCryptCloseAlgorithmProvider(key->algorithm, 0);
  free(key);
}

int is_rsa(const struct signing_key *key) { return key->rsa; }

uint32_t signature_length(const struct signing_key *key) { return key->signature_length; }

int make_signature(struct signing_key *key, const char *hash, const uint8_t *value, uint32_t length,
                   uint8_t *signature) {
  wide name[8];
  copy_wide(name, hash);
  BCRYPT_PKCS1_PADDING_INFO padding = {(LPCWSTR)name};
  ULONG made = 0;
  NTSTATUS status =
      BCryptSignHash(key->key, key->rsa ? &padding : NULL, (PUCHAR)value, length, signature,
                     key->signature_length, &made, key->rsa ? BCRYPT_PAD_PKCS1 : 0);
  if (status != 0) fprintf(stderr, "cng double: bcrypt returned %#lx\n", (unsigned long)status);
  return status == 0 && made == key->signature_length;
}

void pause_milliseconds(unsigned milliseconds) { Sleep(milliseconds); }
