/* Certificate stores, contexts, chains, and finding a private key: crypt32.dll. */
#include <stdlib.h>
#include <string.h>

#include "double.h"
#include "keys.h"

#define STORE_PROVIDER_SYSTEM 10u
#define READ_WHAT_IS_THERE 0xc000u
#define OFFLINE 0x104u
#define ACQUIRE 0x20044u
#define ERROR_FILE_NOT_FOUND 2u
#define CRYPT_E_NOT_FOUND 0x80092004u
#define CRYPT_E_NO_KEY_PROPERTY 0x8009200bu
#define NTE_KEYSET_NOT_DEF 0x80090019u

enum { STORE = 0x53544f52, CONTEXT = 0x43545854, CHAIN = 0x4348414e, DEAD = 0x44454144 };

struct store {
  uint32_t magic;
  int machine;
  int contexts;
};

/* CERT_CONTEXT, followed by the double's own fields. */
struct context {
  uint32_t encoding;
  uint8_t *encoded;
  uint32_t length;
  void *info;
  void *cert_store;
  uint32_t magic;
  int references;
  int index;
  struct store *store;
};
_Static_assert(offsetof(struct context, encoded) == 8, "CERT_CONTEXT.pbCertEncoded");
_Static_assert(offsetof(struct context, length) == 16, "CERT_CONTEXT.cbCertEncoded");
_Static_assert(offsetof(struct context, magic) == 40, "sizeof(CERT_CONTEXT)");

static struct store *check_store(struct store *store, const char *function) {
  if (store == NULL || store->magic != STORE) misuse(function, "no open store");
  return store;
}

static struct context *check_context(struct context *context, const char *function) {
  if (context == NULL || context->magic != CONTEXT || context->references < 1)
    misuse(function, "no live certificate context");
  return context;
}

static struct context *make_context(int index, struct store *store) {
  struct context *context = calloc(1, sizeof *context);
  context->encoding = 1;
  context->encoded = malloc(entries[index].length);
  memcpy(context->encoded, entries[index].encoded, entries[index].length);
  context->length = entries[index].length;
  context->magic = CONTEXT;
  context->references = 1;
  context->index = index;
  context->store = store;
  if (store != NULL) store->contexts++;
  return context;
}

/* Freed contexts are poisoned and never given back, so that later use is found out. */
static void drop_context(struct context *context) {
  if (--context->references > 0) return;
  memset(context->encoded, 0xdd, context->length);
  context->magic = DEAD;
  if (context->store != NULL) context->store->contexts--;
}

API struct store *CertOpenStore(uintptr_t provider, uint32_t encoding, uintptr_t unused,
                                uint32_t flags, const wide *name) {
  if (provider != STORE_PROVIDER_SYSTEM || encoding != 0 || unused != 0)
    misuse("CertOpenStore", "not a system store");
  int machine = flags == (0x20000 | READ_WHAT_IS_THERE);
  if (!machine && flags != (0x10000 | READ_WHAT_IS_THERE)) misuse("CertOpenStore", "other flags");
  if (!may_succeed("CertOpenStore")) return NULL;
  if (!same_wide(name, "MY") && !same_wide(name, "WebHosting")) {
    set_last_error(ERROR_FILE_NOT_FOUND);
    return NULL;
  }
  struct store *store = calloc(1, sizeof *store);
  store->magic = STORE;
  store->machine = machine;
  live++;
  return store;
}

API int32_t CertCloseStore(struct store *store, uint32_t flags) {
  check_store(store, "CertCloseStore");
  if (flags != 0) misuse("CertCloseStore", "flags");
  if (store->contexts != 0) misuse("CertCloseStore", "contexts of it are still held");
  store->magic = DEAD;
  live--;
  return 1;
}

API struct context *CertEnumCertificatesInStore(struct store *store, struct context *previous) {
  check_store(store, "CertEnumCertificatesInStore");
  int next = 0;
  if (previous != NULL) {
    check_context(previous, "CertEnumCertificatesInStore");
    next = previous->index + 1;
    drop_context(previous);
    live--;
  }
  if (!may_succeed("CertEnumCertificatesInStore")) return NULL;
  while (next < entry_count && !entries[next].in_store) next++;
  if (next == entry_count) {
    set_last_error(CRYPT_E_NOT_FOUND);
    return NULL;
  }
  live++;
  return make_context(next, store);
}

API struct context *CertDuplicateCertificateContext(struct context *context) {
  check_context(context, "CertDuplicateCertificateContext")->references++;
  live++;
  return context;
}

API int32_t CertFreeCertificateContext(struct context *context) {
  drop_context(check_context(context, "CertFreeCertificateContext"));
  live--;
  return 1;
}

/* CRYPT_KEY_PROV_INFO, followed by its texts. */
struct key_provider_info {
  const wide *container;
  const wide *provider;
  uint32_t type;
  uint32_t flags;
  uint32_t parameter_count;
  void *parameters;
  uint32_t key_spec;
  wide texts[96];
};
_Static_assert(offsetof(struct key_provider_info, type) == 16, "CRYPT_KEY_PROV_INFO.dwProvType");
_Static_assert(offsetof(struct key_provider_info, flags) == 20, "CRYPT_KEY_PROV_INFO.dwFlags");
_Static_assert(offsetof(struct key_provider_info, key_spec) == 40, "CRYPT_KEY_PROV_INFO.dwKeySpec");

API int32_t CertGetCertificateContextProperty(struct context *context, uint32_t property,
                                              struct key_provider_info *data, uint32_t *length) {
  const char *function = "CertGetCertificateContextProperty";
  const struct entry *entry = &entries[check_context(context, function)->index];
  if (length == NULL) misuse(function, "no length");
  int has = (property == 2 && entry->kind != NO_KEY && entry->kind != CNG_CACHED) ||
            (property == 78 && entry->kind == CNG_CACHED);
  if (property != 2 && property != 5 && property != 78) misuse(function, "another property");
  if (!may_succeed(function)) return 0;
  if (!has) {
    set_last_error(CRYPT_E_NOT_FOUND);
    return 0;
  }
  if (data != NULL) {
    if (property != 2 || *length < sizeof *data) misuse(function, "too little room");
    memset(data, 0, sizeof *data);
    memcpy(data->texts, entry->container, sizeof entry->container);
    copy_wide(data->texts + 32, provider_name(entry->kind));
    data->container = data->texts;
    data->provider = data->texts + 32;
    data->type = provider_type(entry->kind);
    data->key_spec = data->type == 0 ? 0 : entry->kind == CRYPTO_API_FULL ? 3 : 2;
  }
  *length = property == 2 ? (uint32_t)sizeof(struct key_provider_info) : 8;
  return 1;
}

API int32_t CryptAcquireCertificatePrivateKey(struct context *context, uint32_t flags, void *window,
                                              uint64_t *handle, uint32_t *key_spec,
                                              int32_t *caller_frees) {
  const char *function = "CryptAcquireCertificatePrivateKey";
  struct entry *entry = &entries[check_context(context, function)->index];
  if (flags != ACQUIRE || window != NULL) misuse(function, "a window could open");
  if (!may_succeed(function)) return 0;
  if (entry->kind == NO_KEY) {
    set_last_error(CRYPT_E_NO_KEY_PROPERTY);
    return 0;
  }
  *handle = open_key(entry, key_spec, caller_frees);
  return 1;
}

/* CERT_CHAIN_ELEMENT, CERT_SIMPLE_CHAIN and CERT_CHAIN_CONTEXT as far as they are read. */
struct chain_element {
  uint32_t size;
  struct context *context;
  uint32_t error, information;
};
struct simple_chain {
  uint32_t size, error, information, count;
  struct chain_element **elements;
};
struct chain {
  uint32_t size, error, information, count;
  struct simple_chain **chains;
  uint32_t magic;
  struct simple_chain only;
  struct simple_chain *pointers[1];
  struct chain_element *element_pointers[16];
  struct chain_element element[16];
};
_Static_assert(offsetof(struct chain_element, context) == 8, "CERT_CHAIN_ELEMENT.pCertContext");
_Static_assert(offsetof(struct simple_chain, count) == 12, "CERT_SIMPLE_CHAIN.cElement");
_Static_assert(offsetof(struct simple_chain, elements) == 16, "CERT_SIMPLE_CHAIN.rgpElement");
_Static_assert(offsetof(struct chain, chains) == 16, "CERT_CHAIN_CONTEXT.rgpChain");

API int32_t CertGetCertificateChain(uintptr_t engine, struct context *context, void *time,
                                    struct store *additional, const uint32_t *parameters,
                                    uint32_t flags, void *reserved, struct chain **result) {
  const char *function = "CertGetCertificateChain";
  check_context(context, function);
  check_store(additional, function);
  if (engine != (uintptr_t)additional->machine) misuse(function, "the other location's engine");
  if (time != NULL || reserved != NULL) misuse(function, "arguments that must be null");
  if (flags != OFFLINE) misuse(function, "it may use the network");
  if (parameters == NULL || parameters[0] != 32) misuse(function, "CERT_CHAIN_PARA.cbSize");
  for (int i = 1; i < 8; i++)
    if (parameters[i] != 0) misuse(function, "CERT_CHAIN_PARA asks for something");
  if (!may_succeed(function)) return 0;
  struct chain *chain = calloc(1, sizeof *chain);
  chain->size = 56;
  chain->error = 0x20; /* CERT_TRUST_IS_UNTRUSTED_ROOT */
  chain->count = 1;
  chain->chains = chain->pointers;
  chain->pointers[0] = &chain->only;
  chain->only.size = 56;
  chain->only.elements = chain->element_pointers;
  chain->magic = CHAIN;
  for (int index = context->index; index >= 0; index = entries[index].parent) {
    struct chain_element *element = &chain->element[chain->only.count];
    element->size = 56;
    element->context = make_context(index, NULL);
    chain->element_pointers[chain->only.count++] = element;
  }
  live++;
  *result = chain;
  return 1;
}

API void CertFreeCertificateChain(struct chain *chain) {
  if (chain == NULL || chain->magic != CHAIN) misuse("CertFreeCertificateChain", "no live chain");
  for (uint32_t i = 0; i < chain->only.count; i++) drop_context(chain->element[i].context);
  chain->magic = DEAD;
  chain->chains = NULL;
  live--;
}
