/*
 * A double of the parts of CoreFoundation and Security that the keychain: keystore calls, over
 * OpenSSL. It is stricter than macOS: every object is checked, whatever is wrong ends the process
 * with a message on standard error, and every object that is alive is counted.
 *
 * With OLD_MACOS defined it is that of macOS 11 and before.
 */
#ifndef DOUBLE_H
#define DOUBLE_H

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

#define API __attribute__((visibility("default")))

typedef long CFIndex;
typedef unsigned char Boolean;
typedef int32_t OSStatus;

enum object_type {
  STRING = 1,
  DATA,
  ARRAY,
  DICTIONARY,
  BOOLEAN,
  ERROR,
  IDENTITY,
  CERTIFICATE,
  KEY,
  POLICY,
  TRUST,
  KEYCHAIN,
};

/* Object that every CFTypeRef of the double points to. */
struct object {
  uint64_t magic;
  enum object_type type;
  int references;
  CFIndex count;           /* bytes, elements, or an error's code */
  const void *items;       /* bytes, elements or keys */
  struct object **values;  /* of a dictionary */
  struct object *domain;   /* of an error */
  int entry;               /* of what belongs to an identity */
  int offline, evaluated;  /* of a trust */
};

/* objects.c */
extern long live;
void misuse(const char *function, const char *what);
struct object *check(const void *object, enum object_type type, const char *function);
struct object *make(enum object_type type);
struct object *make_data(const uint8_t *bytes, CFIndex length);
struct object *make_array(struct object **elements, CFIndex count);
struct object *make_error(CFIndex code, const char *domain);
const void *CFRetain(const void *object);
void CFRelease(const void *object);
const void *CFDictionaryGetValue(const void *dictionary, const void *key);

/* A constant string object, and the symbol of that name which points to it. */
#define CONSTANT(name)                                                                  \
  static struct object object_##name = {                                                \
      .magic = MAGIC, .type = STRING, .references = 1, .count = sizeof(#name) - 1, .items = #name}; \
  API struct object *const name = &object_##name;
#define MAGIC 0x4346747970655265ull

/* state.c */
struct entry {
  uint8_t *encoded;
  uint32_t length;
  EVP_PKEY *key; /* null: a certificate without its key, no identity */
  int keychain;
  int parent;
};
enum { UNLOCKED_KEYCHAIN = 0, LOCKED_KEYCHAIN = 1, NO_KEYCHAIN = 2 };
extern struct entry entries[];
extern int entry_count;
extern int is_locked, is_trusted, is_removed, wrong_passwords;
extern const char *error_domain;
int may_succeed(const char *function, int32_t *code);
int is_password(const uint8_t *bytes, uint32_t length);

#endif
