/* Keys of CNG and of CryptoAPI: ncrypt.dll and advapi32.dll. */
#include "keys.h"

#include <stdlib.h>
#include <string.h>

#define CNG_KEY_SPEC 0xffffffffu
#define AT_SIGNATURE 2u
#define PROV_RSA_FULL 1u
#define PROV_RSA_AES 24u
#define NTE_BAD_ALGID 0x80090008u
#define NTE_NO_KEY 0x8009000du
#define NTE_BAD_KEYSET 0x80090016u
#define NTE_SILENT_CONTEXT 0x80090022u
#define NTE_NOT_SUPPORTED 0x80090029u
#define SCARD_W_WRONG_CHV 0x8010006bu
#define SCARD_W_CHV_BLOCKED 0x8010006cu

enum { KEY = 0x4b455920, PROVIDER = 0x50524f56, HASH = 0x48415348, DEAD = 0x44454144 };

static const char *const AES_PROVIDER = "Microsoft Enhanced RSA and AES Cryptographic Provider";
static const char *const HASH_NAMES[] = {"SHA256", "SHA384", "SHA512"};
static const uint32_t HASH_LENGTHS[] = {32, 48, 64};

const char *provider_name(enum key_kind kind) {
  switch (kind) {
    case CRYPTO_API_AES: return AES_PROVIDER;
    case CRYPTO_API_FULL: return "Microsoft Enhanced Cryptographic Provider v1.0";
    case CRYPTO_API_CARD: return "Microsoft Base Smart Card Crypto Provider";
    case CNG_SMART_CARD: return "Microsoft Smart Card Key Storage Provider";
    default: return "Microsoft Software Key Storage Provider";
  }
}

uint32_t provider_type(enum key_kind kind) {
  if (kind == CRYPTO_API_AES) return PROV_RSA_AES;
  return kind == CRYPTO_API_FULL || kind == CRYPTO_API_CARD ? PROV_RSA_FULL : 0;
}

/* NCRYPT_KEY_HANDLE and HCRYPTPROV. */
struct key {
  uint32_t magic;
  struct entry *entry;
  uint32_t type;
  int hashes;
  int cached;
  int has_pin;
  int wrong_pins;
};

static struct key *make_key(struct entry *entry, uint32_t magic, uint32_t type) {
  struct key *key = calloc(1, sizeof *key);
  key->magic = magic;
  key->entry = entry;
  key->type = type;
  return key;
}

static struct key *check_key(uint64_t handle, uint32_t magic, const char *function) {
  struct key *key = (struct key *)(uintptr_t)handle;
  if (key == NULL || key->magic != magic) misuse(function, "no live handle of this kind");
  return key;
}

uint64_t open_key(struct entry *entry, uint32_t *key_spec, int32_t *caller_frees) {
  int cng = provider_type(entry->kind) == 0;
  struct key *key = make_key(entry, cng ? KEY : PROVIDER, provider_type(entry->kind));
  key->cached = entry->kind == CNG_CACHED;
  *key_spec = cng ? CNG_KEY_SPEC : AT_SIGNATURE;
  *caller_frees = !key->cached;
  if (!key->cached) live++;
  return (uint64_t)(uintptr_t)key;
}

API uint32_t NCryptSignHash(uint64_t handle, wide *const *padding, const uint8_t *hash,
                            uint32_t hash_length, uint8_t *signature, uint32_t room,
                            uint32_t *length, uint32_t flags) {
  const char *function = "NCryptSignHash";
  struct key *key = check_key(handle, KEY, function);
  /* Long enough for buffers that nobody holds to be collected and written over. */
  pause_milliseconds(20);
  int rsa = is_rsa(key->entry->key);
  if (flags != (rsa ? 0x42u : 0x40u)) misuse(function, "flags: PKCS#1 for RSA only, and silent");
  if (rsa != (padding != NULL)) misuse(function, "padding is for RSA only");
  int known = 0;
  while (known < 3 && HASH_LENGTHS[known] != hash_length) known++;
  if (known == 3) misuse(function, "not the length of a hash");
  if (rsa && !same_wide(*padding, HASH_NAMES[known])) misuse(function, "another hash in padding");
  if (room < signature_length(key->entry->key)) misuse(function, "too little room");
  if (!may_succeed(function)) return failure_code();
  if (key->entry->kind == CNG_SMART_CARD && !key->has_pin) return NTE_SILENT_CONTEXT;
  *length = signature_length(key->entry->key);
  if (!make_signature(key->entry->key, HASH_NAMES[known], hash, hash_length, signature))
    misuse(function, "the key does not sign");
  return 0;
}

API uint32_t NCryptGetProperty(uint64_t handle, const wide *name, uint32_t *value, uint32_t room,
                               uint32_t *length, uint32_t flags) {
  const char *function = "NCryptGetProperty";
  struct key *key = check_key(handle, KEY, function);
  if (!same_wide(name, "Impl Type") || room != 4 || flags != 0x40) misuse(function, "arguments");
  if (!may_succeed(function)) return failure_code();
  *value = key->entry->kind == CNG_SMART_CARD ? 0x9 : 0x2;
  *length = 4;
  return 0;
}

API uint32_t NCryptSetProperty(uint64_t handle, const wide *name, const wide *value,
                               uint32_t length, uint32_t flags) {
  const char *function = "NCryptSetProperty";
  struct key *key = check_key(handle, KEY, function);
  if (!same_wide(name, "SmartCardPin") || flags != 0x40) misuse(function, "arguments");
  if (length < 2 || value[length / 2 - 1] != 0) misuse(function, "a PIN without its end");
  if (!may_succeed(function)) return failure_code();
  if (key->entry->kind != CNG_SMART_CARD) return NTE_NOT_SUPPORTED;
  if (key->wrong_pins > 0) misuse(function, "a PIN is tried again after a wrong one");
  key->has_pin = same_wide(value, smart_card_pin());
  if (!key->has_pin) key->wrong_pins++;
  return key->has_pin ? 0 : SCARD_W_WRONG_CHV;
}

API uint32_t NCryptFreeObject(uint64_t handle) {
  struct key *key = check_key(handle, KEY, "NCryptFreeObject");
  if (key->cached) misuse("NCryptFreeObject", "a handle that belongs to the store");
  key->magic = DEAD;
  live--;
  return 0;
}

static int same_text(const wide *a, const wide *b) {
  while (*a != 0 && *a == *b) a++, b++;
  return *a == *b;
}

API int32_t CryptAcquireContextW(uint64_t *handle, const wide *container, const wide *provider,
                                 uint32_t type, uint32_t flags) {
  const char *function = "CryptAcquireContextW";
  if (type != PROV_RSA_AES || !same_wide(provider, AES_PROVIDER)) misuse(function, "provider");
  if ((flags & ~0x20u) != 0x40) misuse(function, "flags: silent, and the machine's keys");
  if (!may_succeed(function)) return 0;
  for (int i = 0; i < entry_count; i++) {
    if (entries[i].kind == CRYPTO_API_CARD || provider_type(entries[i].kind) == 0) continue;
    if (!same_text(entries[i].container, container)) continue;
    struct key *key = make_key(&entries[i], PROVIDER, PROV_RSA_AES);
    *handle = (uint64_t)(uintptr_t)key;
    live++;
    return 1;
  }
  set_last_error(NTE_BAD_KEYSET);
  return 0;
}

API int32_t CryptReleaseContext(uint64_t handle, uint32_t flags) {
  struct key *key = check_key(handle, PROVIDER, "CryptReleaseContext");
  if (flags != 0) misuse("CryptReleaseContext", "flags");
  if (key->hashes != 0) misuse("CryptReleaseContext", "hashes of it are still held");
  key->magic = DEAD;
  live--;
  return 1;
}

/* HCRYPTHASH. */
struct hash {
  uint32_t magic;
  struct key *key;
  int known;
  int has_value;
  uint8_t value[64];
};

static struct hash *check_hash(uint64_t handle, const char *function) {
  struct hash *hash = (struct hash *)(uintptr_t)handle;
  if (hash == NULL || hash->magic != HASH) misuse(function, "no live hash");
  return hash;
}

API int32_t CryptCreateHash(uint64_t handle, uint32_t algorithm, uint64_t hash_key, uint32_t flags,
                            uint64_t *result) {
  const char *function = "CryptCreateHash";
  struct key *key = check_key(handle, PROVIDER, function);
  if (hash_key != 0 || flags != 0) misuse(function, "arguments");
  if (algorithm < 0x800c || algorithm > 0x800e) misuse(function, "no SHA-2");
  if (!may_succeed(function)) return 0;
  if (key->type != PROV_RSA_AES) {
    set_last_error(NTE_BAD_ALGID);
    return 0;
  }
  struct hash *hash = calloc(1, sizeof *hash);
  hash->magic = HASH;
  hash->key = key;
  hash->known = (int)(algorithm - 0x800c);
  key->hashes++;
  live++;
  *result = (uint64_t)(uintptr_t)hash;
  return 1;
}

API int32_t CryptSetHashParam(uint64_t handle, uint32_t parameter, const uint8_t *value,
                              uint32_t flags) {
  struct hash *hash = check_hash(handle, "CryptSetHashParam");
  if (parameter != 2 || flags != 0) misuse("CryptSetHashParam", "arguments");
  if (!may_succeed("CryptSetHashParam")) return 0;
  memcpy(hash->value, value, HASH_LENGTHS[hash->known]);
  hash->has_value = 1;
  return 1;
}

API int32_t CryptSignHashW(uint64_t handle, uint32_t key_spec, const wide *description,
                           uint32_t flags, uint8_t *signature, uint32_t *length) {
  const char *function = "CryptSignHashW";
  struct hash *hash = check_hash(handle, function);
  struct signing_key *key = hash->key->entry->key;
  if (description != NULL || flags != 0) misuse(function, "arguments");
  if (!hash->has_value) misuse(function, "nothing to sign");
  if (*length < signature_length(key)) misuse(function, "too little room");
  if (!may_succeed(function)) return 0;
  if (key_spec != AT_SIGNATURE) {
    set_last_error(NTE_NO_KEY);
    return 0;
  }
  *length = signature_length(key);
  if (!make_signature(key, HASH_NAMES[hash->known], hash->value, HASH_LENGTHS[hash->known],
                      signature))
    misuse(function, "the key does not sign");
  for (uint32_t i = 0; i < *length / 2; i++) { /* little-endian, as CryptoAPI has it */
    uint8_t byte = signature[i];
    signature[i] = signature[*length - 1 - i];
    signature[*length - 1 - i] = byte;
  }
  return 1;
}

API int32_t CryptDestroyHash(uint64_t handle) {
  struct hash *hash = check_hash(handle, "CryptDestroyHash");
  hash->magic = DEAD;
  hash->key->hashes--;
  live--;
  return 1;
}
