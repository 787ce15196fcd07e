/* Objects that a test put into the double, and which calls are to fail. */
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "double.h"

#define MOST_ENTRIES 64

struct entry entries[MOST_ENTRIES];
int entry_count;
int is_locked, is_trusted, is_removed, wrong_passwords;
static char domain[64];
const char *error_domain = domain;

static struct {
  char function[64];
  int32_t code;
  int successes_left;
} failure;
static char password[64];

int may_succeed(const char *function, int32_t *code) {
  if (strcmp(failure.function, function) != 0 || failure.successes_left-- > 0) return 1;
  *code = failure.code;
  return 0;
}

int is_password(const uint8_t *bytes, uint32_t length) {
  return length == strlen(password) && memcmp(bytes, password, length) == 0;
}

API int64_t double_live(void) { return live; }

API void double_reset(void) {
  for (int i = 0; i < entry_count; i++) {
    free(entries[i].encoded);
    EVP_PKEY_free(entries[i].key);
  }
  entry_count = 0;
  live = 0;
  is_locked = is_trusted = is_removed = wrong_passwords = 0;
  memset(&failure, 0, sizeof failure);
  password[0] = 0;
  strcpy(domain, "NSOSStatusErrorDomain");
}

/* Adds a certificate, with its key an identity; returns its number. */
API int32_t double_add(const uint8_t *encoded, uint32_t length, const char *key_path,
                       int32_t keychain) {
  if (entry_count == MOST_ENTRIES) misuse("double_add", "too many certificates");
  struct entry *entry = &entries[entry_count];
  memset(entry, 0, sizeof *entry);
  entry->encoded = malloc(length);
  memcpy(entry->encoded, encoded, length);
  entry->length = length;
  entry->keychain = keychain;
  entry->parent = -1;
  if (keychain == LOCKED_KEYCHAIN) is_locked = 1;
  if (key_path != NULL) {
    FILE *file = fopen(key_path, "rb");
    entry->key = file == NULL ? NULL : PEM_read_PrivateKey(file, NULL, NULL, NULL);
    if (entry->key == NULL) misuse("double_add", "the key cannot be read");
    fclose(file);
  }
  return entry_count++;
}

API void double_issued_by(int32_t child, int32_t issuer) { entries[child].parent = issuer; }

/* Lets `function` fail with `code` once it has succeeded so often. */
API void double_fail(const char *function, int32_t code, int32_t successes) {
  snprintf(failure.function, sizeof failure.function, "%s", function);
  failure.code = code;
  failure.successes_left = successes;
}

/* The domain of the errors that signing returns. */
API void double_set_domain(const char *text) { snprintf(domain, sizeof domain, "%s", text); }

API void double_set_password(const char *text) {
  snprintf(password, sizeof password, "%s", text);
}

/* Sets if the machine trusts the issuers. */
API void double_set_trusted(int32_t trusted) { is_trusted = trusted; }

/* Takes all identities out of the keychain, while references to them are held. */
API void double_remove(void) { is_removed = 1; }
