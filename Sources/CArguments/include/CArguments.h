/* The words that execve(2) gave this program, from the kernel by way of glibc. */
#ifndef PORTWHY_CARGUMENTS_H
#define PORTWHY_CARGUMENTS_H

/* Swift's own CommandLine looks for them below /proc, and is empty where none is mounted. */
int portwhy_argument_count(void);

/* The word with this number, 0 is the program's name; NULL where there is none. */
const char *portwhy_argument(int number);

/* The words that execve(2) gave this program, NULL at the end. */
const char *const *portwhy_arguments(void);

/* The environment that execve(2) gave this program. */
char *const *portwhy_environment(void);

#endif
