#include "CArguments.h"
#include <stdlib.h>
#include <string.h>

static int count;
static char **words;

/* glibc calls constructors with what main gets. */
__attribute__((constructor)) static void keep_arguments(int argument_count, char **arguments) {
  count = argument_count;
  words = arguments;
}

extern char **environ;
static char **original_environment;

/* Before the Swift runtime's constructors: on a crash it would run the program that this variable names. What this
   program runs gets it all the same. */
__attribute__((constructor(101))) static void keep_crashes_quiet(void) {
  if (!getenv("SWIFT_BACKTRACE")) return;
  size_t size = 0;
  while (environ[size]) size++;
  original_environment = malloc((size + 1) * sizeof *environ);
  if (original_environment) memcpy(original_environment, environ, (size + 1) * sizeof *environ);
  unsetenv("SWIFT_BACKTRACE");
}

char *const *portwhy_environment(void) { return original_environment ? original_environment : environ; }

/* The two functions of the Swift runtime behind CommandLine. Linked statically, these take their place: the runtime's
   look for the words in /proc/self/maps before main, which takes a thirtieth of the time of an answer, and find none
   where /proc is not mounted. scripts/check-release holds this to the toolchain in use. */
char **_swift_stdlib_getUnsafeArgvArgc(int *argument_count) {
  *argument_count = count;
  return words;
}

void _swift_stdlib_overrideUnsafeArgvArgc(char **arguments, int argument_count) {
  words = arguments;
  count = argument_count;
}

int portwhy_argument_count(void) { return count; }

const char *portwhy_argument(int number) { return number >= 0 && number < count ? words[number] : 0; }

const char *const *portwhy_arguments(void) { return (const char *const *)words; }
