#include "CArguments.h"

static int count;
static char **words;

/* glibc calls constructors with what main gets. */
__attribute__((constructor)) static void keep_arguments(int argument_count, char **arguments) {
  count = argument_count;
  words = arguments;
}

int portwhy_argument_count(void) { return count; }

const char *portwhy_argument(int number) { return number >= 0 && number < count ? words[number] : 0; }
