#define _GNU_SOURCE
#include "child.h"
#include "processes.h"
#include "supervisor.h"
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

/* Numbers that some C libraries lack: include/uapi/asm-generic/socket.h, include/uapi/linux/tcp.h, in.h, sockios.h. */
enum { so_cookie = 57, so_bindtoifindex = 62, so_netns_cookie = 71, tcp_ulp = 31, ipproto_mptcp = 262 };

/* ---- what a socket is asked ---- */

static int32_t number(int descriptor, int level, int name) {
  int32_t value = 0;
  socklen_t length = sizeof value;
  return getsockopt(descriptor, level, name, &value, &length) == 0 ? value : -1;
}

static uint64_t long_number(int descriptor, int name) {
  uint64_t value = 0;
  socklen_t length = sizeof value;
  return getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : 0;
}

int portwhy_binds_any_address(int descriptor) {
  enum { ip_freebind = 15, ip_transparent = 19 };
  return number(descriptor, IPPROTO_IP, ip_freebind) > 0 || number(descriptor, IPPROTO_IP, ip_transparent) > 0;
}

int portwhy_ask_socket(int descriptor, uint64_t inode, int wants, struct portwhy_socket_answer *answer) {
  /* The first question is one that no file system hears of: what was a socket when it was listed may be anything now. */
  int32_t domain = number(descriptor, SOL_SOCKET, SO_DOMAIN);
  struct stat status;
  if (domain < 0) return errno == ENOTSOCK ? ESRCH : errno;
  if (fstat(descriptor, &status) != 0) return errno;
  if (!S_ISSOCK(status.st_mode) || (inode != 0 && status.st_ino != inode)) return ESRCH;
  answer->domain = domain;
  answer->uid = status.st_uid;
  answer->type = number(descriptor, SOL_SOCKET, SO_TYPE);
  answer->protocol = number(descriptor, SOL_SOCKET, SO_PROTOCOL);
  answer->reuseaddr = number(descriptor, SOL_SOCKET, SO_REUSEADDR);
  if (answer->reuseaddr < 0) return errno;
  answer->reuseport = number(descriptor, SOL_SOCKET, SO_REUSEPORT);
  answer->v6only = domain == AF_INET6 ? number(descriptor, IPPROTO_IPV6, IPV6_V6ONLY) : -1;
  if (wants != PORTWHY_ASK_FLAGS) answer->device = number(descriptor, SOL_SOCKET, so_bindtoifindex);
  answer->listens = wants == PORTWHY_ASK_PLACE ? -1 : number(descriptor, SOL_SOCKET, SO_ACCEPTCONN);
  if ((domain != AF_INET && domain != AF_INET6) || wants == PORTWHY_ASK_AGAIN) return 0;
  int is_mptcp = answer->protocol == ipproto_mptcp;
  if (wants == PORTWHY_ASK_PLACE) answer->freebind = portwhy_binds_any_address(descriptor);
  if (is_mptcp || wants == PORTWHY_ASK_PLACE) {
    socklen_t length = sizeof answer->local;
    if (getsockname(descriptor, (struct sockaddr *)&answer->local, &length) == 0) answer->local_length = length;
    length = sizeof answer->remote;
    if (getpeername(descriptor, (struct sockaddr *)&answer->remote, &length) == 0) answer->remote_length = length;
  }
  if (answer->protocol == IPPROTO_TCP) {
    socklen_t length = sizeof answer->upper_layer;
    if (getsockopt(descriptor, IPPROTO_TCP, tcp_ulp, answer->upper_layer, &length) != 0) answer->upper_layer[0] = 0;
  }
  if (wants == PORTWHY_ASK_PLACE) {
    answer->cookie = long_number(descriptor, so_cookie);
    answer->namespace_cookie = long_number(descriptor, so_netns_cookie);
    int space = answer->namespace_cookie == 0 ? portwhy_socket_namespace(descriptor) : -1;
    if (space >= 0) {
      if (fstat(space, &status) == 0) {
        answer->namespace_device = status.st_dev;
        answer->namespace_inode = status.st_ino;
      }
      close(space);
    }
  }
  /* Last, because it waits for the socket's lock (tcp_get_info). */
  if (is_mptcp || (wants == PORTWHY_ASK_PLACE && answer->type == SOCK_STREAM)) {
    struct tcp_info info;
    memset(&info, 0, sizeof info);
    socklen_t length = sizeof info;
    if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &length) == 0) {
      answer->has_info = 1;
      answer->state = info.tcpi_state;
      answer->path_mtu = info.tcpi_pmtu;
      answer->advertised_mss = info.tcpi_advmss;
      answer->received_mss = info.tcpi_rcv_mss;
    }
  }
  return 0;
}

/* ---- the child ---- */

/* `self`: this program, in the pid namespace of /proc. */
static int descends(int32_t process, int32_t self) {
  /* A chain that changes while it is read may lead in a circle. */
  for (int step = 0; self > 0 && process > 1 && step < 100; step++) {
    process = portwhy_parent_of(process);
    if (process == self) return 1;
  }
  return 0;
}

/* In the pid namespace of /proc, which need not be that of getpid(2); 0 where it has none there. */
static int32_t own_number(void) {
  char text[64];
  ssize_t got = readlink("/proc/self", text, sizeof text - 1);
  text[got > 0 ? got : 0] = 0;
  return atoi(text);
}

/* A socket that listens and is only bound in turn, with other options each time, must not look as if it were both. */
static int is_still(int descriptor, const struct portwhy_socket_answer *answer) {
  enum { times = 2 };
  for (int time = 0; time < times; time++) {
    if (number(descriptor, SOL_SOCKET, SO_ACCEPTCONN) != answer->listens ||
        number(descriptor, SOL_SOCKET, SO_REUSEADDR) != answer->reuseaddr ||
        number(descriptor, SOL_SOCKET, SO_REUSEPORT) != answer->reuseport) {
      return 0;
    }
  }
  return 1;
}

static int ask_once(int process, const struct portwhy_socket_question *question, int wants,
                    struct portwhy_socket_answer *answer) {
  int duplicate = portwhy_pidfd_getfd(process, question->descriptor);
  if (duplicate < 0) return errno;
  struct portwhy_socket_answer told;
  memset(&told, 0, sizeof told);
  told.device = -1;
  int error = portwhy_ask_socket(duplicate, question->inode, wants, &told);
  if (error == 0 && wants == PORTWHY_ASK_FLAGS) told.has_changed = !is_still(duplicate, &told);
  told.question = answer->question;
  if (error == 0) *answer = told;
  /* One duplicate at a time, so that its holder can be named where this does not return (FUSE_FLUSH, SO_LINGER). */
  close(duplicate);
  return error;
}

static int is_as_before(const struct portwhy_socket_answer *one, const struct portwhy_socket_answer *other) {
  return one->reuseaddr == other->reuseaddr && one->reuseport == other->reuseport && one->device == other->device &&
         one->listens == other->listens && one->uid == other->uid;
}

/* A socket that is listening and has an option in turn looks, once, as if it were both; two of which always one is in the
 * way, as if none were. That both come again at each of several readings is not to be expected. */
static void ask_all_again(struct portwhy_errand *errand, const struct portwhy_socket_question *questions,
                          uint32_t count) {
  enum { most = 11, in_all = 1000 };
  uint32_t rounds = in_all / count;
  if (rounds > most) rounds = most;
  for (uint32_t round = 0; round == 0 || round < rounds; round++) {
    int process = -1;
    for (uint32_t place = 0; place < count; place++) {
      const struct portwhy_socket_question *question = questions + place;
      struct portwhy_socket_answer *answer = errand->answers + question->slot, told = *answer;
      if (answer->error != 0 || answer->question != place) continue;
      __atomic_store_n(&errand->state->step, place, __ATOMIC_RELEASE);
      if (process >= 0) close(process);
      process = portwhy_pidfd_open(question->process);
      if (process < 0 || ask_once(process, question, PORTWHY_ASK_AGAIN, &told) != 0 || !is_as_before(answer, &told)) {
        answer->has_changed = 1;
      }
    }
    if (process >= 0) close(process);
  }
}

void portwhy_ask_all(struct portwhy_errand *errand, const struct portwhy_socket_question *questions, uint32_t count,
                     int wants) {
  int process = -1;
  int refusal = 0;
  int32_t parent = -1;
  for (uint32_t place = 0; place < count; place++) {
    const struct portwhy_socket_question *question = questions + place;
    struct portwhy_socket_answer *answer = errand->answers + question->slot;
    __atomic_store_n(&errand->state->step, place, __ATOMIC_RELEASE);
    if (answer->error == 0) continue;
    if (place == 0 || question->process != questions[place - 1].process || (process < 0 && refusal == 0)) {
      if (process >= 0) close(process);
      process = portwhy_pidfd_open(question->process);
      /* A thread, which may have descriptors of its own, since 6.9 (PIDFD_THREAD). */
      if (process < 0) process = (int)syscall(SYS_pidfd_open, question->process, 0200);
      refusal = process < 0 ? errno : 0;
    }
    struct portwhy_socket_answer told = *answer;
    told.question = place;
    int error = process < 0 ? refusal : ask_once(process, question, wants, &told);
    /* Yama lets an ancestor look at a process, and none of its other children. */
    if (error == EPERM && !errand->thread && parent < 0) parent = portwhy_parent_of(own_number());
    if (error == EPERM && parent > 0 && !answer->may_ask_itself) {
      answer->may_ask_itself = told.may_ask_itself = (uint32_t)descends(question->process, parent);
    }
    /* That one holder went away says less than any other refusal. */
    if (error != 0 && answer->error > 0 && !portwhy_means_gone(answer->error)) continue;
    told.error = error;
    *answer = told;
  }
  if (process >= 0) close(process);
  if (wants == PORTWHY_ASK_AGAIN) ask_all_again(errand, questions, count);
}

/* An iterator gives up a read(2) after a million objects without a record, with EAGAIN; the next goes on there. */
static int copy_all(struct portwhy_errand *errand) {
  static char bytes[1 << 16];
  int patience = 1000;
  while (1) {
    ssize_t got = read(1, bytes, sizeof bytes);
    if (got < 0 && (errno == EINTR || errno == EAGAIN) && patience-- > 0) continue;
    if (got < 0) return errno;
    if (got == 0) return 0;
    int error = portwhy_write_all(bytes, (size_t)got);
    if (error != 0) return error;
    __atomic_add_fetch(&errand->state->step, 1, __ATOMIC_RELEASE);
  }
}

/* Whether a datagram has the end of a dump. */
static int ends_dump(const char *bytes, size_t count) {
  struct nlmsghdr head;
  for (size_t place = 0; count - place >= sizeof head;) {
    memcpy(&head, bytes + place, sizeof head);
    if (head.nlmsg_type == NLMSG_DONE || head.nlmsg_type == NLMSG_ERROR) return 1;
    if (head.nlmsg_len < sizeof head || NLMSG_ALIGN(head.nlmsg_len) > count - place) return 0;
    place += NLMSG_ALIGN(head.nlmsg_len);
  }
  return 0;
}

static ssize_t receive(int descriptor, void *bytes, size_t size, int flags) {
  ssize_t got;
  do got = recv(descriptor, bytes, size, flags | MSG_TRUNC);
  while (got < 0 && errno == EINTR);
  return got;
}

/* A dump never fills more than 32 KiB (`max_recvmsg_len`); one message alone can be longer: that of an interface with
 * thousands of alternative names. No message of the kernel's is longer than `largest`. */
static int copy_answer(int descriptor, int is_dump, struct portwhy_netlink_frame *frame) {
  enum { usual = 32 << 10, largest = 16 << 20 };
  static char usual_bytes[usual];
  static char *bytes = usual_bytes;
  static size_t size = usual;
  frame->step = PORTWHY_NETLINK_RECEIVE;
  while (1) {
    ssize_t next = receive(descriptor, bytes, size, MSG_PEEK);
    if (next > (ssize_t)size && next <= largest) {
      void *longer = mmap(0, (size_t)next, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (longer == MAP_FAILED) return errno;
      bytes = longer;
      size = (size_t)next;
    }
    ssize_t got = next < 0 ? next : receive(descriptor, bytes, size, 0);
    if (got < 0) return errno;
    if (got > (ssize_t)size) return EMSGSIZE;
    frame->length = (uint32_t)got;
    int error = portwhy_write_all(frame, sizeof *frame);
    if (error == 0) error = portwhy_write_all(bytes, (size_t)got);
    if (error != 0) return error;
    if (!is_dump || ends_dump(bytes, (size_t)got)) return 0;
  }
}

static int ask_kernel(const struct portwhy_netlink_request *request, struct portwhy_netlink_frame *frame) {
  frame->step = PORTWHY_NETLINK_SOCKET;
  int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, request->bus);
  if (descriptor < 0) return errno;
  /* Before Linux 4.20 there is no such option; the answer is then longer and filtered by who asked. */
  int one = 1;
  if (request->is_strict) setsockopt(descriptor, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof one);
  /* Any process may send to a netlink port; to one that is connected to port 0 only the kernel (`netlink_connect`). */
  struct sockaddr_nl name = {.nl_family = AF_NETLINK};
  socklen_t length = sizeof name;
  frame->step = PORTWHY_NETLINK_CONNECT;
  int error = 0;
  if (connect(descriptor, (struct sockaddr *)&name, sizeof name) != 0 ||
      getsockname(descriptor, (struct sockaddr *)&name, &length) != 0) {
    error = errno;
  } else {
    frame->port = name.nl_pid;
    frame->step = PORTWHY_NETLINK_SEND;
    ssize_t sent;
    do sent = send(descriptor, request->bytes, request->length, 0);
    while (sent < 0 && errno == EINTR);
    struct nlmsghdr head;
    memcpy(&head, request->bytes, sizeof head);
    int is_dump = (head.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
    error = sent < 0 ? errno : copy_answer(descriptor, is_dump, frame);
  }
  close(descriptor);
  return error;
}

static int ask_kernel_all(const struct portwhy_netlink_request *requests, uint32_t count) {
  for (uint32_t number = 0; number < count; number++) {
    struct portwhy_netlink_frame frame = {.request = number};
    frame.error = ask_kernel(requests + number, &frame);
    frame.length = 0;
    int error = portwhy_write_all(&frame, sizeof frame);
    if (error != 0) return error;
  }
  return 0;
}

int portwhy_start_asking(struct portwhy_errand *errand, const struct portwhy_socket_question *questions,
                         uint32_t count, uint32_t slots, int wants) {
  int is_child;
  int error = portwhy_start_child(errand, PORTWHY_ERRAND_SOCKETS, slots, 0, -1, &is_child);
  if (!is_child) return error;
  portwhy_ask_all(errand, questions, count, wants);
  portwhy_finish_child(errand, 0);
}

int portwhy_start_copying(struct portwhy_errand *errand, int descriptor) {
  int is_child;
  int error = portwhy_start_child(errand, PORTWHY_ERRAND_SOCKETS, 0, 0, descriptor, &is_child);
  if (!is_child) return error;
  portwhy_finish_child(errand, copy_all(errand));
}

int portwhy_start_netlink(struct portwhy_errand *errand, const struct portwhy_netlink_request *requests,
                          uint32_t count) {
  int is_child;
  int error = portwhy_start_child(errand, PORTWHY_ERRAND_NETLINK, 0, 0, -1, &is_child);
  if (!is_child) return error;
  portwhy_finish_child(errand, ask_kernel_all(requests, count));
}

int portwhy_start_remembering(struct portwhy_errand *errand, int32_t thread, uint64_t address, uint32_t size) {
  char bytes[128];
  int is_child;
  int error = portwhy_start_child(errand, PORTWHY_ERRAND_MEMORY, 0, 0, -1, &is_child);
  if (!is_child) return error;
  long got = portwhy_read_memory(thread, address, bytes, size < sizeof bytes ? size : sizeof bytes);
  portwhy_finish_child(errand, got < 0 ? errno : portwhy_write_all(bytes, (size_t)got));
}

int portwhy_start_calling(struct portwhy_errand *errand) {
  int is_child;
  int error = portwhy_start_child(errand, PORTWHY_ERRAND_CALLS, 2, 0, -1, &is_child);
  if (!is_child) return error;
  /* What a filter kills is to leave no core behind. */
  prctl(PR_SET_DUMPABLE, 0);
  errand->answers[0].error = bind(-1, 0, 0) == 0 ? 0 : errno;
  errand->answers[1].error = listen(-1, 1) == 0 ? 0 : errno;
  portwhy_finish_child(errand, 0);
}

/* ---- asking without a child ---- */

/* What a thread and who started it share; the last of the two frees it. */
struct by_thread {
  _Atomic int owners;
  int end;
  int wants;
  uint32_t count;
  struct portwhy_errand errand;
  struct portwhy_errand_state state;
  struct portwhy_socket_question questions[];
};

/* A thread that was left behind. */
static _Atomic int stuck_thread;

static void let_go_of(struct by_thread *work) {
  if (atomic_fetch_sub(&work->owners, 1) > 1) return;
  atomic_store(&stuck_thread, 0);
  free(work->errand.answers);
  free(work);
}

static void *ask_here(void *raw) {
  struct by_thread *work = raw;
  int32_t self = portwhy_thread_number();
  ssize_t sent = write(work->end, &self, sizeof self);
  (void)sent;
  portwhy_ask_all(&work->errand, work->questions, work->count, work->wants);
  __atomic_store_n(&work->state.finished, 1, __ATOMIC_RELEASE);
  close(work->end);
  let_go_of(work);
  return 0;
}

static int start_thread(void *(*body)(void *), void *value) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_t thread;
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&thread, 0, body, value);
  pthread_sigmask(SIG_SETMASK, &before, 0);
  if (error == 0) pthread_detach(thread);
  return error;
}

int portwhy_start_asking_here(struct portwhy_errand *errand, const struct portwhy_socket_question *questions,
                              uint32_t count, uint32_t slots, int wants) {
  int ends[2];
  memset(errand, 0, sizeof *errand);
  if (atomic_load(&stuck_thread)) return EBUSY;
  struct by_thread *work = calloc(1, sizeof *work + count * sizeof *questions);
  struct portwhy_socket_answer *answers = calloc(slots, sizeof *answers);
  if (!work || !answers || syscall(SYS_pipe2, ends, O_CLOEXEC) != 0) {
    int error = errno;
    free(answers);
    free(work);
    return error;
  }
  memcpy(work->questions, questions, count * sizeof *questions);
  for (uint32_t slot = 0; slot < slots; slot++) answers[slot].error = PORTWHY_NOT_ASKED;
  errand->state = &work->state;
  errand->answers = answers;
  errand->pipe = ends[0];
  errand->thread = work;
  work->owners = 2;
  work->end = ends[1];
  work->wants = wants;
  work->count = count;
  work->errand = *errand;
  int error = start_thread(ask_here, work);
  if (error != 0) {
    close(ends[0]);
    close(ends[1]);
    free(answers);
    free(work);
    memset(errand, 0, sizeof *errand);
    return error;
  }
  /* It waits for nobody before this. */
  ssize_t got;
  do got = read(ends[0], &errand->process, sizeof errand->process);
  while (got < 0 && errno == EINTR);
  return 0;
}

static void leave_thread(struct portwhy_errand *errand) {
  if (!__atomic_load_n(&errand->state->finished, __ATOMIC_ACQUIRE)) atomic_store(&stuck_thread, 1);
  close(errand->pipe);
  let_go_of(errand->thread);
}

int portwhy_end_errand(struct portwhy_errand *errand) {
  if (errand->process == 0) return 1;
  if (!errand->thread) return portwhy_end_child(errand);
  leave_thread(errand);
  errand->process = 0;
  return 1;
}
