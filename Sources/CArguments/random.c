#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

/* glibc has it since 2.36; the static libstdc++ asks for it. With this one the program starts on glibc 2.35. */
uint32_t arc4random(void) {
  uint32_t number;
  if (getrandom(&number, sizeof number, 0) != sizeof number) abort();
  return number;
}
