/*
 * A double of the parts of crypt32, ncrypt, advapi32 and kernel32 that the cng: keystore calls. It
 * is stricter than Windows: every handle is checked, whatever is wrong ends the process with a
 * message on standard error, and every object that the caller owns is counted.
 *
 * Compiled for Linux (signing by OpenSSL) and for Windows (signing by bcrypt.dll).
 */
#ifndef DOUBLE_H
#define DOUBLE_H

#include <stddef.h>
#include <stdint.h>

#ifdef _WIN32
#define API __declspec(dllexport)
#else
#define API __attribute__((visibility("default")))
#endif

typedef uint16_t wide; /* a UTF-16 unit */

/* Places of the key of a certificate. The numbers are known to the tests. */
enum key_kind {
  NO_KEY = 0,
  CNG_SOFTWARE = 1,
  CNG_SMART_CARD = 2,
  CRYPTO_API_AES = 3,  /* PROV_RSA_AES, which knows SHA-2 */
  CRYPTO_API_FULL = 4, /* PROV_RSA_FULL, which does not */
  CNG_CACHED = 5,      /* a handle that stays the store's */
  CRYPTO_API_CARD = 6, /* PROV_RSA_FULL of somebody's card, which no other provider opens */
};

struct signing_key; /* of signing_*.c */

struct entry {
  uint8_t *encoded;
  uint32_t length;
  enum key_kind kind;
  struct signing_key *key;
  int parent;   /* index of the issuer's entry; -1: none known */
  int in_store; /* else it is known to the chain engine only */
  wide container[32];
};

/* state.c */
extern struct entry entries[];
extern int entry_count;
extern long live;
void misuse(const char *function, const char *what);
/* Sets the last error and returns 0 when the test wants this call of `function` to fail. */
int may_succeed(const char *function);
uint32_t failure_code(void);
void set_last_error(uint32_t code);
int same_wide(const wide *a, const char *b);
void copy_wide(wide *to, const char *from);
const char *smart_card_pin(void);

/* signing_openssl.c, signing_bcrypt.c: `hash` names SHA256, SHA384 or SHA512; big-endian results. */
struct signing_key *load_signing_key(const char *path);
void free_signing_key(struct signing_key *key);
int is_rsa(const struct signing_key *key);
uint32_t signature_length(const struct signing_key *key);
int make_signature(struct signing_key *key, const char *hash, const uint8_t *value, uint32_t length,
                   uint8_t *signature);
void pause_milliseconds(unsigned milliseconds);

#endif
