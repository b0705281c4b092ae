/* What execve(2) gave this program, from the kernel by way of glibc. */
#ifndef PORTWHY_CARGUMENTS_H
#define PORTWHY_CARGUMENTS_H

/* Swift's own CommandLine looks for them below /proc, and is empty where none is mounted. */
int portwhy_argument_count(void);

/* The word with this number, 0 is the program's name; NULL where there is none. */
const char *portwhy_argument(int number);

/* All of them; the last is NULL. */
const char *const *portwhy_arguments(void);

/* The variables as they came, for a program that this one starts; the last is NULL. getenv(3) sees none that begins
   with SWIFT_. */
char *const *portwhy_environment(void);

#endif
