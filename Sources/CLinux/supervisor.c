#define _GNU_SOURCE
#include "supervisor.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Since 5.19. A call that was received can be interrupted by a fatal signal only, so that PTRACE_INTERRUPT waits. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* Numbers of system calls (arch/x86/entry/syscalls, include/uapi/asm-generic/unistd.h, arch/arm/tools/syscall.tbl).
   Those of x32, aarch64 and arm were read, not run. */
enum {
  X86_64_BIND = 49, X86_64_LISTEN = 50, X32_BIT = 0x40000000,
  I386_SOCKETCALL = 102, I386_BIND = 361, I386_LISTEN = 363,
  AARCH64_BIND = 200, AARCH64_LISTEN = 201,
  ARM_BIND = 282, ARM_LISTEN = 284,
  /* net/compat.c, linux/net.h */
  SYS_SOCKETCALL_BIND = 2, SYS_SOCKETCALL_LISTEN = 4,
};

enum portwhy_call portwhy_call_of(uint32_t architecture, int32_t number) {
  switch (architecture) {
  case AUDIT_ARCH_X86_64:
    number &= ~X32_BIT;
    return number == X86_64_BIND ? PORTWHY_BIND : number == X86_64_LISTEN ? PORTWHY_LISTEN : PORTWHY_NO_CALL;
  case AUDIT_ARCH_I386:
    return number == I386_BIND      ? PORTWHY_BIND
           : number == I386_LISTEN  ? PORTWHY_LISTEN
           : number == I386_SOCKETCALL ? PORTWHY_SOCKETCALL
                                       : PORTWHY_NO_CALL;
  case AUDIT_ARCH_AARCH64:
    return number == AARCH64_BIND ? PORTWHY_BIND : number == AARCH64_LISTEN ? PORTWHY_LISTEN : PORTWHY_NO_CALL;
  case AUDIT_ARCH_ARM:
    return number == ARM_BIND ? PORTWHY_BIND : number == ARM_LISTEN ? PORTWHY_LISTEN : PORTWHY_NO_CALL;
  default: return PORTWHY_NO_CALL;
  }
}

/* MARK: The filter */

#define FIELD(name) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, name))
#define IF_EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#define ANSWER(action) BPF_STMT(BPF_RET | BPF_K, (action))

/* bind(2) and listen(2) wait for an answer, everything else is allowed. The jumps count the lines that follow. */
static int install_filter(void) {
  struct sock_filter filter[] = {
#if defined(__x86_64__)
      /*  0 */ FIELD(arch),
      /*  1 */ IF_EQUAL(AUDIT_ARCH_I386, 6, 0),
      /*  2 */ IF_EQUAL(AUDIT_ARCH_X86_64, 0, 12),
      /*  3 */ FIELD(nr),
      /*  4 */ BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~(uint32_t)X32_BIT),
      /*  5 */ IF_EQUAL(X86_64_BIND, 8, 0),
      /*  6 */ IF_EQUAL(X86_64_LISTEN, 7, 8),
      /*  7 */ ANSWER(SECCOMP_RET_ALLOW),
      /*  8 */ FIELD(nr),
      /*  9 */ IF_EQUAL(I386_BIND, 4, 0),
      /* 10 */ IF_EQUAL(I386_LISTEN, 3, 0),
      /* 11 */ IF_EQUAL(I386_SOCKETCALL, 0, 3),
      /* 12 */ FIELD(args[0]),
      /* 13 */ IF_EQUAL(SYS_SOCKETCALL_BIND, 0, 2),
      /* 14 */ ANSWER(SECCOMP_RET_USER_NOTIF),
      /* 15 */ ANSWER(SECCOMP_RET_ALLOW),
      /* 16 */ IF_EQUAL(SYS_SOCKETCALL_LISTEN, 0, 1),
      /* 17 */ ANSWER(SECCOMP_RET_USER_NOTIF),
      /* 18 */ ANSWER(SECCOMP_RET_ALLOW),
#elif defined(__aarch64__)
      /*  0 */ FIELD(arch),
      /*  1 */ IF_EQUAL(AUDIT_ARCH_ARM, 4, 0),
      /*  2 */ IF_EQUAL(AUDIT_ARCH_AARCH64, 0, 6),
      /*  3 */ FIELD(nr),
      /*  4 */ IF_EQUAL(AARCH64_BIND, 5, 0),
      /*  5 */ IF_EQUAL(AARCH64_LISTEN, 4, 3),
      /*  6 */ FIELD(nr),
      /*  7 */ IF_EQUAL(ARM_BIND, 2, 0),
      /*  8 */ IF_EQUAL(ARM_LISTEN, 1, 0),
      /*  9 */ ANSWER(SECCOMP_RET_ALLOW),
      /* 10 */ ANSWER(SECCOMP_RET_USER_NOTIF),
#else
      ANSWER(SECCOMP_RET_ALLOW),
#endif
  };
#if !defined(__x86_64__) && !defined(__aarch64__)
  errno = ENOSYS;
  return -1;
#endif
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  /* SPEC_ALLOW: kernels before 5.16 would slow the whole tree down. */
  unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW
                        | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
  int listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  if (listener >= 0 || errno != EACCES) return listener;
  /* Without CAP_SYS_ADMIN a filter is allowed only to those who gain nothing by execve(2) any more. */
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

/* MARK: Signals */

static sigset_t remembered_mask;
static void (*remembered_pipe)(int), (*remembered_file_size)(int), (*remembered_child)(int);

static void (*disposition(int number))(int) {
  struct sigaction action;
  return sigaction(number, 0, &action) == 0 ? action.sa_handler : SIG_DFL;
}

void portwhy_remember_signals(void) {
  sigprocmask(SIG_SETMASK, 0, &remembered_mask);
  remembered_pipe = disposition(SIGPIPE);
  remembered_file_size = disposition(SIGXFSZ);
  remembered_child = disposition(SIGCHLD);
}

int portwhy_take_signals(void) {
  sigset_t all;
  sigfillset(&all);
  int of_faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
  for (unsigned i = 0; i < sizeof of_faults / sizeof *of_faults; i++) sigdelset(&all, of_faults[i]);
  if (sigprocmask(SIG_SETMASK, &all, 0) != 0) return -1;
  /* An ignored SIGCHLD would have children vanish unseen (wait(2)). */
  signal(SIGCHLD, SIG_DFL);
  return signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void let_through(int number) {
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, number);
  sigprocmask(SIG_UNBLOCK, &one, 0);
}

void portwhy_heed_signals(int signals) {
  /* What has come by now was the command's. */
  int number, code, sender;
  while (portwhy_next_signal(signals, &number, &code, &sender)) {}
  int endings[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
  for (unsigned i = 0; i < sizeof endings / sizeof *endings; i++) let_through(endings[i]);
}

void portwhy_end_by_signal(int number) {
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  signal(number, SIG_DFL);
  let_through(number);
  raise(number);
}

void portwhy_stop_by_signal(int number) {
  sigset_t before;
  sigprocmask(SIG_SETMASK, 0, &before);
  signal(number, SIG_DFL);
  /* To the process: a second thread has it blocked. */
  kill(getpid(), number);
  let_through(number);
  sigprocmask(SIG_SETMASK, &before, 0);
}

/* MARK: The child */

static int send_descriptor(int channel, int descriptor) {
  char byte = 0, control[CMSG_SPACE(sizeof(int))];
  memset(control, 0, sizeof control);
  struct iovec part = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  ssize_t sent;
  do sent = sendmsg(channel, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent == 1 ? 0 : -1;
}

/* What the child says: errno of its filter and nothing else, or 0 with the listener. */
static int send_error(int channel, int error) {
  ssize_t sent;
  do sent = send(channel, &error, sizeof error, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent == sizeof error ? 0 : -1;
}

static void be_child(int channel, const char *const words[], char *const environment[]) {
  int listener = install_filter();
  int error = listener < 0 ? errno : 0;
  if (send_error(channel, error) != 0 || error != 0 || send_descriptor(channel, listener) != 0) _exit(125);
  close(listener);
  char go;
  ssize_t got;
  do got = read(channel, &go, 1);
  while (got < 0 && errno == EINTR);
  if (got != 1) _exit(125);
  signal(SIGPIPE, remembered_pipe);
  signal(SIGXFSZ, remembered_file_size);
  signal(SIGCHLD, remembered_child);
  environ = (char **)environment;
  sigprocmask(SIG_SETMASK, &remembered_mask, 0);
  execvp(words[0], (char *const *)words);
  error = errno;
  send_error(channel, error);
  _exit(error == ENOENT ? 127 : 126);
}

/* MARK: The start */

static ssize_t receive_number(int channel, int *number) {
  ssize_t got;
  do got = recv(channel, number, sizeof *number, 0);
  while (got < 0 && errno == EINTR);
  return got;
}

static int receive_descriptor(int channel) {
  char byte, control[CMSG_SPACE(sizeof(int))];
  struct iovec part = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t got;
  do got = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (got != 1) return -1;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int))) return -1;
  int descriptor;
  memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
  return descriptor;
}

enum portwhy_step portwhy_fork_command(
    const char *const words[], char *const environment[], struct portwhy_command *command) {
  int ends[2];
  command->process = command->listener = command->channel = -1;
  command->error = 0;
  /* A sequence of packets: the number and the descriptor stay apart. */
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    command->error = errno;
    return PORTWHY_NO_PROCESS;
  }
  pid_t child = fork();
  if (child < 0) {
    command->error = errno;
    close(ends[0]);
    close(ends[1]);
    return PORTWHY_NO_PROCESS;
  }
  if (child == 0) {
    close(ends[0]);
    be_child(ends[1], words, environment);
  }
  close(ends[1]);
  command->process = child;
  command->channel = ends[0];
  int error = EPROTO;
  if (receive_number(ends[0], &error) != sizeof error || error != 0) {
    command->error = error;
    return PORTWHY_NO_FILTER;
  }
  command->listener = receive_descriptor(ends[0]);
  if (command->listener >= 0) return PORTWHY_STARTED;
  command->error = errno;
  return PORTWHY_NO_LISTENER;
}

enum portwhy_step portwhy_run_command(struct portwhy_command *command) {
  char go = 1;
  int error = 0;
  if (send(command->channel, &go, 1, MSG_NOSIGNAL) != 1) {
    command->error = errno;
    return PORTWHY_NO_PROCESS;
  }
  /* The other end closes with the execve(2). */
  ssize_t got = receive_number(command->channel, &error);
  close(command->channel);
  command->channel = -1;
  if (got != sizeof error) return PORTWHY_STARTED;
  command->error = error;
  return PORTWHY_NOT_EXECUTED;
}

void portwhy_drop_command(struct portwhy_command *command) {
  if (command->channel >= 0) close(command->channel);
  if (command->listener >= 0) close(command->listener);
  if (command->process > 0) {
    kill(command->process, SIGKILL);
    while (waitpid(command->process, 0, 0) < 0 && errno == EINTR) {}
  }
  command->channel = command->listener = command->process = -1;
}

/* MARK: Calls */

/* Shared with the keeper. */
struct page {
  /* The call that is being received: the kernel itself writes here, so that it cannot get lost in between. */
  struct seccomp_notif call;
  int rests;
  int keeper_answers;
};

static struct page *page;
static int keeper_alarm = -1;

static int answer(int listener, uint64_t id) {
  struct seccomp_notif_resp response;
  memset(&response, 0, sizeof response);
  response.id = id;
  response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) == 0 ? 0 : errno;
}

int portwhy_receive(int listener, struct portwhy_notification *notification) {
  if (!page) return EINVAL;
  memset(&page->call, 0, sizeof page->call);
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &page->call) != 0) return errno;
  notification->id = page->call.id;
  notification->thread = (int32_t)page->call.pid;
  notification->number = page->call.data.nr;
  notification->architecture = page->call.data.arch;
  notification->instruction = page->call.data.instruction_pointer;
  for (int i = 0; i < 6; i++) notification->arguments[i] = page->call.data.args[i];
  return 0;
}

int portwhy_still_waits(int listener, uint64_t id) {
  return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

int portwhy_go_on(int listener, uint64_t id) { return answer(listener, id); }

/* MARK: The keeper */

static void let_one_go_on(int listener) {
  struct seccomp_notif call;
  memset(&call, 0, sizeof call);
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) == 0) answer(listener, call.id);
}

static void keep(void) {
  int is_alone = 0;
  for (;;) {
    int answers = is_alone || __atomic_load_n(&page->rests, __ATOMIC_SEQ_CST);
    __atomic_store_n(&page->keeper_answers, answers, __ATOMIC_SEQ_CST);
    /* 0: the listener, 1: a pidfd of the supervisor, 2: its alarm. */
    struct pollfd ends[] = {
        {0, (short)(answers ? POLLIN : 0), 0}, {is_alone ? -1 : 1, POLLIN, 0}, {is_alone ? -1 : 2, POLLIN, 0}};
    if (poll(ends, 3, -1) < 0) {
      if (errno == EINTR) continue;
      _exit(1);
    }
    /* No task has the filter any more. */
    if (ends[0].revents & (POLLHUP | POLLERR | POLLNVAL)) _exit(0);
    if (ends[1].revents) {
      is_alone = 1;
      /* The call it was in; ENOENT where that has been answered. */
      if (page->call.id) answer(0, page->call.id);
    }
    if (ends[2].revents) {
      uint64_t count;
      ssize_t got = read(2, &count, sizeof count);
      (void)got;
      continue;
    }
    if (answers && ends[0].revents & POLLIN) let_one_go_on(0);
  }
}

int portwhy_fork_keeper(int listener) {
  page = mmap(0, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) {
    page = 0;
    return -1;
  }
  keeper_alarm = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  int supervisor = (int)syscall(SYS_pidfd_open, getpid(), 0);
  if (keeper_alarm < 0 || supervisor < 0) return -1;
  pid_t keeper = fork();
  if (keeper == 0) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, 0);
    setsid();
    prctl(PR_SET_NAME, "portwhy-keeper");
    /* The standard descriptors are never free, so none of the three is in another's way; whoever waits for the end of
       COMMAND's output must not wait for the keeper. */
    if (chdir("/") != 0 || dup2(listener, 0) < 0 || dup2(supervisor, 1) < 0 || dup2(keeper_alarm, 2) < 0) _exit(1);
    syscall(SYS_close_range, 3U, ~0U, 0U);
    keep();
  }
  close(supervisor);
  return keeper;
}

void portwhy_end_keeper(int listener, int keeper) {
  struct pollfd end = {listener, 0, 0};
  if (keeper <= 0 || poll(&end, 1, 0) <= 0 || !(end.revents & POLLHUP)) return;
  kill(keeper, SIGKILL);
  while (waitpid(keeper, 0, 0) < 0 && errno == EINTR) {}
}

static void wake_keeper(void) {
  uint64_t one = 1;
  ssize_t sent = write(keeper_alarm, &one, sizeof one);
  (void)sent;
}

void portwhy_rest(void) {
  __atomic_store_n(&page->rests, 1, __ATOMIC_SEQ_CST);
  wake_keeper();
}

void portwhy_resume(void) {
  __atomic_store_n(&page->rests, 0, __ATOMIC_SEQ_CST);
  wake_keeper();
  /* Two receivers would wait for each other's calls. */
  for (int i = 0; i < 200 && __atomic_load_n(&page->keeper_answers, __ATOMIC_SEQ_CST); i++) usleep(1000);
}

/* MARK: Threads */

static int traced(long result) { return result == 0 ? 0 : errno; }

/* `ptrace_attach` waits for cred_guard_mutex and starts again after any handler: only a jump leaves it. */
static timer_t deadline;
static int has_deadline;
static sigjmp_buf escape;
static volatile sig_atomic_t may_escape;

static void escape_seizing(int number) {
  (void)number;
  if (may_escape) siglongjmp(escape, 1);
}

static int deadline_signal(void) { return SIGRTMAX - 1; }

int portwhy_prepare_seizing(void) {
  struct sigaction action = {.sa_handler = escape_seizing};
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = deadline_signal();
  event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
  if (sigaction(deadline_signal(), &action, 0) != 0 || timer_create(CLOCK_MONOTONIC, &event, &deadline) != 0) {
    return errno;
  }
  let_through(deadline_signal());
  has_deadline = 1;
  return 0;
}

int portwhy_seize(int thread) {
  if (!has_deadline) return traced(ptrace(PTRACE_SEIZE, thread, 0, 0));
  struct itimerspec soon = {{0, 0}, {0, 100000000}}, never = {{0, 0}, {0, 0}};
  if (sigsetjmp(escape, 0)) {
    may_escape = 0;
    let_through(deadline_signal());
    return ETIMEDOUT;
  }
  may_escape = 1;
  timer_settime(deadline, 0, &soon, 0);
  int error = traced(ptrace(PTRACE_SEIZE, thread, 0, 0));
  may_escape = 0;
  timer_settime(deadline, 0, &never, 0);
  return error;
}

int portwhy_interrupt(int thread) { return traced(ptrace(PTRACE_INTERRUPT, thread, 0, 0)); }
int portwhy_detach(int thread, int number) { return traced(ptrace(PTRACE_DETACH, thread, 0, (long)number)); }

int portwhy_registers(int thread, uint64_t *instruction, int64_t *result) {
#if defined(__x86_64__)
  /* struct user_regs_struct, and that of a 32-bit task: ebx … eax at 6, eip at 12 (arch/x86/kernel/ptrace.c). */
  union {
    unsigned long long wide[27];
    uint32_t narrow[17];
  } registers;
  struct iovec area = {&registers, sizeof registers};
  if (ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &area) != 0) return errno;
  if (area.iov_len == sizeof registers.narrow) {
    *instruction = registers.narrow[12];
    *result = (int32_t)registers.narrow[6];
  } else {
    *instruction = registers.wide[16];
    *result = (int64_t)registers.wide[10];
  }
  return 0;
#elif defined(__aarch64__)
  /* struct user_pt_regs: x0 … x30, sp, pc; and that of a 32-bit task: r0 … r15. */
  union {
    unsigned long long wide[34];
    uint32_t narrow[18];
  } registers;
  struct iovec area = {&registers, sizeof registers};
  if (ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &area) != 0) return errno;
  if (area.iov_len == sizeof registers.narrow) {
    *instruction = registers.narrow[15];
    *result = (int32_t)registers.narrow[0];
  } else {
    *instruction = registers.wide[32];
    *result = (int64_t)registers.wide[0];
  }
  return 0;
#else
  (void)thread, (void)instruction, (void)result;
  return ENOSYS;
#endif
}

int portwhy_open_thread(int thread) { return (int)syscall(SYS_pidfd_open, thread, 0200U /* PIDFD_THREAD */); }

void portwhy_adopt_orphans(void) { prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

int portwhy_next_signal(int signals, int *number, int *code, int *sender) {
  struct signalfd_siginfo signal;
  ssize_t got = read(signals, &signal, sizeof signal);
  if (got != sizeof signal) return 0;
  *number = (int)signal.ssi_signo;
  *code = signal.ssi_code;
  *sender = (int)signal.ssi_pid;
  return 1;
}

long portwhy_read_memory(int thread, uint64_t address, void *buffer, unsigned long size) {
  struct iovec here = {buffer, size}, there = {(void *)(uintptr_t)address, size};
  return process_vm_readv(thread, &here, 1, &there, 1, 0);
}

int portwhy_wait_any(int *status) {
  pid_t found;
  /* Without __WALL, which traced threads do not need (4.7) and which would take the children of others. */
  do found = waitpid(-1, status, WNOHANG | WUNTRACED | WCONTINUED);
  while (found < 0 && errno == EINTR);
  return found;
}

uint64_t portwhy_namespace_cookie(int socket) {
  uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  return getsockopt(socket, SOL_SOCKET, 71 /* SO_NETNS_COOKIE */, &cookie, &length) == 0 ? cookie : 0;
}

int portwhy_has_file_capabilities(const char *path) { return getxattr(path, "security.capability", 0, 0) > 0; }

int portwhy_counter(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
