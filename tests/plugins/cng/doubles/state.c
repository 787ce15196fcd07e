/* Objects that a test put into the double, which calls are to fail, and how many objects are alive. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "double.h"

#define MOST_ENTRIES 64

struct entry entries[MOST_ENTRIES];
int entry_count;
long live;

static struct {
  char function[64];
  uint32_t code;
  int successes_left;
} failure;
static char pin[64];
static __thread uint32_t last_error = 0xdeadbeef;
static __thread uint32_t injected_code;

void misuse(const char *function, const char *what) {
  fprintf(stderr, "cng double: misuse of %s: %s\n", function, what);
  fflush(stderr);
  abort();
}

int may_succeed(const char *function) {
  last_error = 0xdeadbeef; /* nobody may look at it after a call that went well */
  if (strcmp(failure.function, function) != 0 || failure.successes_left-- > 0) return 1;
  injected_code = failure.code;
  last_error = failure.code;
  return 0;
}

uint32_t failure_code(void) { return injected_code; }

void set_last_error(uint32_t code) { last_error = code; }

const char *smart_card_pin(void) { return pin; }

int same_wide(const wide *a, const char *b) {
  if (a == NULL) return 0;
  while (*b != 0 && *a == (wide)*b) a++, b++;
  return *a == 0 && *b == 0;
}

void copy_wide(wide *to, const char *from) {
  do *to++ = (wide)*from;
  while (*from++ != 0);
}

/* Exported as GetLastError: on Windows by windows.def, as the linker knows another one there. */
#ifdef _WIN32
uint32_t double_last_error(void);
#else
API uint32_t double_last_error(void) __asm__("GetLastError");
#endif
uint32_t double_last_error(void) { return last_error; }

API int64_t double_live(void) { return live; }

/* Forgets everything. A test that leaves something alive has failed already. */
API void double_reset(void) {
  for (int i = 0; i < entry_count; i++) {
    free(entries[i].encoded);
    if (entries[i].key != NULL) free_signing_key(entries[i].key);
  }
  entry_count = 0;
  live = 0;
  memset(&failure, 0, sizeof failure);
  pin[0] = 0;
}

/* Adds a certificate; returns its number. `key_path` is null without a key. */
API int32_t double_add(const uint8_t *encoded, uint32_t length, const char *key_path, uint32_t kind,
                       int32_t in_store) {
  if (entry_count == MOST_ENTRIES) misuse("double_add", "too many certificates");
  struct entry *entry = &entries[entry_count];
  memset(entry, 0, sizeof *entry);
  entry->encoded = malloc(length);
  memcpy(entry->encoded, encoded, length);
  entry->length = length;
  entry->kind = (enum key_kind)kind;
  entry->parent = -1;
  entry->in_store = in_store;
  char container[32];
  snprintf(container, sizeof container, "container %d", entry_count);
  copy_wide(entry->container, container);
  if (key_path != NULL) {
    entry->key = load_signing_key(key_path);
    if (entry->key == NULL) misuse("double_add", "the key cannot be read");
  }
  return entry_count++;
}

API void double_issued_by(int32_t child, int32_t issuer) { entries[child].parent = issuer; }

/* Lets `function` fail with `code` once it has succeeded so often. */
API void double_fail(const char *function, uint32_t code, int32_t successes) {
  snprintf(failure.function, sizeof failure.function, "%s", function);
  failure.code = code;
  failure.successes_left = successes;
}

API void double_set_pin(const char *text) { snprintf(pin, sizeof pin, "%s", text); }
