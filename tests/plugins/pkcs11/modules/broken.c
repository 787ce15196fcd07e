/* A library that does harm as soon as it is loaded; the compiler flags select which. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void on_load(void) {
#if defined(SEGFAULT)
  raise(SIGSEGV);
#elif defined(ABORT)
  abort();
#elif defined(EXIT)
  exit(3);
#elif defined(HANG)
  for (;;) pause();
#endif
}
