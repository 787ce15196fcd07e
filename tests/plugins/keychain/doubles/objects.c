/* CoreFoundation: objects that are counted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "double.h"

#define DEAD 0x6465616464656164ull
#define UTF_8 0x08000100u

long live;

void misuse(const char *function, const char *what) {
  fprintf(stderr, "keychain double: misuse of %s: %s\n", function, what);
  fflush(stderr);
  abort();
}

/* The object, if it is alive and of this type; 0 is any type. */
struct object *check(const void *pointer, enum object_type type, const char *function) {
  struct object *object = (struct object *)pointer;
  if (object == NULL) misuse(function, "a null object");
  if ((uintptr_t)object % _Alignof(struct object) != 0) misuse(function, "not an object");
  if (object->magic == DEAD) misuse(function, "an object that was released already");
  if (object->magic != MAGIC || object->references < 1) misuse(function, "not an object");
  if (type != 0 && object->type != type) misuse(function, "an object of another type");
  return object;
}

struct object *make(enum object_type type) {
  struct object *object = calloc(1, sizeof *object);
  object->magic = MAGIC;
  object->type = type;
  object->references = 1;
  live++;
  return object;
}

static int is_constant(const struct object *object) {
  return object->type == BOOLEAN || (object->type == STRING && object->values == NULL);
}

API const void *CFRetain(const void *pointer) {
  struct object *object = check(pointer, 0, "CFRetain");
  if (!is_constant(object)) object->references++;
  return pointer;
}

/* Released objects are never given back to the system, so that later use is found out. */
API void CFRelease(const void *pointer) {
  struct object *object = check(pointer, 0, "CFRelease");
  if (is_constant(object)) misuse("CFRelease", "a constant");
  if (--object->references > 0) return;
  object->magic = DEAD;
  live--;
  if (object->type == DATA) memset((void *)object->items, 0xdd, (size_t)object->count);
  if (object->type == ARRAY || object->type == DICTIONARY) {
    struct object *const *elements = object->items;
    for (CFIndex i = 0; i < object->count; i++) {
      if (!is_constant(elements[i])) CFRelease(elements[i]);
      if (object->values != NULL && !is_constant(object->values[i])) CFRelease(object->values[i]);
    }
  }
}

struct object *make_data(const uint8_t *bytes, CFIndex length) {
  struct object *data = make(DATA);
  uint8_t *copy = malloc((size_t)length + 1);
  memcpy(copy, bytes, (size_t)length);
  data->items = copy;
  data->count = length;
  return data;
}

/* Takes over the references of the elements. */
struct object *make_array(struct object **elements, CFIndex count) {
  struct object *array = make(ARRAY);
  struct object **copy = calloc((size_t)count + 1, sizeof *copy);
  memcpy(copy, elements, (size_t)count * sizeof *copy);
  array->items = copy;
  array->count = count;
  return array;
}

struct object *make_error(CFIndex code, const char *domain) {
  struct object *error = make(ERROR);
  error->count = code;
  error->domain = calloc(1, sizeof *error->domain);
  error->domain->magic = MAGIC;
  error->domain->type = STRING;
  error->domain->references = 1;
  error->domain->items = domain;
  error->domain->count = (CFIndex)strlen(domain);
  return error;
}

static struct object object_true = {.magic = MAGIC, .type = BOOLEAN, .references = 1};
API struct object *const kCFBooleanTrue = &object_true;
API const struct {
  CFIndex version;
  void *functions[5];
} kCFTypeDictionaryKeyCallBacks, kCFTypeDictionaryValueCallBacks, kCFTypeArrayCallBacks;

API struct object *CFDataCreate(const void *allocator, const uint8_t *bytes, CFIndex length) {
  if (allocator != NULL || length < 0) misuse("CFDataCreate", "arguments");
  return make_data(bytes, length);
}

API CFIndex CFDataGetLength(const void *data) {
  return check(data, DATA, "CFDataGetLength")->count;
}

API const void *CFDataGetBytePtr(const void *data) {
  return check(data, DATA, "CFDataGetBytePtr")->items;
}

API struct object *CFArrayCreate(const void *allocator, const void **elements, CFIndex count,
                                 const void *callbacks) {
  if (allocator != NULL || callbacks != &kCFTypeArrayCallBacks)
    misuse("CFArrayCreate", "callbacks: the symbol's address is wanted");
  for (CFIndex i = 0; i < count; i++) CFRetain(elements[i]);
  return make_array((struct object **)elements, count);
}

API CFIndex CFArrayGetCount(const void *array) {
  return check(array, ARRAY, "CFArrayGetCount")->count;
}

API const void *CFArrayGetValueAtIndex(const void *pointer, CFIndex index) {
  struct object *array = check(pointer, ARRAY, "CFArrayGetValueAtIndex");
  if (index < 0 || index >= array->count) misuse("CFArrayGetValueAtIndex", "index");
  return ((struct object *const *)array->items)[index];
}

API struct object *CFDictionaryCreate(const void *allocator, const void **keys, const void **values,
                                      CFIndex count, const void *key_callbacks,
                                      const void *value_callbacks) {
  if (allocator != NULL || key_callbacks != &kCFTypeDictionaryKeyCallBacks ||
      value_callbacks != &kCFTypeDictionaryValueCallBacks)
    misuse("CFDictionaryCreate", "callbacks: the symbols' addresses are wanted");
  for (CFIndex i = 0; i < count; i++) CFRetain(keys[i]), CFRetain(values[i]);
  struct object *dictionary = make_array((struct object **)keys, count);
  dictionary->type = DICTIONARY;
  dictionary->values = calloc((size_t)count + 1, sizeof(struct object *));
  memcpy(dictionary->values, values, (size_t)count * sizeof(struct object *));
  return dictionary;
}

const void *CFDictionaryGetValue(const void *pointer, const void *key) {
  struct object *dictionary = check(pointer, DICTIONARY, "CFDictionaryGetValue");
  for (CFIndex i = 0; i < dictionary->count; i++)
    if (((struct object *const *)dictionary->items)[i] == key) return dictionary->values[i];
  return NULL;
}

API CFIndex CFErrorGetCode(const void *error) {
  return check(error, ERROR, "CFErrorGetCode")->count;
}

API const void *CFErrorGetDomain(const void *error) {
  return check(error, ERROR, "CFErrorGetDomain")->domain;
}

API Boolean CFStringGetCString(const void *pointer, char *buffer, CFIndex room, uint32_t encoding) {
  struct object *string = check(pointer, STRING, "CFStringGetCString");
  if (encoding != UTF_8) misuse("CFStringGetCString", "encoding");
  if (string->count + 1 > room) return 0;
  memcpy(buffer, string->items, (size_t)string->count);
  buffer[string->count] = 0;
  return 1;
}
