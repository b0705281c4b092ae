#define _GNU_SOURCE
#include "child.h"
#include "processes.h"
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

/* ---- in the child ---- */

int portwhy_write_all(const void *bytes, size_t count) {
  for (size_t sent = 0; sent < count;) {
    ssize_t more = write(0, (const char *)bytes + sent, count - sent);
    if (more < 0 && errno != EINTR) return errno;
    if (more > 0) sent += (size_t)more;
  }
  return 0;
}

static void close_all(unsigned first, unsigned last) {
  if (first > last || syscall(436 /* close_range */, first, last, 0) == 0) return;
  struct rlimit limit;  /* before 5.9 */
  unsigned end = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536 ? (unsigned)limit.rlim_cur : 65536;
  for (unsigned descriptor = first; descriptor < end && descriptor <= last; descriptor++) close((int)descriptor);
}

/* Nothing of the caller stays open: a child that is stuck must hold up no pipe of its caller, and no port. 0 becomes the
 * pipe, 1 what is read. All else is closed first: the caller may have no descriptor to spare (RLIMIT_NOFILE). */
static void keep_only(int pipe, int source) {
  unsigned low = (unsigned)(source >= 0 && source < pipe ? source : pipe);
  unsigned high = (unsigned)(source > pipe ? source : pipe);
  if (low > 0) close_all(0, low - 1);
  close_all(low + 1, high - 1);
  close_all(high + 1, ~0u);
  int high_pipe = fcntl(pipe, F_DUPFD, 2);
  int high_source = source < 0 ? -1 : fcntl(source, F_DUPFD, 2);
  dup2(high_pipe, 0);
  if (high_source >= 0) dup2(high_source, 1);
  close_all(high_source >= 0 ? 2 : 1, ~0u);
}

_Noreturn void portwhy_finish_child(struct portwhy_errand *errand, int error) {
  errand->state->error = error;
  __atomic_store_n(&errand->state->finished, 1, __ATOMIC_RELEASE);
  _exit(0);
}

/* ---- starting one ---- */

/* Children that were told that nothing more is asked, and end by themselves: nobody waits while they do. */
enum { most_leaving = 8 };
static _Atomic int32_t leaving[most_leaving];

static void wait_for(int32_t process) {
  while (waitpid(process, 0, __WALL) < 0 && errno == EINTR) {
  }
}

void portwhy_reap_children(void) {
  for (int place = 0; place < most_leaving; place++) {
    int32_t process = atomic_exchange(&leaving[place], 0);
    if (process != 0) wait_for(process);
  }
}

void portwhy_dismiss(struct portwhy_errand *errand) {
  if (errand->process == 0) return;
  close(errand->pipe);
  munmap(errand->state, errand->size);
  int is_noted = 0;
  for (int place = 0; place < most_leaving && !is_noted; place++) {
    int32_t none = 0;
    is_noted = atomic_compare_exchange_strong(&leaving[place], &none, errand->process);
  }
  if (!is_noted) wait_for(errand->process);
  errand->process = 0;
}

/* The children that did not end when they were told to, by kind, and what each was at. */
enum { most_stuck = 3, watchers = PORTWHY_ERRAND_KINDS };
static struct {
  _Atomic int32_t process;
  _Atomic uint32_t step;
} stuck[PORTWHY_ERRAND_KINDS + 1][most_stuck];

/* Who reads /proc or memory goes on behind the process that keeps it waiting; others ask one thing, so a second would be
 * stuck too. */
static int may_be_stuck(int kind) {
  return kind == PORTWHY_ERRAND_PROCESSES || kind == PORTWHY_ERRAND_MEMORY ? most_stuck : 1;
}

int portwhy_is_blocked_by_stuck(int kind) {
  int count = 0;
  for (int place = 0; place < most_stuck; place++) {
    int32_t process = atomic_exchange(&stuck[kind][place].process, 0);
    if (process == 0 || waitpid(process, 0, WNOHANG | __WALL) != 0) continue;
    atomic_store(&stuck[kind][place].process, process);
    count++;
  }
  return count >= may_be_stuck(kind);
}

static void remember_stuck(int kind, int32_t process, uint32_t step) {
  for (int place = 0; place < most_stuck; place++) {
    int32_t none = 0;
    if (!atomic_compare_exchange_strong(&stuck[kind][place].process, &none, process)) continue;
    atomic_store(&stuck[kind][place].step, step);
    return;
  }
}

int portwhy_is_stuck_at(int kind, uint32_t step) {
  for (int place = 0; place < most_stuck; place++) {
    if (atomic_load(&stuck[kind][place].process) != 0 && atomic_load(&stuck[kind][place].step) == step) return 1;
  }
  return 0;
}

/* clone(2) as fork(2) does it, but without SIGCHLD, which is the caller's business, and without what libc and others do
 * around fork(3), which may wait for locks of other threads. In the child 0 is returned and no signal is let through, so
 * that no handler of the caller's runs there. */
static long start_process(void) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t parent = getpid();
  long process = syscall(SYS_clone, 0, 0, 0, 0, 0);
  int error = errno;
  if (process == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    return 0;
  }
  pthread_sigmask(SIG_SETMASK, &before, 0);
  errno = error;
  return process;
}

static _Thread_local int refused;

int portwhy_take_refused_child(void) {
  int error = refused;
  refused = 0;
  return error;
}

static int refuse(int error) {
  refused = error;
  return error;
}

int portwhy_start_child(struct portwhy_errand *errand, int kind, uint32_t slots, size_t more, int source,
                        int *is_child) {
  int ends[2];
  *is_child = 0;
  memset(errand, 0, sizeof *errand);
  errand->kind = kind;
  if (portwhy_is_blocked_by_stuck(kind)) return EBUSY;
  size_t head = 64;
  errand->size = head + slots * sizeof(struct portwhy_socket_answer) + more;
  void *shared = mmap(0, errand->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return refuse(errno);
  errand->state = shared;
  errand->answers = (void *)((char *)shared + head);
  for (uint32_t slot = 0; slot < slots && more == 0; slot++) errand->answers[slot].error = PORTWHY_NOT_ASKED;
  if (more > 0 ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) : (int)syscall(SYS_pipe2, ends, O_CLOEXEC)) {
    int error = errno;
    munmap(shared, errand->size);
    return refuse(error);
  }
  long process = start_process();
  int error = errno;
  if (process == 0) {
    *is_child = 1;
    if (chdir("/") != 0) _exit(0);
    keep_only(ends[1], source);
    return 0;
  }
  close(ends[1]);
  if (process < 0) {
    close(ends[0]);
    munmap(shared, errand->size);
    return refuse(error);
  }
  errand->process = (int32_t)process;
  errand->pipe = ends[0];
  return 0;
}

/* ---- waiting for one ---- */

static uint64_t nanoseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int read_file(int32_t process, const char *name, char *text, size_t size) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)process, name);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t got = file < 0 ? -1 : read(file, text, size - 1);
  if (file >= 0) close(file);
  text[got > 0 ? got : 0] = 0;
  return got > 0;
}

/* The nanoseconds in which the child ran or waited for a processor (/proc/PID/schedstat); 0 where it does not tell. */
static uint64_t busy(int32_t process) {
  char text[128], *end;
  if (!read_file(process, "schedstat", text, sizeof text)) return 0;
  uint64_t ran = strtoull(text, &end, 10);
  return ran + strtoull(end, 0, 10);
}

static int is_running(int32_t process) {
  char text[512];
  if (!read_file(process, "stat", text, sizeof text)) return 0;
  char *end = strrchr(text, ')');
  return end && end[1] == ' ' && end[2] == 'R';
}

int32_t portwhy_parent_of(int32_t process) {
  char text[512];
  if (!read_file(process, "stat", text, sizeof text)) return 0;
  const char *end = strrchr(text, ')');
  return end && end[1] == ' ' && end[2] != 0 ? (int32_t)strtol(end + 3, 0, 10) : 0;
}

/* What another child reads of the one that is waited for, again and again: /proc may keep its readers waiting too. The
 * last of `turns` readings is in `told[turns % 2]`, while the other may be written. */
struct watch {
  int32_t process;
  uint32_t turns;
  uint32_t is_over;
  struct {
    uint64_t time, work;
    int is_running;
  } told[2];
};

static void watch_process(int32_t process, struct watch *watch) {
  const struct timespec pause = {0, 5000000};
  close_all(0, ~0u);
  for (uint32_t turn = 1; !__atomic_load_n(&watch->is_over, __ATOMIC_ACQUIRE); turn++) {
    watch->told[turn % 2].work = busy(process);
    watch->told[turn % 2].is_running = is_running(process);
    watch->told[turn % 2].time = nanoseconds();
    __atomic_store_n(&watch->turns, turn, __ATOMIC_RELEASE);
    syscall(SYS_futex, &watch->is_over, FUTEX_WAIT, 0, &pause, 0, 0);
  }
  _exit(0);
}

/* 0 where there is none. */
static struct watch *start_watch(int32_t process) {
  if (portwhy_is_blocked_by_stuck(watchers)) return 0;
  void *shared = mmap(0, sizeof(struct watch), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 0;
  struct watch *watch = shared;
  long child = start_process();
  if (child == 0) watch_process(process, watch);
  watch->process = (int32_t)child;
  if (child > 0) return watch;
  munmap(shared, sizeof *watch);
  return 0;
}

/* Whether it has not ended: it waits for somebody, too. */
static int end_watch(struct watch *watch) {
  const struct timespec moment = {0, 1000000};
  if (!watch) return 1;
  __atomic_store_n(&watch->is_over, 1, __ATOMIC_RELEASE);
  syscall(SYS_futex, &watch->is_over, FUTEX_WAKE, 1, 0, 0, 0);
  pid_t ended = 0;
  for (int turn = 0; turn < 50 && ended == 0; turn++) {
    nanosleep(&moment, 0);
    ended = waitpid(watch->process, 0, WNOHANG | __WALL);
  }
  if (ended == 0) {
    kill(watch->process, SIGKILL);
    remember_stuck(watchers, watch->process, 0);
  }
  munmap(watch, sizeof *watch);
  return ended == 0;
}

/* Nanoseconds of processor time of another process (clock_getcpuclockid(3)); 0 where that is not told. */
static uint64_t processor_time(int32_t process) {
  struct timespec time;
  clockid_t clock = (clockid_t)((~(unsigned)process << 3) | 2); /* CPUCLOCK_SCHED, include/linux/posix-timers.h */
  if (clock_gettime(clock, &time) != 0) return 0;
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* `slept`: nanoseconds that the child waited for others, as far as it was watched; `unheard`: for which nobody told, while
 * this process had a processor each time it wanted one. */
static int await_watched(struct portwhy_errand *errand, struct watch *watch, uint64_t patience) {
  enum { tick = 20, late = 10 };
  uint32_t turns = 0;
  uint64_t time = 0, work = 0, before = nanoseconds();
  while (1) {
    struct pollfd wait = {errand->pipe, POLLIN, 0};
    int ready = poll(&wait, 1, tick);
    if (ready > 0) return 1;
    if (ready < 0 && errno != EINTR) return 0;
    uint64_t now = nanoseconds(), passed = now - before;
    before = now;
    uint32_t turn = watch ? __atomic_load_n(&watch->turns, __ATOMIC_ACQUIRE) : 0;
    if (turn == turns) {
      if (passed < (tick + late) * 1000000u) errand->unheard += passed;
      if (errand->unheard >= 2 * patience) return 0;
      continue;
    }
    errand->unheard = 0;
    turns = turn;
    uint64_t then = time, did = watch->told[turn % 2].work - work;
    time = watch->told[turn % 2].time;
    work = watch->told[turn % 2].work;
    if (watch->told[turn % 2].is_running) continue;
    if (then == 0) errand->slept += tick * 1000000u;
    else if (time - then > did) errand->slept += time - then - did;
    if (errand->slept >= patience) return 0;
  }
}

int portwhy_await(struct portwhy_errand *errand, uint32_t milliseconds) {
  enum { tick = 20 };
  struct pollfd wait = {errand->pipe, POLLIN, 0};
  uint64_t patience = (uint64_t)milliseconds * 1000000u;
  if (poll(&wait, 1, 0) > 0) return 1;
  uint64_t begin = nanoseconds(), work = processor_time(errand->process);
  int ready = poll(&wait, 1, tick);
  if (ready < 0 && errno != EINTR) return 0;
  uint64_t passed = nanoseconds() - begin, worked = processor_time(errand->process) - work;
  if (passed > worked) errand->brief += passed - worked;
  if (errand->brief >= 20 * patience) return 0;
  if (ready > 0) return 1;
  uint64_t unheard = errand->unheard;
  struct watch *watch = start_watch(errand->process);
  int is_there = await_watched(errand, watch, patience);
  /* One that only had no processor yet keeps nothing back. */
  if (!end_watch(watch)) errand->unheard = unheard;
  return is_there;
}

int portwhy_await_thread(int32_t thread, int descriptor, uint32_t milliseconds) {
  struct portwhy_errand errand = {.process = thread, .pipe = descriptor};
  return portwhy_await(&errand, milliseconds);
}

int32_t portwhy_thread_number(void) { return (int32_t)syscall(SYS_gettid); }

/* ---- letting go of one ---- */

int portwhy_end_child(struct portwhy_errand *errand) {
  int options = __WALL;
  if (!__atomic_load_n(&errand->state->finished, __ATOMIC_ACQUIRE)) {
    /* Our own child, not waited for yet: the number is its own. */
    kill(errand->process, SIGKILL);
    struct pollfd wait = {errand->pipe, 0, 0};
    /* One that can be killed closes its pipe within a moment. */
    if (poll(&wait, 1, 10) == 0) options |= WNOHANG;
  }
  close(errand->pipe);
  pid_t ended;
  while ((ended = waitpid(errand->process, 0, options)) < 0 && errno == EINTR) {
  }
  if (ended == 0) remember_stuck(errand->kind, errand->process, errand->state->step);
  munmap(errand->state, errand->size);
  errand->process = 0;
  return ended != 0;
}
