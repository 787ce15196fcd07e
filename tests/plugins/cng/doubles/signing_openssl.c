/* Signing by OpenSSL, for the double on Linux: keys are PEM files. */
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <unistd.h>

#include "double.h"

static EVP_PKEY *pkey_of(const struct signing_key *key) { return (EVP_PKEY *)key; }

struct signing_key *load_signing_key(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) return NULL;
  EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
  fclose(file);
  return (struct signing_key *)key;
}

void free_signing_key(struct signing_key *key) { EVP_PKEY_free(pkey_of(key)); }

int is_rsa(const struct signing_key *key) { return EVP_PKEY_base_id(pkey_of(key)) == EVP_PKEY_RSA; }

uint32_t signature_length(const struct signing_key *key) {
  uint32_t bits = (uint32_t)EVP_PKEY_bits(pkey_of(key));
  return is_rsa(key) ? (bits + 7) / 8 : 2 * ((bits + 7) / 8);
}

int make_signature(struct signing_key *key, const char *hash, const uint8_t *value, uint32_t length,
                   uint8_t *signature) {
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pkey_of(key), NULL);
  uint8_t made[2048];
  size_t made_length = sizeof made;
  int ok = EVP_PKEY_sign_init(context) > 0;
  if (is_rsa(key)) {
    ok = ok && EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0 &&
         EVP_PKEY_CTX_set_signature_md(context, EVP_get_digestbyname(hash)) > 0;
  }
  ok = ok && EVP_PKEY_sign(context, made, &made_length, value, length) > 0;
  EVP_PKEY_CTX_free(context);
  if (!ok) return 0;
  int half = (int)signature_length(key) / 2;
  if (is_rsa(key)) {
    for (size_t i = 0; i < made_length; i++) signature[i] = made[i];
    return made_length == signature_length(key);
  }
  const uint8_t *at = made;
  ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)made_length);
  ok = pair != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, half) == half &&
       BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + half, half) == half;
  ECDSA_SIG_free(pair);
  return ok;
}

void pause_milliseconds(unsigned milliseconds) { usleep(milliseconds * 1000); }
