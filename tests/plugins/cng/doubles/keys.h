/* Keys as the store hands them out. */
#ifndef KEYS_H
#define KEYS_H

#include "double.h"

uint64_t open_key(struct entry *entry, uint32_t *key_spec, int32_t *caller_frees);
const char *provider_name(enum key_kind kind);
uint32_t provider_type(enum key_kind kind);

#endif
