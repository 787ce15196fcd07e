/*
 * A PKCS#11 module in the layout of Windows (CK_ULONG of 32 bits, structures packed to single bytes)
 * around the module INNER_MODULE.
 */
#include "cryptoki.h"

#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

#ifndef INNER_MODULE
#define INNER_MODULE "/usr/lib/softhsm/libsofthsm2.so"
#endif
#define INNER(place, type) ((type *)inner->at[place])
#define MOST 64
#define MOST_MECHANISMS 1024

typedef uint32_t W_ULONG;

#pragma pack(push, 1)
typedef struct {
  CK_VERSION cryptoki_version;
  CK_BYTE manufacturer[32];
  W_ULONG flags;
  CK_BYTE description[32];
  CK_VERSION library_version;
} W_INFO;
typedef struct {
  CK_BYTE description[64], manufacturer[32];
  W_ULONG flags;
  CK_VERSION hardware, firmware;
} W_SLOT_INFO;
typedef struct {
  CK_BYTE label[32], manufacturer[32], model[16], serial[16];
  W_ULONG flags, counts[10];
  CK_VERSION hardware, firmware;
  CK_BYTE time[16];
} W_TOKEN_INFO;
typedef struct { W_ULONG type; void *value; W_ULONG length; } W_ATTRIBUTE;
typedef struct { W_ULONG type; void *parameter; W_ULONG length; } W_MECHANISM;
typedef struct { void *functions[4]; W_ULONG flags; void *reserved; } W_INITIALIZE_ARGS;
typedef struct { CK_VERSION version; void *at[FUNCTIONS]; } W_FUNCTION_LIST;
#pragma pack(pop)

static CK_FUNCTION_LIST *inner;
static W_FUNCTION_LIST outer;
/* Slot numbers are not always short: those given out are indices. */
static CK_ULONG slots[MOST];
static CK_ULONG slot_count;

static CK_ULONG slot_of(W_ULONG index) {
  return index < slot_count ? slots[index] : (CK_ULONG)-1;
}

/* Attributes whose value is a CK_ULONG: CKA_CLASS, CKA_CERTIFICATE_TYPE, CKA_KEY_TYPE. */
static int is_number(CK_ULONG type) {
  return type == 0 || type == 0x80 || type == 0x100;
}

static W_ULONG initialize(W_INITIALIZE_ARGS *args) {
  CK_C_INITIALIZE_ARGS wide = { { 0 }, args ? args->flags : 0, NULL };
  return (W_ULONG)INNER(INITIALIZE, initialize_fn)(&wide);
}

static W_ULONG finalize(void *reserved) {
  return (W_ULONG)INNER(FINALIZE, finalize_fn)(reserved);
}

static W_ULONG get_info(W_INFO *info) {
  CK_INFO wide;
  CK_RV rv = INNER(GET_INFO, get_info_fn)(&wide);
  if (rv) return (W_ULONG)rv;
  info->cryptoki_version = wide.cryptoki_version;
  memcpy(info->manufacturer, wide.manufacturer, 32);
  info->flags = (W_ULONG)wide.flags;
  memcpy(info->description, wide.description, 32);
  info->library_version = wide.library_version;
  return CKR_OK;
}

static W_ULONG get_slot_list(CK_BYTE present, W_ULONG *list, W_ULONG *count) {
  CK_ULONG found = MOST;
  CK_RV rv = INNER(GET_SLOT_LIST, get_slot_list_fn)(present, slots, &found);
  if (rv) return (W_ULONG)rv;
  slot_count = found;
  W_ULONG room = *count;
  *count = (W_ULONG)found;
  if (!list) return CKR_OK;
  if (found > room) return CKR_BUFFER_TOO_SMALL;
  for (W_ULONG i = 0; i < found; i++) list[i] = i;
  return CKR_OK;
}

static W_ULONG get_slot_info(W_ULONG slot, W_SLOT_INFO *info) {
  CK_SLOT_INFO wide;
  CK_RV rv = INNER(GET_SLOT_INFO, get_slot_info_fn)(slot_of(slot), &wide);
  if (rv) return (W_ULONG)rv;
  memcpy(info->description, wide.description, 64);
  memcpy(info->manufacturer, wide.manufacturer, 32);
  info->flags = (W_ULONG)wide.flags;
  info->hardware = wide.hardware;
  info->firmware = wide.firmware;
  return CKR_OK;
}

static W_ULONG get_token_info(W_ULONG slot, W_TOKEN_INFO *info) {
  CK_TOKEN_INFO wide;
  CK_RV rv = INNER(GET_TOKEN_INFO, get_token_info_fn)(slot_of(slot), &wide);
  if (rv) return (W_ULONG)rv;
  memcpy(info->label, wide.label, 32);
  memcpy(info->manufacturer, wide.manufacturer, 32);
  memcpy(info->model, wide.model, 16);
  memcpy(info->serial, wide.serial, 16);
  info->flags = (W_ULONG)wide.flags;
  for (int i = 0; i < 10; i++) info->counts[i] = (W_ULONG)wide.counts[i];
  info->hardware = wide.hardware;
  info->firmware = wide.firmware;
  memcpy(info->time, wide.time, 16);
  return CKR_OK;
}

static W_ULONG get_mechanism_list(W_ULONG slot, W_ULONG *list, W_ULONG *count) {
  CK_ULONG wide[MOST_MECHANISMS], found = MOST_MECHANISMS;
  CK_RV rv = INNER(GET_MECHANISM_LIST, get_mechanism_list_fn)(slot_of(slot), wide, &found);
  if (rv) return (W_ULONG)rv;
  W_ULONG room = *count;
  *count = (W_ULONG)found;
  if (!list) return CKR_OK;
  if (found > room) return CKR_BUFFER_TOO_SMALL;
  for (CK_ULONG i = 0; i < found; i++) list[i] = (W_ULONG)wide[i];
  return CKR_OK;
}

static W_ULONG open_session(W_ULONG slot, W_ULONG flags, void *data, void *notify, W_ULONG *session) {
  CK_ULONG wide = 0;
  CK_RV rv = INNER(OPEN_SESSION, open_session_fn)(slot_of(slot), flags, data, notify, &wide);
  *session = (W_ULONG)wide;
  return (W_ULONG)rv;
}

static W_ULONG close_session(W_ULONG session) {
  return (W_ULONG)INNER(CLOSE_SESSION, session_fn)(session);
}

static W_ULONG login(W_ULONG session, W_ULONG user, CK_BYTE *pin, W_ULONG length) {
  return (W_ULONG)INNER(LOGIN, login_fn)(session, user, pin, length);
}

static W_ULONG get_attribute_value(W_ULONG session, W_ULONG object, W_ATTRIBUTE *list, W_ULONG count) {
  CK_ATTRIBUTE wide[MOST];
  CK_ULONG numbers[MOST];
  if (count > MOST) return CKR_ARGUMENTS_BAD;
  for (W_ULONG i = 0; i < count; i++) {
    wide[i] = (CK_ATTRIBUTE){ list[i].type, list[i].value, list[i].length };
    if (is_number(list[i].type) && list[i].value && list[i].length >= sizeof(W_ULONG)) {
      wide[i].value = &numbers[i];
      wide[i].length = sizeof(CK_ULONG);
    }
  }
  CK_RV rv = INNER(GET_ATTRIBUTE_VALUE, get_attribute_value_fn)(session, object, wide, count);
  for (W_ULONG i = 0; i < count; i++) {
    if (wide[i].length == (CK_ULONG)-1) {
      list[i].length = (W_ULONG)-1;
    } else if (is_number(list[i].type)) {
      if (wide[i].value == &numbers[i]) memcpy(list[i].value, &(W_ULONG){ (W_ULONG)numbers[i] }, sizeof(W_ULONG));
      list[i].length = sizeof(W_ULONG);
    } else {
      list[i].length = (W_ULONG)wide[i].length;
    }
  }
  return (W_ULONG)rv;
}

static W_ULONG find_objects_init(W_ULONG session, W_ATTRIBUTE *list, W_ULONG count) {
  CK_ATTRIBUTE wide[MOST];
  CK_ULONG numbers[MOST];
  if (count > MOST) return CKR_ARGUMENTS_BAD;
  for (W_ULONG i = 0; i < count; i++) {
    wide[i] = (CK_ATTRIBUTE){ list[i].type, list[i].value, list[i].length };
    if (is_number(list[i].type)) {
      if (list[i].length != sizeof(W_ULONG)) return CKR_ARGUMENTS_BAD;
      W_ULONG number;
      memcpy(&number, list[i].value, sizeof number);
      numbers[i] = number;
      wide[i].value = &numbers[i];
      wide[i].length = sizeof(CK_ULONG);
    }
  }
  return (W_ULONG)INNER(FIND_OBJECTS_INIT, find_objects_init_fn)(session, wide, count);
}

static W_ULONG find_objects(W_ULONG session, W_ULONG *list, W_ULONG most, W_ULONG *count) {
  CK_ULONG wide[MOST], found = 0;
  CK_RV rv = INNER(FIND_OBJECTS, find_objects_fn)(session, wide, most < MOST ? most : MOST, &found);
  for (CK_ULONG i = 0; i < found; i++) list[i] = (W_ULONG)wide[i];
  *count = (W_ULONG)found;
  return (W_ULONG)rv;
}

static W_ULONG find_objects_final(W_ULONG session) {
  return (W_ULONG)INNER(FIND_OBJECTS_FINAL, session_fn)(session);
}

static W_ULONG sign_init(W_ULONG session, W_MECHANISM *mechanism, W_ULONG key) {
  CK_MECHANISM wide = { mechanism->type, mechanism->parameter, mechanism->length };
  return (W_ULONG)INNER(SIGN_INIT, sign_init_fn)(session, &wide, key);
}

static W_ULONG sign(W_ULONG session, CK_BYTE *data, W_ULONG length, CK_BYTE *signature, W_ULONG *room) {
  CK_ULONG wide = *room;
  CK_RV rv = INNER(SIGN, sign_fn)(session, data, length, signature, &wide);
  *room = (W_ULONG)wide;
  return (W_ULONG)rv;
}

W_ULONG C_GetFunctionList(W_FUNCTION_LIST **list) {
  void *library = dlopen(INNER_MODULE, RTLD_NOW);
  get_function_list_fn *get = library ? (get_function_list_fn *)dlsym(library, "C_GetFunctionList") : NULL;
  CK_RV rv = get ? get(&inner) : CKR_GENERAL_ERROR;
  if (rv) return (W_ULONG)rv;
  outer.version = inner->version;
  outer.at[INITIALIZE] = initialize;
  outer.at[FINALIZE] = finalize;
  outer.at[GET_INFO] = get_info;
  outer.at[GET_SLOT_LIST] = get_slot_list;
  outer.at[GET_SLOT_INFO] = get_slot_info;
  outer.at[GET_TOKEN_INFO] = get_token_info;
  outer.at[GET_MECHANISM_LIST] = get_mechanism_list;
  outer.at[OPEN_SESSION] = open_session;
  outer.at[CLOSE_SESSION] = close_session;
  outer.at[LOGIN] = login;
  outer.at[GET_ATTRIBUTE_VALUE] = get_attribute_value;
  outer.at[FIND_OBJECTS_INIT] = find_objects_init;
  outer.at[FIND_OBJECTS] = find_objects;
  outer.at[FIND_OBJECTS_FINAL] = find_objects_final;
  outer.at[SIGN_INIT] = sign_init;
  outer.at[SIGN] = sign;
  *list = &outer;
  return CKR_OK;
}
