/*
 * A PKCS#11 3.2 module with one ML-DSA key, for tests. It checks each structure that it is given, and
 * returns CKR_ARGUMENTS_BAD for one that the standard does not allow. The environment has:
 *
 *   MLDSA_SET       the parameter set: 1, 2 or 3 (CKP_ML_DSA_44, _65, _87)
 *   MLDSA_CERT      file with the certificate, DER
 *   MLDSA_PUBLIC    file with the raw public key
 *   MLDSA_SIGNER    command that signs: reads the message from its file argument, writes the signature
 *   MLDSA_MESSAGE   file for the message
 *   MLDSA_SILENT    set: the private key does not show its parameter set
 *
 * The PIN is 123456. Nothing of the private key is in the module: CKA_VALUE of it is an error.
 */
#include "cryptoki.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CERTIFICATE = 1, PUBLIC_KEY, PRIVATE_KEY, OBJECTS = PRIVATE_KEY };
enum {
  CKA_CLASS = 0, CKA_PRIVATE = 2, CKA_LABEL = 3, CKA_VALUE = 0x11, CKA_CERTIFICATE_TYPE = 0x80,
  CKA_KEY_TYPE = 0x100, CKA_ID = 0x102, CKA_ALWAYS_AUTHENTICATE = 0x202, CKA_PARAMETER_SET = 0x61d
};
enum { CKK_ML_DSA = 0x4a, CKM_ML_DSA = 0x1d, CKR_ATTRIBUTE_SENSITIVE = 0x11,
  CKR_ATTRIBUTE_TYPE_INVALID = 0x12, CKR_MECHANISM_PARAM_INVALID = 0x71, CKR_USER_NOT_LOGGED_IN = 0x101,
  CKR_OPERATION_NOT_INITIALIZED = 0x91, CKR_SESSION_HANDLE_INVALID = 0xb3 };
enum { SLOT = 7, SESSION = 11, MAX_BYTES = 8192, LOGIN_REQUIRED_INITIALIZED = 0x40c };

static CK_FUNCTION_LIST list;
static int logged_in, signing, found[OBJECTS + 1], next_found;

static CK_ULONG read_file(const char *variable, CK_BYTE *bytes) {
  FILE *file = fopen(getenv(variable), "rb");
  if (!file) return 0;
  CK_ULONG length = fread(bytes, 1, MAX_BYTES, file);
  fclose(file);
  return length;
}

/* The value of an object's attribute; -1 if it has none, -2 if it is secret. */
static long value_of(int object, CK_ULONG type, CK_BYTE *bytes) {
  CK_ULONG number = 0;
  switch (type) {
    case CKA_CLASS: number = object; break;
    case CKA_ID: bytes[0] = 0x2a; return 1;
    case CKA_LABEL: memcpy(bytes, "machine", 7); return 7;
    case CKA_PRIVATE: bytes[0] = object == PRIVATE_KEY; return 1;
    case CKA_ALWAYS_AUTHENTICATE: bytes[0] = 0; return object == PRIVATE_KEY ? 1 : -1;
    case CKA_CERTIFICATE_TYPE: if (object != CERTIFICATE) return -1; break;
    case CKA_KEY_TYPE: if (object == CERTIFICATE) return -1; number = CKK_ML_DSA; break;
    case CKA_PARAMETER_SET:
      if (object == CERTIFICATE || (object == PRIVATE_KEY && getenv("MLDSA_SILENT"))) return -1;
      number = strtoul(getenv("MLDSA_SET"), NULL, 10);
      break;
    case CKA_VALUE:
      if (object == PRIVATE_KEY) return -2;
      return read_file(object == CERTIFICATE ? "MLDSA_CERT" : "MLDSA_PUBLIC", bytes);
    default: return -1;
  }
  memcpy(bytes, &number, sizeof number);
  return sizeof number;
}

static int is_bad_template(const CK_ATTRIBUTE *attributes, CK_ULONG count) {
  for (CK_ULONG i = 0; i < count; i++) {
    CK_ULONG type = attributes[i].type;
    int is_number = type == CKA_CLASS || type == CKA_KEY_TYPE || type == CKA_CERTIFICATE_TYPE;
    if (is_number && attributes[i].length != sizeof(CK_ULONG)) return 1;
    if (attributes[i].length > 0 && !attributes[i].value) return 1;
  }
  return count > 0 && !attributes;
}

static CK_RV initialize(void *given) {
  const CK_C_INITIALIZE_ARGS *args = given;
  int has_functions = args && (args->functions[0] || args->functions[1] || args->functions[2] || args->functions[3]);
  if (args && (args->reserved || has_functions || args->flags != 2)) return CKR_ARGUMENTS_BAD;
  return CKR_OK;
}
static CK_RV finalize(void *reserved) { return reserved ? CKR_ARGUMENTS_BAD : CKR_OK; }
static CK_RV get_info(CK_INFO *info) {
  memset(info, ' ', sizeof *info);
  info->cryptoki_version = (CK_VERSION){ 3, 2 };
  info->flags = 0;
  return CKR_OK;
}
static CK_RV get_slot_list(CK_BYTE present, CK_ULONG *slots, CK_ULONG *count) {
  if (present > 1 || !count || (slots && *count < 1)) return CKR_ARGUMENTS_BAD;
  if (slots) slots[0] = SLOT;
  *count = 1;
  return CKR_OK;
}
static CK_RV get_token_info(CK_ULONG slot, CK_TOKEN_INFO *info) {
  if (slot != SLOT) return CKR_ARGUMENTS_BAD;
  memset(info, 0, sizeof *info);
  memset(info->label, ' ', 32 + 32 + 16 + 16);
  memcpy(info->label, "pqc", 3);
  info->flags = LOGIN_REQUIRED_INITIALIZED;
  return CKR_OK;
}
static CK_RV get_mechanism_list(CK_ULONG slot, CK_ULONG *mechanisms, CK_ULONG *count) {
  if (slot != SLOT || (mechanisms && *count < 1)) return CKR_ARGUMENTS_BAD;
  if (mechanisms) mechanisms[0] = CKM_ML_DSA;
  *count = 1;
  return CKR_OK;
}
static CK_RV open_session(CK_ULONG slot, CK_ULONG flags, void *application, void *notify, CK_ULONG *session) {
  if (slot != SLOT || flags != 4 || application || notify) return CKR_ARGUMENTS_BAD;
  *session = SESSION;
  return CKR_OK;
}
static CK_RV close_session(CK_ULONG session) {
  logged_in = signing = 0;
  return session == SESSION ? CKR_OK : CKR_SESSION_HANDLE_INVALID;
}
static CK_RV login(CK_ULONG session, CK_ULONG user, CK_BYTE *pin, CK_ULONG length) {
  if (session != SESSION || user != 1) return CKR_ARGUMENTS_BAD;
  logged_in = length == 6 && !memcmp(pin, "123456", 6);
  return logged_in ? CKR_OK : CKR_PIN_INCORRECT;
}
static CK_RV find_init(CK_ULONG session, CK_ATTRIBUTE *attributes, CK_ULONG count) {
  if (session != SESSION || is_bad_template(attributes, count)) return CKR_ARGUMENTS_BAD;
  static CK_BYTE bytes[MAX_BYTES];
  next_found = 0;
  memset(found, 0, sizeof found);
  for (int object = 1, at = 0; object <= OBJECTS; object++) {
    int matches = object != PRIVATE_KEY || logged_in;
    for (CK_ULONG i = 0; i < count && matches; i++) {
      long length = value_of(object, attributes[i].type, bytes);
      matches = length == (long)attributes[i].length && !memcmp(bytes, attributes[i].value, length);
    }
    if (matches) found[at++] = object;
  }
  return CKR_OK;
}
static CK_RV find(CK_ULONG session, CK_ULONG *objects, CK_ULONG most, CK_ULONG *count) {
  if (session != SESSION || most < 1) return CKR_ARGUMENTS_BAD;
  for (*count = 0; *count < most && found[next_found]; (*count)++) objects[*count] = found[next_found++];
  return CKR_OK;
}
static CK_RV find_final(CK_ULONG session) { return session == SESSION ? CKR_OK : CKR_ARGUMENTS_BAD; }
static CK_RV get_attributes(CK_ULONG session, CK_ULONG object, CK_ATTRIBUTE *attributes, CK_ULONG count) {
  if (session != SESSION || object < 1 || object > OBJECTS) return CKR_ARGUMENTS_BAD;
  static CK_BYTE bytes[MAX_BYTES];
  CK_RV result = CKR_OK;
  for (CK_ULONG i = 0; i < count; i++) {
    long length = value_of(object, attributes[i].type, bytes);
    /* Nobody may ask a private key for its value: the test fails by this. */
    if (length == -2) return CKR_GENERAL_ERROR;
    CK_RV one = length < 0 ? CKR_ATTRIBUTE_TYPE_INVALID
      : attributes[i].value && (long)attributes[i].length < length ? CKR_BUFFER_TOO_SMALL : CKR_OK;
    if (one == CKR_OK && attributes[i].value) memcpy(attributes[i].value, bytes, length);
    attributes[i].length = one == CKR_OK ? (CK_ULONG)length : (CK_ULONG)-1;
    if (one) result = one;
  }
  return result;
}
static CK_RV sign_init(CK_ULONG session, CK_MECHANISM *mechanism, CK_ULONG key) {
  if (session != SESSION || key != PRIVATE_KEY) return CKR_ARGUMENTS_BAD;
  if (mechanism->type != CKM_ML_DSA) return CKR_MECHANISM_INVALID;
  if (mechanism->parameter || mechanism->length) return CKR_MECHANISM_PARAM_INVALID;
  if (!logged_in) return CKR_USER_NOT_LOGGED_IN;
  signing = 1;
  return CKR_OK;
}
static CK_RV sign(CK_ULONG session, CK_BYTE *data, CK_ULONG length, CK_BYTE *signature, CK_ULONG *room) {
  if (session != SESSION || !data || !signature) return CKR_ARGUMENTS_BAD;
  if (!signing) return CKR_OPERATION_NOT_INITIALIZED;
  signing = 0;
  FILE *message = fopen(getenv("MLDSA_MESSAGE"), "wb");
  if (!message) return CKR_GENERAL_ERROR;
  int whole = fwrite(data, 1, length, message) == length;
  if (fclose(message) || !whole) return CKR_GENERAL_ERROR;
  FILE *signer = popen(getenv("MLDSA_SIGNER"), "r");
  if (!signer) return CKR_GENERAL_ERROR;
  CK_ULONG made = fread(signature, 1, *room, signer);
  int failed = pclose(signer);
  *room = made;
  return failed ? CKR_GENERAL_ERROR : CKR_OK;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **functions) {
  list.version = (CK_VERSION){ 2, 40 };
  list.at[INITIALIZE] = initialize;
  list.at[FINALIZE] = finalize;
  list.at[GET_INFO] = get_info;
  list.at[GET_SLOT_LIST] = get_slot_list;
  list.at[GET_TOKEN_INFO] = get_token_info;
  list.at[GET_MECHANISM_LIST] = get_mechanism_list;
  list.at[OPEN_SESSION] = open_session;
  list.at[CLOSE_SESSION] = close_session;
  list.at[LOGIN] = login;
  list.at[GET_ATTRIBUTE_VALUE] = get_attributes;
  list.at[FIND_OBJECTS_INIT] = find_init;
  list.at[FIND_OBJECTS] = find;
  list.at[FIND_OBJECTS_FINAL] = find_final;
  list.at[SIGN_INIT] = sign_init;
  list.at[SIGN] = sign;
  *functions = &list;
  return CKR_OK;
}
