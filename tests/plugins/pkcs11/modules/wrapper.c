/*
 * A PKCS#11 module around another one, for tests. The environment selects its behaviour:
 *
 *   WRAPPER_INNER       the module inside; absent, SoftHSM
 *   WRAPPER_LOG         file to which each call is appended: its name; for C_Login also user and PIN
 *   WRAPPER_FAIL        CALL=VALUE[@N],…: the call (only its Nth since C_Initialize) returns VALUE
 *                       without being made
 *   WRAPPER_HANG        CALL=MILLISECONDS[@N],…: the call waits before it is made
 *   WRAPPER_PIN_PAD     the PIN that is entered at a PIN pad; C_Login takes no other
 *   WRAPPER_TRIES       file with the number of tries left, which wrong PINs use up; right ones
 *                       bring it back to 3
 *   WRAPPER_MECHANISMS  VALUE,…: the only mechanisms there are
 *   WRAPPER_SLOT_ZERO   set: the first slot has the number 0
 *   WRAPPER_TOKEN       file; while it is not there, neither is any token
 *   WRAPPER_ALWAYS      the PIN that every key wants at each signature, on a token that wants none
 *   WRAPPER_EMPTY       set: no token has any object
 *   WRAPPER_INITIALIZED set: C_Initialize reports that somebody else was first
 *   WRAPPER_EXIT        set: an exit handler aborts the process
 */
#include "cryptoki.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOFTHSM "/usr/lib/softhsm/libsofthsm2.so"
#define INNER(place, type) ((type *)inner->at[place])

static CK_FUNCTION_LIST *inner, outer;
static const char *const NAMES[FUNCTIONS] = {
  [INITIALIZE] = "C_Initialize", [FINALIZE] = "C_Finalize", [GET_INFO] = "C_GetInfo",
  [GET_FUNCTION_LIST] = "C_GetFunctionList", [GET_SLOT_LIST] = "C_GetSlotList",
  [GET_SLOT_INFO] = "C_GetSlotInfo", [GET_TOKEN_INFO] = "C_GetTokenInfo",
  [GET_MECHANISM_LIST] = "C_GetMechanismList", [OPEN_SESSION] = "C_OpenSession",
  [CLOSE_SESSION] = "C_CloseSession", [LOGIN] = "C_Login",
  [GET_ATTRIBUTE_VALUE] = "C_GetAttributeValue", [FIND_OBJECTS_INIT] = "C_FindObjectsInit",
  [FIND_OBJECTS] = "C_FindObjects", [FIND_OBJECTS_FINAL] = "C_FindObjectsFinal",
  [SIGN_INIT] = "C_SignInit", [SIGN] = "C_Sign",
};
static int calls[FUNCTIONS];
static int pretended; /* that somebody else had initialised it */
static CK_ULONG zero_slot;
static CK_ULONG signing_with;

static void log_line(const char *line) {
  const char *path = getenv("WRAPPER_LOG");
  FILE *file = path ? fopen(path, "a") : NULL;
  if (!file) return;
  fprintf(file, "%s\n", line);
  fclose(file);
}

/* The value that a list in the environment has for the Nth call of a function; -1 for none. */
static long setting(const char *variable, int place) {
  const char *list = getenv(variable);
  char name[64];
  for (const char *entry = list; entry && *entry; entry = strchr(entry, ',') ? strchr(entry, ',') + 1 : NULL) {
    const char *equals = strchr(entry, '=');
    if (!equals || equals - entry >= (long)sizeof name) return -1;
    memcpy(name, entry, equals - entry);
    name[equals - entry] = 0;
    char *rest;
    long value = strtol(equals + 1, &rest, 0);
    if (!strcmp(name, NAMES[place]) && (*rest != '@' || atoi(rest + 1) == calls[place])) return value;
  }
  return -1;
}

static int is_token_there(void) {
  const char *path = getenv("WRAPPER_TOKEN");
  return !path || access(path, F_OK) == 0;
}

/* Runs before each call; a value other than CKR_OK is to be returned in its place. */
static CK_RV before(int place) {
  calls[place]++;
  if (place != LOGIN) log_line(NAMES[place]);
  long wait = setting("WRAPPER_HANG", place);
  if (wait > 0) usleep(1000 * wait);
  long fault = setting("WRAPPER_FAIL", place);
  if (fault >= 0) return (CK_RV)fault;
  if (place >= GET_TOKEN_INFO && place != CLOSE_SESSION && !is_token_there()) return CKR_TOKEN_NOT_PRESENT;
  return CKR_OK;
}

static CK_ULONG inner_slot(CK_ULONG slot) {
  return getenv("WRAPPER_SLOT_ZERO") && slot == 0 ? zero_slot : slot;
}

static CK_RV initialize(void *args) {
  CK_RV rv = before(INITIALIZE);
  if (rv) return rv;
  memset(calls, 0, sizeof calls);
  if (getenv("WRAPPER_EXIT")) atexit(abort);
  if (pretended) INNER(FINALIZE, finalize_fn)(NULL);
  rv = INNER(INITIALIZE, initialize_fn)(args);
  pretended = rv == CKR_OK && getenv("WRAPPER_INITIALIZED");
  return pretended ? CKR_CRYPTOKI_ALREADY_INITIALIZED : rv;
}

static CK_RV finalize(void *reserved) {
  CK_RV rv = before(FINALIZE);
  return rv ? rv : INNER(FINALIZE, finalize_fn)(reserved);
}

static CK_RV get_info(CK_INFO *info) {
  CK_RV rv = before(GET_INFO);
  return rv ? rv : INNER(GET_INFO, get_info_fn)(info);
}

static CK_RV get_slot_list(CK_BYTE present, CK_ULONG *slots, CK_ULONG *count) {
  CK_RV rv = before(GET_SLOT_LIST);
  if (rv) return rv;
  if (present && !is_token_there()) {
    *count = 0;
    return CKR_OK;
  }
  rv = INNER(GET_SLOT_LIST, get_slot_list_fn)(present, slots, count);
  if (rv == CKR_OK && slots && *count > 0 && getenv("WRAPPER_SLOT_ZERO")) {
    zero_slot = slots[0];
    slots[0] = 0;
  }
  return rv;
}

static CK_RV get_slot_info(CK_ULONG slot, CK_SLOT_INFO *info) {
  CK_RV rv = before(GET_SLOT_INFO);
  return rv ? rv : INNER(GET_SLOT_INFO, get_slot_info_fn)(inner_slot(slot), info);
}

/* The tries left; -1 when they are not counted. */
static int tries(int change) {
  const char *path = getenv("WRAPPER_TRIES");
  if (!path) return -1;
  int left = 3;
  FILE *file = fopen(path, "r");
  if (file) {
    if (fscanf(file, "%d", &left) != 1) left = 3;
    fclose(file);
  }
  if (!change) return left;
  left = change > 0 ? 3 : left > 0 ? left - 1 : 0;
  if ((file = fopen(path, "w"))) {
    fprintf(file, "%d\n", left);
    fclose(file);
  }
  return left;
}

static CK_RV get_token_info(CK_ULONG slot, CK_TOKEN_INFO *info) {
  CK_RV rv = before(GET_TOKEN_INFO);
  if (!rv) rv = INNER(GET_TOKEN_INFO, get_token_info_fn)(inner_slot(slot), info);
  if (rv) return rv;
  if (getenv("WRAPPER_PIN_PAD")) info->flags |= 0x100;
  if (getenv("WRAPPER_ALWAYS")) info->flags &= ~0x4ul;
  int left = tries(0);
  if (left >= 0) {
    info->flags &= ~0x70000ul;
    info->flags |= left == 0 ? 0x40000 : left == 1 ? 0x30000 : left == 2 ? 0x10000 : 0;
  }
  return rv;
}

static CK_RV get_mechanism_list(CK_ULONG slot, CK_ULONG *list, CK_ULONG *count) {
  CK_RV rv = before(GET_MECHANISM_LIST);
  if (rv) return rv;
  const char *only = getenv("WRAPPER_MECHANISMS");
  if (!only) return INNER(GET_MECHANISM_LIST, get_mechanism_list_fn)(inner_slot(slot), list, count);
  CK_ULONG found = 0, room = *count;
  for (char *at = (char *)only; *at; at += *at == ',') {
    CK_ULONG value = strtoul(at, &at, 0);
    if (list && found < room) list[found] = value;
    found++;
  }
  *count = found;
  return list && found > room ? CKR_BUFFER_TOO_SMALL : CKR_OK;
}

static CK_RV open_session(CK_ULONG slot, CK_ULONG flags, void *data, void *notify, CK_ULONG *session) {
  CK_RV rv = before(OPEN_SESSION);
  return rv ? rv : INNER(OPEN_SESSION, open_session_fn)(inner_slot(slot), flags, data, notify, session);
}

static CK_RV close_session(CK_ULONG session) {
  CK_RV rv = before(CLOSE_SESSION);
  return rv ? rv : INNER(CLOSE_SESSION, session_fn)(session);
}

static CK_RV login(CK_ULONG session, CK_ULONG user, CK_BYTE *pin, CK_ULONG length) {
  char line[128];
  snprintf(line, sizeof line, "C_Login %lu %.*s", user, pin ? (int)length : 7, pin ? (char *)pin : "PIN pad");
  log_line(line);
  CK_RV rv = before(LOGIN);
  if (rv) return rv;
  const char *entered = getenv("WRAPPER_PIN_PAD");
  if (entered) {
    if (pin) return CKR_ARGUMENTS_BAD;
    pin = (CK_BYTE *)entered;
    length = strlen(entered);
  }
  const char *always = getenv("WRAPPER_ALWAYS");
  if (always && user == 2)
    return length == strlen(always) && !memcmp(pin, always, length) ? CKR_OK : CKR_PIN_INCORRECT;
  if (tries(0) == 0) return CKR_PIN_LOCKED;
  rv = INNER(LOGIN, login_fn)(session, user, pin, length);
  if (rv == CKR_OK) tries(1);
  if (rv == CKR_PIN_INCORRECT && tries(-1) == 0) return CKR_PIN_LOCKED;
  return rv;
}

static CK_RV get_attribute_value(CK_ULONG session, CK_ULONG object, CK_ATTRIBUTE *list, CK_ULONG count) {
  CK_RV rv = before(GET_ATTRIBUTE_VALUE);
  if (!rv) rv = INNER(GET_ATTRIBUTE_VALUE, get_attribute_value_fn)(session, object, list, count);
  for (CK_ULONG i = 0; i < count; i++)
    if (getenv("WRAPPER_ALWAYS") && list[i].type == 0x202 && list[i].length == 1 && list[i].value)
      *(CK_BYTE *)list[i].value = 1;
  return rv;
}

static CK_RV find_objects_init(CK_ULONG session, CK_ATTRIBUTE *list, CK_ULONG count) {
  CK_RV rv = before(FIND_OBJECTS_INIT);
  return rv ? rv : INNER(FIND_OBJECTS_INIT, find_objects_init_fn)(session, list, count);
}

static CK_RV find_objects(CK_ULONG session, CK_ULONG *list, CK_ULONG most, CK_ULONG *count) {
  CK_RV rv = before(FIND_OBJECTS);
  if (!rv && getenv("WRAPPER_EMPTY")) {
    *count = 0;
    return CKR_OK;
  }
  return rv ? rv : INNER(FIND_OBJECTS, find_objects_fn)(session, list, most, count);
}

static CK_RV find_objects_final(CK_ULONG session) {
  CK_RV rv = before(FIND_OBJECTS_FINAL);
  return rv ? rv : INNER(FIND_OBJECTS_FINAL, session_fn)(session);
}

/* SoftHSM has no ECDSA that hashes: these are CKM_ECDSA with the hash made here. */
static const struct { CK_ULONG mechanism; const char *hash; CK_ULONG length; } HASHING[] = {
  { 0x1044, "SHA256", 32 }, { 0x1045, "SHA384", 48 }, { 0x1046, "SHA512", 64 },
};

static int hashing(void) {
  for (unsigned i = 0; i < 3; i++)
    if (HASHING[i].mechanism == signing_with) return (int)i;
  return -1;
}

static CK_RV sign_init(CK_ULONG session, CK_MECHANISM *mechanism, CK_ULONG key) {
  CK_RV rv = before(SIGN_INIT);
  if (rv) return rv;
  const char *only = getenv("WRAPPER_MECHANISMS");
  int known = !only;
  for (char *at = (char *)only; at && *at; at += *at == ',') known |= strtoul(at, &at, 0) == mechanism->type;
  if (!known) return CKR_MECHANISM_INVALID;
  signing_with = mechanism->type;
  CK_MECHANISM used = *mechanism;
  if (hashing() >= 0) used.type = 0x1041;
  return INNER(SIGN_INIT, sign_init_fn)(session, &used, key);
}

static CK_RV sign(CK_ULONG session, CK_BYTE *data, CK_ULONG length, CK_BYTE *signature, CK_ULONG *room) {
  CK_RV rv = before(SIGN);
  if (rv) return rv;
  unsigned char hash[64];
  int which = hashing();
  if (which >= 0) {
    void *library = dlopen("libcrypto.so.3", RTLD_NOW);
    unsigned char *(*function)(const unsigned char *, size_t, unsigned char *) =
      library ? (unsigned char *(*)(const unsigned char *, size_t, unsigned char *))dlsym(library, HASHING[which].hash) : NULL;
    if (!function) return CKR_GENERAL_ERROR;
    function(data, length, hash);
    data = hash;
    length = HASHING[which].length;
  }
  return INNER(SIGN, sign_fn)(session, data, length, signature, room);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list) {
  CK_RV rv = before(GET_FUNCTION_LIST);
  if (rv) return rv;
  const char *path = getenv("WRAPPER_INNER");
  void *library = dlopen(path ? path : SOFTHSM, RTLD_NOW);
  get_function_list_fn *get = library ? (get_function_list_fn *)dlsym(library, "C_GetFunctionList") : NULL;
  if (!get || get(&inner)) return CKR_GENERAL_ERROR;
  outer = *inner;
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
