/* What the two halves of the child that reads /proc share: processfiles.c reads files and tells what they said, processwalk.c
 * goes through the processes whose files these are. Only for them. */
#ifndef PORTWHY_PROCESSWALK_H
#define PORTWHY_PROCESSWALK_H

#include "child.h"
#include "processfiles.h"

/* All of this is the child's. */
extern struct portwhy_reader {
  struct portwhy_errand *errand;
  int proc;
  /* What the last /proc/PID/stat that was read has; 0 for none. */
  int32_t parent, group, session;
} portwhy_reader;

/* A frame of the answer, and its bytes. */
void portwhy_tell(int32_t process, uint32_t kind, int error, const void *bytes, size_t count);

/* Tells one file below a directory. */
void portwhy_ask_file(int directory, int32_t process, const struct portwhy_file_question *question);

/* Notes whom is looked at, so that he can be named; 0 where he is passed over. */
int portwhy_begins(int32_t process);

/* Memory that is never given back, without malloc(3): another thread of the parent may have been in it. */
void *portwhy_child_memory(size_t size);

/* Goes through the processes of a question and tells of them; 0, or errno. */
int portwhy_walk(const struct portwhy_process_request *request);

#endif
