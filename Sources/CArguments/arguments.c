#include "CArguments.h"
#include <stdlib.h>

static int count;
static char **words;

/* glibc calls constructors with what main gets. */
__attribute__((constructor)) static void keep_arguments(int argument_count, char **arguments) {
  count = argument_count;
  words = arguments;
}

/* Before the Swift runtime's constructors: on a crash it would run the program that this variable names. */
__attribute__((constructor(101))) static void keep_crashes_quiet(void) { unsetenv("SWIFT_BACKTRACE"); }

int portwhy_argument_count(void) { return count; }

const char *portwhy_argument(int number) { return number >= 0 && number < count ? words[number] : 0; }
