/* Security: identities, keys, trust, keychains. */
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "double.h"

#define errSecParam (-50)
#define errSecAuthFailed (-25293)
#define errSecItemNotFound (-25300)
#define errSecInvalidItemRef (-25304)
#define errSecInteractionNotAllowed (-25308)

CONSTANT(kSecClass)
CONSTANT(kSecClassIdentity)
CONSTANT(kSecReturnRef)
CONSTANT(kSecMatchLimit)
CONSTANT(kSecMatchLimitAll)
CONSTANT(kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA256)
CONSTANT(kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA384)
CONSTANT(kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA512)
CONSTANT(kSecKeyAlgorithmECDSASignatureDigestX962SHA256)
CONSTANT(kSecKeyAlgorithmECDSASignatureDigestX962SHA384)
CONSTANT(kSecKeyAlgorithmECDSASignatureDigestX962SHA512)
extern struct object *const kCFBooleanTrue;

static struct object *make_of(enum object_type type, int entry) {
  struct object *object = make(type);
  object->entry = entry;
  return object;
}

API OSStatus SecItemCopyMatching(const void *query, struct object **result) {
  const char *function = "SecItemCopyMatching";
  check(query, DICTIONARY, function);
  if (*result != NULL) misuse(function, "a place that holds an object");
  if (CFDictionaryGetValue(query, kSecClass) != kSecClassIdentity) return errSecParam;
  if (CFDictionaryGetValue(query, kSecReturnRef) != kCFBooleanTrue) return errSecParam;
  if (CFDictionaryGetValue(query, kSecMatchLimit) != kSecMatchLimitAll) return errSecParam;
  OSStatus code;
  if (!may_succeed(function, &code)) return code;
  struct object *found[64];
  CFIndex count = 0;
  for (int i = 0; i < entry_count; i++)
    if (entries[i].key != NULL) found[count++] = make_of(IDENTITY, i);
  if (count == 0) return errSecItemNotFound;
  *result = make_array(found, count);
  return 0;
}

static OSStatus copy_part(const void *identity, enum object_type type, struct object **result,
                          const char *function) {
  int entry = check(identity, IDENTITY, function)->entry;
  if (*result != NULL) misuse(function, "a place that holds an object");
  OSStatus code;
  if (!may_succeed(function, &code)) return code;
  if (is_removed) return errSecItemNotFound;
  *result = make_of(type, entry);
  return 0;
}

API OSStatus SecIdentityCopyCertificate(const void *identity, struct object **result) {
  return copy_part(identity, CERTIFICATE, result, "SecIdentityCopyCertificate");
}

API OSStatus SecIdentityCopyPrivateKey(const void *identity, struct object **result) {
  return copy_part(identity, KEY, result, "SecIdentityCopyPrivateKey");
}

API struct object *SecCertificateCopyData(const void *certificate) {
  int entry = check(certificate, CERTIFICATE, "SecCertificateCopyData")->entry;
  OSStatus code;
  if (!may_succeed("SecCertificateCopyData", &code)) return NULL;
  return make_data(entries[entry].encoded, entries[entry].length);
}

/* The hash of an algorithm's name if it is one for this kind of key. */
static const char *hash_of(const struct object *key, const void *algorithm) {
  const char *name = check(algorithm, STRING, "an algorithm")->items;
  const char *kind = EVP_PKEY_base_id(entries[key->entry].key) == EVP_PKEY_RSA ? "RSA" : "ECDSA";
  const char *prefix = "kSecKeyAlgorithm";
  if (strncmp(name, prefix, strlen(prefix)) != 0) misuse("an algorithm", "another constant");
  name += strlen(prefix);
  return strncmp(name, kind, strlen(kind)) == 0 ? name + strlen(name) - 6 : NULL;
}

API Boolean SecKeyIsAlgorithmSupported(const void *pointer, CFIndex operation,
                                       const void *algorithm) {
  struct object *key = check(pointer, KEY, "SecKeyIsAlgorithmSupported");
  if (operation != 0) misuse("SecKeyIsAlgorithmSupported", "not for signing");
  OSStatus code;
  return may_succeed("SecKeyIsAlgorithmSupported", &code) && hash_of(key, algorithm) != NULL;
}

static struct object *refuse(CFIndex code, struct object **error) {
  *error = make_error(code, error_domain);
  return NULL;
}

API struct object *SecKeyCreateSignature(const void *pointer, const void *algorithm,
                                         const void *digest, struct object **error) {
  const char *function = "SecKeyCreateSignature";
  struct object *key = check(pointer, KEY, function);
  struct object *data = check(digest, DATA, function);
  if (error == NULL || *error != NULL) misuse(function, "no place for an error");
  usleep(20000); /* long enough for buffers that nobody holds to be written over */
  const char *hash = hash_of(key, algorithm);
  if (hash == NULL) return refuse(errSecParam, error);
  const EVP_MD *md = EVP_get_digestbyname(hash);
  if (data->count != EVP_MD_size(md)) misuse(function, "not a digest of this algorithm");
  OSStatus code;
  if (!may_succeed(function, &code)) return refuse(code, error);
  struct entry *entry = &entries[key->entry];
  if (is_removed) return refuse(errSecInvalidItemRef, error);
  if (entry->keychain == LOCKED_KEYCHAIN && is_locked)
    return refuse(errSecInteractionNotAllowed, error);
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(entry->key, NULL);
  uint8_t signature[2048];
  size_t length = sizeof signature;
  int ok = EVP_PKEY_sign_init(context) > 0;
  if (EVP_PKEY_base_id(entry->key) == EVP_PKEY_RSA)
    ok = ok && EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0 &&
         EVP_PKEY_CTX_set_signature_md(context, md) > 0;
  ok = ok && EVP_PKEY_sign(context, signature, &length, data->items, (size_t)data->count) > 0;
  EVP_PKEY_CTX_free(context);
  if (!ok) misuse(function, "the key does not sign");
  return make_data(signature, (CFIndex)length);
}

API struct object *SecPolicyCreateBasicX509(void) { return make(POLICY); }

API OSStatus SecTrustCreateWithCertificates(const void *certificates, const void *policy,
                                            struct object **result) {
  const char *function = "SecTrustCreateWithCertificates";
  struct object *array = check(certificates, ARRAY, function);
  check(policy, POLICY, function);
  if (array->count < 1) misuse(function, "no certificate");
  struct object *leaf = check(((struct object *const *)array->items)[0], CERTIFICATE, function);
  OSStatus code;
  if (!may_succeed(function, &code)) return code;
  *result = make_of(TRUST, leaf->entry);
  return 0;
}

API OSStatus SecTrustSetNetworkFetchAllowed(const void *trust, Boolean allowed) {
  check(trust, TRUST, "SecTrustSetNetworkFetchAllowed")->offline = !allowed;
  OSStatus code;
  return may_succeed("SecTrustSetNetworkFetchAllowed", &code) ? 0 : code;
}

API Boolean SecTrustEvaluateWithError(const void *pointer, struct object **error) {
  struct object *trust = check(pointer, TRUST, "SecTrustEvaluateWithError");
  if (!trust->offline) misuse("SecTrustEvaluateWithError", "it may use the network");
  trust->evaluated = 1;
  if (is_trusted) return 1;
  *error = make_error(-67843 /* errSecNotTrusted */, "NSOSStatusErrorDomain");
  return 0;
}

#ifndef OLD_MACOS
/* The path above a certificate; only as far as "the leaf exists" when the call is to fail. */
static CFIndex path_of(const struct object *trust, struct object **path, const char *function) {
  if (!trust->evaluated) misuse(function, "nothing was evaluated");
  OSStatus code;
  int whole = may_succeed(function, &code);
  CFIndex count = 0;
  for (int i = trust->entry; i >= 0; i = whole ? entries[i].parent : -1)
    path[count++] = make_of(CERTIFICATE, i);
  return count;
}

API struct object *SecTrustCopyCertificateChain(const void *pointer) {
  struct object *path[16];
  struct object *trust = check(pointer, TRUST, "SecTrustCopyCertificateChain");
  CFIndex count = path_of(trust, path, "SecTrustCopyCertificateChain");
  return make_array(path, count);
}
#else
API CFIndex SecTrustGetCertificateCount(const void *pointer) {
  struct object *trust = check(pointer, TRUST, "SecTrustGetCertificateCount");
  if (!trust->evaluated) misuse("SecTrustGetCertificateCount", "nothing was evaluated");
  CFIndex count = 0;
  for (int i = trust->entry; i >= 0; i = entries[i].parent) count++;
  return count;
}

/* Returns an object of the trust: releasing it is a mistake, and it is not counted. */
API struct object *SecTrustGetCertificateAtIndex(const void *pointer, CFIndex index) {
  int entry = check(pointer, TRUST, "SecTrustGetCertificateAtIndex")->entry;
  while (index-- > 0) entry = entries[entry].parent;
  if (entry < 0) misuse("SecTrustGetCertificateAtIndex", "index");
  struct object *certificate = make_of(CERTIFICATE, entry);
  live--;
  return certificate;
}
#endif

API OSStatus SecKeychainItemCopyKeychain(const void *item, struct object **result) {
  const char *function = "SecKeychainItemCopyKeychain";
  int entry = check(item, KEY, function)->entry;
  OSStatus code;
  if (!may_succeed(function, &code)) return code;
  if (entries[entry].keychain == NO_KEYCHAIN) return errSecInvalidItemRef;
  *result = make_of(KEYCHAIN, entry);
  return 0;
}

API OSStatus SecKeychainGetStatus(const void *pointer, uint32_t *status) {
  struct object *keychain = check(pointer, KEYCHAIN, "SecKeychainGetStatus");
  OSStatus code;
  if (!may_succeed("SecKeychainGetStatus", &code)) return code;
  int locked = entries[keychain->entry].keychain == LOCKED_KEYCHAIN && is_locked;
  *status = locked ? 0x2 : 0x7;
  return 0;
}

API OSStatus SecKeychainGetPath(const void *keychain, uint32_t *length, char *path) {
  const char *name = "/Users/jo/Library/Keychains/credential-helper.keychain-db";
  check(keychain, KEYCHAIN, "SecKeychainGetPath");
  if (*length < strlen(name)) misuse("SecKeychainGetPath", "too little room");
  memcpy(path, name, strlen(name));
  *length = (uint32_t)strlen(name);
  return 0;
}

API OSStatus SecKeychainUnlock(const void *keychain, uint32_t length, const uint8_t *password,
                               Boolean use_password) {
  check(keychain, KEYCHAIN, "SecKeychainUnlock");
  if (!use_password) misuse("SecKeychainUnlock", "it would ask in a window");
  if (!is_locked) misuse("SecKeychainUnlock", "it is not locked");
  if (is_password(password, length)) {
    is_locked = 0;
    return 0;
  }
  if (wrong_passwords++ > 0) misuse("SecKeychainUnlock", "another try after a wrong password");
  return errSecAuthFailed;
}
