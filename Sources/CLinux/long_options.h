/* getopt_long(3) as a function of its own state. */
#ifndef PORTWHY_LONG_OPTIONS_H
#define PORTWHY_LONG_OPTIONS_H

#include <getopt.h>

/* What one call of getopt_long(3) says: what it returns, optopt, optind and optarg. */
struct portwhy_getopt_step {
  int code;
  int option;
  int next;
  const char *value;
};

/* getopt_long(3) keeps its place in variables of the process: from begin to end they are the caller's alone. */
void portwhy_getopt_begin(void);
struct portwhy_getopt_step portwhy_getopt_next(int count, char *const words[], const char *letters,
                                               const struct option *names);
void portwhy_getopt_end(void);

#endif
