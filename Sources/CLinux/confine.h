/* A sandbox for parsing and printing what somebody else wrote: seccomp(2). */
#ifndef PORTWHY_CONFINE_H
#define PORTWHY_CONFINE_H

/* From here on this thread may use its memory, write to descriptors that are open, ask a terminal for its size, read the
 * clock and end; every other system call fails with EPERM, in every program it could become too. 0; -1 and errno where the
 * kernel or the processor has no such filter, and nothing has changed. */
int portwhy_confine(int reads_files);

#endif
