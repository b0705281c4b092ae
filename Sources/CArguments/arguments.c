#include "CArguments.h"
#include <stdlib.h>
#include <string.h>

static int count;
static char **words;
static char **environment;

extern char **environ;

/* The Swift runtime runs a program that these variables name when it crashes, opens files and prints its own help. */
static int is_for_runtime(const char *variable) { return strncmp(variable, "SWIFT_", 6) == 0; }

/* glibc calls constructors with what main gets; this one runs before those of the Swift runtime. What execve(2) gave
   stays as it is: the runtime reads another list. */
__attribute__((constructor(101))) static void keep_start(int argument_count, char **arguments, char **variables) {
  static char *none[] = {0};
  size_t all = 0, kept = 0;
  count = argument_count;
  words = arguments;
  environment = variables;
  while (variables[all]) all++;
  environ = malloc((all + 1) * sizeof *environ);
  if (!environ) {
    environ = none;
    return;
  }
  for (size_t number = 0; number < all; number++)
    if (!is_for_runtime(variables[number])) environ[kept++] = variables[number];
  environ[kept] = 0;
}

/* What Swift's CommandLine asks. The one of the static runtime looks for the words through /proc/self/maps before main(),
   and any user can hold the lock of that directory; with this one it is not linked. */
char **_swift_stdlib_getUnsafeArgvArgc(int *length) {
  *length = count;
  return words;
}

void _swift_stdlib_overrideUnsafeArgvArgc(char **others, int length) {
  count = length;
  words = others;
}

int portwhy_argument_count(void) { return count; }

const char *portwhy_argument(int number) { return number >= 0 && number < count ? words[number] : 0; }

char *const *portwhy_environment(void) { return environment; }

const char *const *portwhy_arguments(void) { return (const char *const *)words; }
