/* How a child of clone(2) is started, waited for and let go of; only for the files beside this one, which say what it does. */
#ifndef PORTWHY_CHILD_H
#define PORTWHY_CHILD_H

#include "errand.h"
#include <errno.h>

/* Starts a child: 0, or errno. With `is_child` it returns in the child, which has nothing open but 0, what both sides speak
 * through, and 1, the `source` (-1 for none). `slots` answers that nobody has given and `more` bytes are memory of both. With
 * `more` 0 can be read too, and the answers are made so where sockets are asked. EBUSY where earlier children of that kind
 * are still stuck. */
int portwhy_start_child(struct portwhy_errand *errand, int kind, uint32_t slots, size_t more, int source, int *is_child);

/* The bytes that both sides share beside the answers. */
static inline void *portwhy_shared_bytes(const struct portwhy_errand *errand, uint32_t slots) {
  return errand->answers + slots;
}

/* In the child: the end of its work. */
_Noreturn void portwhy_finish_child(struct portwhy_errand *errand, int error);

/* In the child: all bytes into 0; 0, or errno. */
int portwhy_write_all(const void *bytes, size_t count);

/* In the child: asks the questions, in their order. */
void portwhy_ask_all(struct portwhy_errand *errand, const struct portwhy_socket_question *questions, uint32_t count,
                     int wants);

/* Whether as many children of this kind are stuck as may be. */
int portwhy_is_blocked_by_stuck(int kind);

/* Whether a child of this kind is stuck since it was at this step. */
int portwhy_is_stuck_at(int kind, uint32_t step);

/* Lets go of a child that is no thread: 1 where it has ended, 0 where it is stuck. */
int portwhy_end_child(struct portwhy_errand *errand);

/* A process, or a descriptor of it, that was there before. */
static inline int portwhy_means_gone(int error) { return error == ESRCH || error == ENOENT || error == EBADF; }

/* The parent of a process, as its stat(5) has it; 0 where it is gone. */
int32_t portwhy_parent_of(int32_t process);

#endif
