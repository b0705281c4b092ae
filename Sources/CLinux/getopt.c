#include "long_options.h"
#include <pthread.h>

static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;

void portwhy_getopt_begin(void) {
  pthread_mutex_lock(&reading);
  /* glibc: 0 starts anew and forgets the word it was in. */
  optind = 0;
  opterr = 0;
}

struct portwhy_getopt_step portwhy_getopt_next(int count, char *const words[], const char *letters,
                                               const struct option *names) {
  int code = getopt_long(count, words, letters, names, 0);
  return (struct portwhy_getopt_step){code, optopt, optind, optarg};
}

void portwhy_getopt_end(void) { pthread_mutex_unlock(&reading); }
