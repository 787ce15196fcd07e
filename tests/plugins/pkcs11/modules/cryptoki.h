/*
 * The part of PKCS#11 2.40 that the test modules need, in the layout of Linux; with PACKED, in that
 * of Windows: CK_ULONG of 32 bits, structures packed to single bytes.
 */
#ifndef CRYPTOKI_H
#define CRYPTOKI_H

#include <stddef.h>
#include <stdint.h>

typedef unsigned char CK_BYTE;
#ifdef PACKED
#pragma pack(push, 1)
typedef uint32_t CK_ULONG;
#else
typedef unsigned long CK_ULONG;
#endif
typedef CK_ULONG CK_RV;

typedef struct { CK_BYTE major, minor; } CK_VERSION;

typedef struct {
  CK_VERSION cryptoki_version;
  CK_BYTE manufacturer[32];
  CK_ULONG flags;
  CK_BYTE description[32];
  CK_VERSION library_version;
} CK_INFO;

typedef struct {
  CK_BYTE description[64], manufacturer[32];
  CK_ULONG flags;
  CK_VERSION hardware, firmware;
} CK_SLOT_INFO;

typedef struct {
  CK_BYTE label[32], manufacturer[32], model[16], serial[16];
  CK_ULONG flags, counts[10];
  CK_VERSION hardware, firmware;
  CK_BYTE time[16];
} CK_TOKEN_INFO;

typedef struct { CK_ULONG type; void *value; CK_ULONG length; } CK_ATTRIBUTE;
typedef struct { CK_ULONG type; void *parameter; CK_ULONG length; } CK_MECHANISM;
typedef struct { void *functions[4]; CK_ULONG flags; void *reserved; } CK_C_INITIALIZE_ARGS;

/* Places in the list of functions. */
enum {
  INITIALIZE, FINALIZE, GET_INFO, GET_FUNCTION_LIST, GET_SLOT_LIST, GET_SLOT_INFO, GET_TOKEN_INFO,
  GET_MECHANISM_LIST, OPEN_SESSION = 12, CLOSE_SESSION, LOGIN = 18, GET_ATTRIBUTE_VALUE = 24,
  FIND_OBJECTS_INIT = 26, FIND_OBJECTS, FIND_OBJECTS_FINAL, SIGN_INIT = 42, SIGN, FUNCTIONS = 68
};
typedef struct { CK_VERSION version; void *at[FUNCTIONS]; } CK_FUNCTION_LIST;

#ifdef PACKED
#pragma pack(pop)
#endif

typedef CK_RV initialize_fn(void *);
typedef CK_RV finalize_fn(void *);
typedef CK_RV get_info_fn(CK_INFO *);
typedef CK_RV get_function_list_fn(CK_FUNCTION_LIST **);
typedef CK_RV get_slot_list_fn(CK_BYTE, CK_ULONG *, CK_ULONG *);
typedef CK_RV get_slot_info_fn(CK_ULONG, CK_SLOT_INFO *);
typedef CK_RV get_token_info_fn(CK_ULONG, CK_TOKEN_INFO *);
typedef CK_RV get_mechanism_list_fn(CK_ULONG, CK_ULONG *, CK_ULONG *);
typedef CK_RV open_session_fn(CK_ULONG, CK_ULONG, void *, void *, CK_ULONG *);
typedef CK_RV session_fn(CK_ULONG);
typedef CK_RV login_fn(CK_ULONG, CK_ULONG, CK_BYTE *, CK_ULONG);
typedef CK_RV get_attribute_value_fn(CK_ULONG, CK_ULONG, CK_ATTRIBUTE *, CK_ULONG);
typedef CK_RV find_objects_init_fn(CK_ULONG, CK_ATTRIBUTE *, CK_ULONG);
typedef CK_RV find_objects_fn(CK_ULONG, CK_ULONG *, CK_ULONG, CK_ULONG *);
typedef CK_RV sign_init_fn(CK_ULONG, CK_MECHANISM *, CK_ULONG);
typedef CK_RV sign_fn(CK_ULONG, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG *);

enum {
  CKR_OK = 0, CKR_GENERAL_ERROR = 5, CKR_ARGUMENTS_BAD = 7, CKR_MECHANISM_INVALID = 0x70,
  CKR_PIN_INCORRECT = 0xa0, CKR_PIN_LOCKED = 0xa4, CKR_TOKEN_NOT_PRESENT = 0xe0,
  CKR_BUFFER_TOO_SMALL = 0x150, CKR_CRYPTOKI_ALREADY_INITIALIZED = 0x191
};

#endif
