/* The words that execve(2) gave this program, from the kernel by way of glibc. */
#ifndef PORTWHY_CARGUMENTS_H
#define PORTWHY_CARGUMENTS_H

#include <getopt.h>

/* Swift's own CommandLine looks for them below /proc, and is empty where none is mounted. */
int portwhy_argument_count(void);

/* The word with this number, 0 is the program's name; NULL where there is none. */
const char *portwhy_argument(int number);

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
