/*
 * bcryptprimitives.dll for the wine of Debian 12, which lacks it. Two things keep a Deno program
 * from starting there:
 *
 * - It asks this library for ProcessPrng, random bytes: given here from advapi32's generator.
 * - V8 finds VirtualAlloc2, of which that wine implements a part only: this library, loaded before
 *   the program's own code runs, answers GetProcAddress for that name with "there is none", and V8
 *   takes the way it has for older Windows.
 */
#include <string.h>
#include <windows.h>

/* RtlGenRandom, by the name it is exported under. */
BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

#define LARGEST_REQUEST 0x10000000u

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T length) {
  while (length > 0) {
    ULONG part = length > LARGEST_REQUEST ? LARGEST_REQUEST : (ULONG)length;
    if (!SystemFunction036(buffer, part)) return FALSE;
    buffer += part;
    length -= part;
  }
  return TRUE;
}

static FARPROC(WINAPI *find_procedure)(HMODULE module, LPCSTR name);

static FARPROC WINAPI find_known_procedure(HMODULE module, LPCSTR name) {
  int is_ordinal = (ULONG_PTR)name <= 0xffff;
  if (!is_ordinal && strcmp(name, "VirtualAlloc2") == 0) return NULL;
  return find_procedure(module, name);
}

/* Puts find_known_procedure into the program's import table, wherever GetProcAddress is. */
static void replace_import(BYTE *program) {
  IMAGE_DOS_HEADER *dos = (IMAGE_DOS_HEADER *)program;
  IMAGE_NT_HEADERS *headers = (IMAGE_NT_HEADERS *)(program + dos->e_lfanew);
  IMAGE_DATA_DIRECTORY *imports =
      &headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT];
  IMAGE_IMPORT_DESCRIPTOR *library = (IMAGE_IMPORT_DESCRIPTOR *)(program + imports->VirtualAddress);
  for (; library->Name != 0; library++) {
    IMAGE_THUNK_DATA *name = (IMAGE_THUNK_DATA *)(program + library->OriginalFirstThunk);
    IMAGE_THUNK_DATA *address = (IMAGE_THUNK_DATA *)(program + library->FirstThunk);
    for (; name->u1.AddressOfData != 0; name++, address++) {
      if (IMAGE_SNAP_BY_ORDINAL(name->u1.Ordinal)) continue;
      IMAGE_IMPORT_BY_NAME *import = (IMAGE_IMPORT_BY_NAME *)(program + name->u1.AddressOfData);
      if (strcmp((const char *)import->Name, "GetProcAddress") != 0) continue;
      DWORD protection;
      VirtualProtect(address, sizeof *address, PAGE_READWRITE, &protection);
      address->u1.Function = (ULONGLONG)find_known_procedure;
      VirtualProtect(address, sizeof *address, protection, &protection);
    }
  }
}

BOOL WINAPI DllMain(HINSTANCE library, DWORD reason, LPVOID reserved) {
  (void)library;
  (void)reserved;
  if (reason != DLL_PROCESS_ATTACH) return TRUE;
  find_procedure = GetProcAddress;
  replace_import((BYTE *)GetModuleHandleW(NULL));
  return TRUE;
}
