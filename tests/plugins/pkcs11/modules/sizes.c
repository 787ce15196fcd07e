/* Prints sizes and offsets as the compiler has them, JSON. */
#include "cryptoki.h"

#include <stdio.h>

#define OFFSET(type, member) offsetof(type, member)

int main(void) {
  printf("{\"ulong\": %zu, \"first\": %zu, \"initializeArguments\": [%zu, %zu],"
         " \"info\": [%zu, %zu, %zu, %zu], \"slotInfo\": [%zu, %zu, %zu],"
         " \"tokenInfo\": [%zu, %zu, %zu, %zu, %zu, %zu], \"attribute\": [%zu, %zu, %zu], \"mechanism\": [%zu]}\n",
    sizeof(CK_ULONG), OFFSET(CK_FUNCTION_LIST, at),
    sizeof(CK_C_INITIALIZE_ARGS), OFFSET(CK_C_INITIALIZE_ARGS, flags),
    sizeof(CK_INFO), OFFSET(CK_INFO, manufacturer), OFFSET(CK_INFO, description), OFFSET(CK_INFO, library_version),
    sizeof(CK_SLOT_INFO), OFFSET(CK_SLOT_INFO, description), OFFSET(CK_SLOT_INFO, manufacturer),
    sizeof(CK_TOKEN_INFO), OFFSET(CK_TOKEN_INFO, label), OFFSET(CK_TOKEN_INFO, manufacturer),
    OFFSET(CK_TOKEN_INFO, model), OFFSET(CK_TOKEN_INFO, serial), OFFSET(CK_TOKEN_INFO, flags),
    sizeof(CK_ATTRIBUTE), OFFSET(CK_ATTRIBUTE, value), OFFSET(CK_ATTRIBUTE, length), sizeof(CK_MECHANISM));
  return 0;
}
