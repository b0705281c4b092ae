/* What /proc says, and what /sys, read by a child (errand.h): any user can hold the lock of a directory there, that of this
 * very process too, by a getdents64(2) into memory that he does not let arrive and an open(2) that wants to make a file
 * there, and from then on whoever looks into it waits; where a name has to be looked up, no signal ends that.
 *
 * The child is asked as often as one likes. A question is some of `struct portwhy_process_request` and what follows it, an
 * answer some of `struct portwhy_process_frame`, each with its bytes. What is not yet written stands in memory of both. */
#ifndef PORTWHY_PROCESSFILES_H
#define PORTWHY_PROCESSFILES_H

#include "errand.h"
#include <sys/types.h>

/* What is read of a file; its bytes are those of the frame. */
enum {
  PORTWHY_FILE_CONTENTS,  /* up to `limit` bytes of it */
  PORTWHY_FILE_LINK,      /* readlinkat(2) */
  PORTWHY_FILE_STATUS,    /* struct portwhy_file_status, symbolic links followed */
  PORTWHY_FILE_MOUNT,     /* uint64_t: the number of the mount it is on */
  PORTWHY_FILE_OWNER,     /* struct portwhy_file_status of the user namespace that owns this namespace */
  PORTWHY_FILE_OPENED,    /* no bytes, but the file itself, open for reading: it comes with the frame (unix(7)) */
  PORTWHY_FILE_NAMES,     /* the names in a directory, each with a NUL behind it; error E2BIG for more than `limit` bytes */
  PORTWHY_FILE_GROUP,     /* the path of a control group: `path` is its number, 16 hexadecimal digits, and where cgroup2 is
                             mounted (open_by_handle_at(2)) */
  PORTWHY_FILE_LEADER     /* no file, but whether the leader of the process group, as `stat` before it has that, has gone while
                             its session lives on: then error ENOENT, and 0 or another where not */
};

struct portwhy_file_question {
  uint32_t what;
  uint32_t limit;
  char path[1016];  /* below the directory, or from `/` */
};

struct portwhy_file_status {
  uint64_t device, inode, size;
  uint32_t uid, mode;
};

/* A descriptor of a process that refers to this socket. */
struct portwhy_descriptor {
  int32_t process;
  int32_t number;
  uint64_t inode;
};

/* Of whom. */
enum {
  PORTWHY_HOLDERS,           /* all who have a descriptor of one of the sockets; told with these descriptors */
  PORTWHY_HOLDERS_OF_OTHERS, /* all who have one of a socket that is none of these */
  PORTWHY_YOUNGEST_HOLDERS,  /* one holder of each of the sockets, the highest numbers first */
  PORTWHY_EVERYBODY,
  PORTWHY_NAMED,             /* the processes of the descriptors */
  PORTWHY_NAMED_AND_PARENTS, /* the same, and theirs, up to the first process */
  PORTWHY_SOCKETS,           /* nobody: the sockets of the questions that follow are asked */
  PORTWHY_CONFIRMED          /* the processes of the descriptors, where these are as they say: else error ESTALE */
};

/* Followed by the inodes, ascending, the descriptors, those of a process side by side, and the questions: first those about
 * /proc itself, then those about a process. */
struct portwhy_process_request {
  uint32_t size;  /* with all that follows */
  uint32_t whom;
  int32_t wants;          /* of sockets */
  uint32_t more;          /* their questions */
  uint64_t microseconds;  /* of processor time, after which the rest is left out, of holders with error ETIME; 0 for no limit */
  uint32_t inodes, descriptors, root_questions, questions;
  uint32_t many_files;  /* where the host has so many files open, or processes four times as many descriptors, nothing is read,
                           or no more: error E2BIG; 0 for no limit */
  int32_t after;        /* of all processes: goes on behind this one; 0 for the first */
  int32_t silent[4];    /* processes that are passed over */
  uint32_t parent_questions;  /* so many of the questions are asked of the parents of whom was found too; 0 for none */
  uint32_t unused;
};

enum {
  PORTWHY_FRAME_FILE,     /* the answer to one question, in their order; of /proc itself where the process is 0 */
  PORTWHY_FRAME_PROCESS,  /* a process, followed by its files: some of its descriptors; may come several times */
  PORTWHY_FRAME_WHOLE,    /* all of that process */
  PORTWHY_FRAME_REFUSED,  /* a process that may not be looked at, or whose files are passed over */
  PORTWHY_FRAME_SILENT,   /* a process that is passed over: it keeps another look waiting */
  PORTWHY_FRAME_PARENTS,  /* all were looked at, and those who follow are parents */
  PORTWHY_FRAME_LISTED,   /* uint32_t: how many processes there are; with error 0 the first is among them */
  PORTWHY_FRAME_DONE      /* nothing follows */
};

struct portwhy_process_frame {
  int32_t process;
  uint32_t kind;
  int32_t error;
  uint32_t length;  /* of the bytes that follow */
};

#define PORTWHY_STAGED_BYTES 32768

/* Starts a child of this kind that reads below the directory `root`, and asks it the first question. 0, or errno. */
int portwhy_start_reading(struct portwhy_errand *errand, int kind, const char *root,
                          const struct portwhy_process_request *request);

/* Asks it another, once it has answered the one before. 0, or errno. */
int portwhy_read_more(struct portwhy_errand *errand, const struct portwhy_process_request *request);

/* read(2) of its pipe, with the files that come along: the numbers of at most `*count` of them, and how many these are; -1
 * for one that there was no descriptor for. */
ssize_t portwhy_receive_files(struct portwhy_errand *errand, void *bytes, size_t size, int32_t *files, uint32_t *count);

/* Whether a child of this kind is still waiting for a file that is no process's. */
int portwhy_waits_for_place(int kind);

/* Has it ask the sockets into the first `slots` of its answers, at most PORTWHY_RESERVED_SLOTS; so much for one is not worth
 * a child of its own. EBUSY where a child that asked sockets is still stuck. 0, or errno. */
#define PORTWHY_RESERVED_SLOTS 512
int portwhy_ask_too(struct portwhy_errand *errand, const struct portwhy_socket_question *questions, uint32_t count,
                    uint32_t slots, int wants);

/* Kills a child that gives no answer, and takes what of the answer it had not yet written, at most PORTWHY_STAGED_BYTES;
 * `received` have come through the pipe. How many bytes these are. */
size_t portwhy_take_staged(struct portwhy_errand *errand, uint64_t received, void *bytes);

#endif
