/* A child process that does what may have to wait for another: a user can hold the lock of his socket or the kernel's
 * lock of all interfaces (RTNL), or keep close(2) from returning, for as long as he likes, and no such wait ends at a
 * signal.
 * Everything the child does is async-signal-safe, so a program with threads may start one. */
#ifndef PORTWHY_ERRAND_H
#define PORTWHY_ERRAND_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

/* A descriptor of a process that should be the socket `inode`. Of all questions with one slot the first that is answered
 * counts. */
struct portwhy_socket_question {
  int32_t process;
  int32_t descriptor;
  uint64_t inode;
  uint32_t slot;
};

/* `error` of an answer that nobody gave. */
#define PORTWHY_NOT_ASKED (-1)

/* What a socket said of itself; -1 and lengths of 0 for what it did not tell. */
struct portwhy_socket_answer {
  int32_t error;          /* 0, the errno of who refused, PORTWHY_NOT_ASKED */
  uint32_t question;      /* the number of the question that it answers */
  uint32_t may_ask_itself; /* who was refused with EPERM descends from this program, which may ask it itself */
  int32_t domain, type, protocol;                /* SO_DOMAIN, SO_TYPE, SO_PROTOCOL */
  int32_t reuseaddr, reuseport, v6only, device;  /* SO_REUSEADDR, SO_REUSEPORT, IPV6_V6ONLY, SO_BINDTOIFINDEX */
  int32_t listens;                               /* SO_ACCEPTCONN */
  uint32_t has_changed;                          /* not every reading was the same */
  uint32_t uid;                                  /* of its inode */
  uint32_t has_info, state, path_mtu, advertised_mss, received_mss;  /* TCP_INFO */
  uint32_t local_length, remote_length;          /* getsockname(2), getpeername(2) */
  struct sockaddr_in6 local, remote;
  int32_t freebind;                              /* IP_FREEBIND or IP_TRANSPARENT */
  char upper_layer[16];                          /* TCP_ULP */
  uint64_t cookie, namespace_cookie;             /* SO_COOKIE, SO_NETNS_COOKIE; 0 for none */
  uint64_t namespace_device, namespace_inode;    /* SIOCGSKNS */
};

/* What is asked besides the reuse options: where the socket is, its options of IP and TCP_INFO, which take its lock; or
 * several times in a row, each time of all sockets, what may change while a socket is bound and can be read without its
 * lock. */
enum { PORTWHY_ASK_FLAGS = 0, PORTWHY_ASK_PLACE = 1, PORTWHY_ASK_AGAIN = 2 };

/* Whether a socket of ours may be bound to an address that the host does not have (`inet_can_nonlocal_bind`). */
int portwhy_binds_any_address(int descriptor);

/* Asks a socket that is ours, in this process. 0, or errno. */
int portwhy_ask_socket(int descriptor, uint64_t inode, int wants, struct portwhy_socket_answer *answer);

/* A child that was started; `state` and `answers` are memory that both write and read. */
struct portwhy_errand {
  int32_t process;
  int32_t pipe;
  struct portwhy_errand_state *state;
  struct portwhy_socket_answer *answers;
  size_t size;     /* of that memory */
  int kind;
  uint64_t slept;  /* nanoseconds that it waited for others, as far as it was watched */
  uint64_t unheard, brief;  /* the same where nobody told for so long, and in waits too short for that */
  void *thread;    /* what a thread of this process shares; 0 for a child */
};

struct portwhy_errand_state {
  uint32_t step;      /* the number of the question that is being asked, or of the process that is being looked at */
  uint32_t finished;  /* all is done */
  int32_t error;      /* the errno that ended it, 0 for none */
};

/* What keeps one kind of errand waiting need not keep another. */
enum {
  PORTWHY_ERRAND_SOCKETS,
  PORTWHY_ERRAND_PROCESSES,  /* who has which descriptors, and what stands in /proc of it */
  PORTWHY_ERRAND_FILES,      /* files of /proc that call what belongs to the process: its memory, its descriptors */
  PORTWHY_ERRAND_NETLINK,
  PORTWHY_ERRAND_CALLS,
  PORTWHY_ERRAND_MEMORY,
  PORTWHY_ERRAND_KINDS
};

/* Starts a child that asks the questions, in their order, into `slots` answers; 0, or errno. EBUSY where an earlier child
 * of that kind is still stuck. */
int portwhy_start_asking(struct portwhy_errand *errand, const struct portwhy_socket_question *questions,
                         uint32_t count, uint32_t slots, int wants);

/* The same by a thread of this process, which may look at its descendants where Yama forbids that to its child. One that
 * is stuck stays behind with its duplicate, until this process ends. */
int portwhy_start_asking_here(struct portwhy_errand *errand, const struct portwhy_socket_question *questions,
                              uint32_t count, uint32_t slots, int wants);

/* Starts a child that reads `descriptor` to its end, into `errand->pipe`. 0, or errno. */
int portwhy_start_copying(struct portwhy_errand *errand, int descriptor);

/* Starts a child that calls bind(2) and listen(2) with the descriptor -1; the errno of each is the error of an answer. */
int portwhy_start_calling(struct portwhy_errand *errand);

/* Starts a child that reads `size` bytes of a thread's memory, 128 at most, into `errand->pipe` (process_vm_readv(2)): pages of
 * a file system in user space come when its server wants, and no signal ends the wait. 0, or errno. */
int portwhy_start_remembering(struct portwhy_errand *errand, int32_t thread, uint64_t address, uint32_t size);

/* A netlink(7) message to the kernel; `is_strict` for NETLINK_GET_STRICT_CHK. */
struct portwhy_netlink_request {
  int32_t bus;
  int32_t is_strict;
  const void *bytes;
  uint32_t length;
};

/* What stands in the pipe before each datagram; one without bytes ends the answer to a request. */
struct portwhy_netlink_frame {
  uint32_t request;  /* its number */
  uint32_t length;   /* of the bytes that follow */
  uint32_t port;     /* the port id of the socket that asked */
  int32_t error;     /* the errno that ended the answer, 0 for none */
  int32_t step;      /* of which call */
};

enum { PORTWHY_NETLINK_SOCKET, PORTWHY_NETLINK_CONNECT, PORTWHY_NETLINK_SEND, PORTWHY_NETLINK_RECEIVE };

/* Starts a child that asks the kernel each of the requests, over a socket of its own from the calling thread's network
 * namespace, and writes what it answers into `errand->pipe`. 0, or errno. */
int portwhy_start_netlink(struct portwhy_errand *errand, const struct portwhy_netlink_request *requests,
                          uint32_t count);

/* Waits until the pipe can be read or has ended: 1. 0 where the child has slept for `milliseconds` in all: the time in
 * which it runs, or could if a processor were free, does not count. Another child finds that out, and where that one too
 * cannot read /proc, twice the time has to pass, in all. Of waits that are over before somebody looks the time without a
 * processor counts, twenty times as long: many of them are a hindrance too. */
int portwhy_await(struct portwhy_errand *errand, uint32_t milliseconds);

/* The same for a thread of this process and a descriptor that can be read once it is done. */
int portwhy_await_thread(int32_t thread, int descriptor, uint32_t milliseconds);

/* gettid(2), which the Glibc module of Swift lacks. */
int32_t portwhy_thread_number(void);

/* Lets go of the child and the memory. One that is not done is killed; if it does not end it is remembered, and no
 * other of its kind is started beside it, or no fourth that reads /proc. 1 where it has ended. */
int portwhy_end_errand(struct portwhy_errand *errand);

/* Lets go of a child that has answered all and waits for more: it ends by itself, and is not waited for yet. */
void portwhy_dismiss(struct portwhy_errand *errand);

/* Waits for those, which takes a moment at most. */
void portwhy_reap_children(void);

/* The errno of the last child that this thread could not start since it was asked; 0 for none. */
int portwhy_take_refused_child(void);

#endif
