#define _GNU_SOURCE
#include "process_test_support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a program that only reads never does, to anybody. */
static const struct {
  long number;
  const char *name;
} never[] = {
    {SYS_kill, "kill"},         {SYS_tgkill, "tgkill"},     {SYS_tkill, "tkill"},         {SYS_ptrace, "ptrace"},
    {SYS_listen, "listen"},     {SYS_shutdown, "shutdown"}, {SYS_accept4, "accept4"},     {SYS_renameat2, "renameat2"},
    {SYS_unlinkat, "unlinkat"}, {SYS_mkdirat, "mkdirat"},   {SYS_fchmod, "fchmod"},       {SYS_fchown, "fchown"},
    {SYS_mount, "mount"},       {SYS_truncate, "truncate"}, {SYS_ftruncate, "ftruncate"},
};

struct report {
  char *text;
  size_t used, size;
};

static void say(struct report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct report *report, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(report->text + report->used, report->size - report->used, format, arguments);
  va_end(arguments);
  if (length > 0 && report->used + (size_t)length < report->size) report->used += (size_t)length;
}

static int link_target(pid_t process, int descriptor, char *target, size_t size) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd/%d", process, descriptor);
  ssize_t length = readlink(path, target, size - 1);
  target[length > 0 ? length : 0] = 0;
  return length > 0;
}

/* Whether the descriptor is open and an execve(2) would hand it on (proc_pid_fdinfo(5), `flags`). */
static int is_inheritable(pid_t process, int descriptor) {
  char path[64], line[128];
  unsigned int flags = O_CLOEXEC;
  snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", process, descriptor);
  FILE *file = fopen(path, "re");
  if (!file) return 0;
  while (fgets(line, sizeof line, file))
    if (sscanf(line, "flags: %o", &flags) == 1) break;
  fclose(file);
  return !(flags & O_CLOEXEC);
}

/* Says something of each descriptor from `first` on; `only_inheritable` leaves out those that execve(2) closes. */
static void say_descriptors(struct report *report, const char *word, pid_t process, int first, int only_inheritable) {
  char path[64], target[256];
  snprintf(path, sizeof path, "/proc/%d/fd", process);
  DIR *directory = opendir(path);
  if (!directory) return;
  for (struct dirent *entry; (entry = readdir(directory));) {
    int number = atoi(entry->d_name);
    if (entry->d_name[0] == '.' || number < first || (only_inheritable && !is_inheritable(process, number))) continue;
    link_target(process, number, target, sizeof target);
    say(report, "%s %d %s\n", word, number, target);
  }
  closedir(directory);
}

/* The duplicates of other processes' descriptors that are open: there must never be two. */
struct duplicates {
  int descriptor;
  char target[256];
};

static void at_entry(struct report *report, pid_t main, pid_t process, long number, struct duplicates *last) {
  char target[256];
  for (size_t i = 0; i < sizeof never / sizeof *never; i++)
    if (process == main && number == never[i].number) say(report, "call %s\n", never[i].name);
  if (number == test_pidfd_getfd_number && last->descriptor >= 0 &&
      link_target(process, last->descriptor, target, sizeof target) && strcmp(target, last->target) == 0)
    say(report, "kept %d %s\n", last->descriptor, target);
}

/* A socket, a pidfd, a BPF program: what comes before main is none. */
static int is_own(const char *target) { return !strncmp(target, "socket:", 7) || !strncmp(target, "anon_inode:", 11); }

/* Whether it is a thread of the program. The child that asks for it what may keep one waiting closes every descriptor,
   has none but those of its own making, and executes nothing. */
static int is_thread(pid_t process, pid_t main) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task/%d", main, process);
  return access(path, F_OK) == 0;
}

static void at_exit(
    struct report *report, pid_t main, pid_t process, long number, long result, struct duplicates *last) {
  if (number == test_pidfd_getfd_number && result >= 0) {
    last->descriptor = (int)result;
    link_target(process, (int)result, last->target, sizeof last->target);
    say(report, "duplicate\n");
  }
  /* SIOCGIFINDEX and the like, which had the kernel look for a module of the interface's name first (dev_load). */
  if (number == SYS_ioctl && result == -ENODEV) say(report, "module\n");
  if (!is_thread(process, main)) return;
  if (number == SYS_pipe2 || number == SYS_socketpair) say_descriptors(report, "inheritable", process, 3, 1);
  char target[256];
  /* Swift's runtime looks for the words in its own memory map, before main and without O_CLOEXEC (CommandLine.cpp). */
  if (result >= 3 && result < 65536 && is_inheritable(process, (int)result) &&
      link_target(process, (int)result, target, sizeof target) && !strstr(target, "/maps"))
    say(report, "inheritable %ld %s\n", result, target);
  if (number != SYS_read && result >= 0 && result <= 2 && link_target(process, (int)result, target, sizeof target) &&
      is_own(target))
    say(report, "standard %ld %s\n", result, target);
}

static void at_exec(struct report *report, pid_t process) {
  char path[64], target[256];
  snprintf(path, sizeof path, "/proc/%d/exe", process);
  ssize_t length = readlink(path, target, sizeof target - 1);
  target[length > 0 ? length : 0] = 0;
  say(report, "exec %s\n", target);
  say_descriptors(report, "passed", process, 3, 0);
}

static pid_t start_traced(const char *const words[], const char *const environment[], int has_streams) {
  pid_t child = fork();
  if (child == 0) {
    /* Only async-signal-safe calls: the test has many threads. */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, 0);
    int null = open("/dev/null", O_RDWR);
    for (int number = 0; number < 3; number++) dup2(null, number);
    close_range(has_streams ? 3 : 0, ~0u, 0);
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    execve(words[0], (char *const *)words, (char *const *)environment);
    _exit(127);
  }
  int status;
  if (child < 0 || waitpid(child, &status, __WALL) != child || !WIFSTOPPED(status)) return -1;
  long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_TRACECLONE |
                 PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL;
  return ptrace(PTRACE_SETOPTIONS, child, 0, options) == 0 ? child : -1;
}

/* Lets the other side do its worst, and waits until it has, or has ended. */
static void interrupt(struct report *report, const struct test_interruption *interruption) {
  char byte = 1;
  ssize_t moved = write(interruption->command, &byte, 1);
  if (moved == 1) moved = read(interruption->answer, &byte, 1);
  say(report, moved < 0 ? "no answer\n" : "interrupted\n");
}

int test_watch(
    const char *const words[], const char *const environment[], int has_streams,
    const struct test_interruption *interruption, char *text, size_t size) {
  struct report report = {text, 0, size};
  struct duplicates last = {-1, ""};
  /* The numbers of the calls that run, by process or thread; a thread that is not met again costs a place. */
  struct {
    pid_t process;
    long number;
  } calls[64] = {{0, 0}};
  int has_started = 0;
  /* How many system calls it has begun since its first socket. */
  long steps = 0;
  pid_t main = start_traced(words, environment, has_streams);
  if (main < 0) return -1;
  ptrace(PTRACE_SYSCALL, main, 0, 0);
  while (1) {
    int status;
    /* Children of this thread alone: the others belong to other tests. */
    pid_t process = waitpid(-1, &status, __WALL | __WNOTHREAD);
    if (process < 0) break;
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      /* Its threads ended before, and it waits for its children; this thread may have others. */
      if (process == main) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      continue;
    }
    int signal = WSTOPSIG(status), event = status >> 16, delivered = 0;
    size_t slot = (size_t)process % 64;
    if (signal == (SIGTRAP | 0x80) && has_started) {
      struct __ptrace_syscall_info info;
      if (ptrace(PTRACE_GET_SYSCALL_INFO, process, sizeof info, &info) > 0) {
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
          calls[slot].process = process;
          calls[slot].number = (long)info.entry.nr;
          at_entry(&report, main, process, (long)info.entry.nr, &last);
          if (process == main && (steps > 0 || info.entry.nr == SYS_socket)) steps++;
          if (process == main && interruption && steps == interruption->step) interrupt(&report, interruption);
        } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && calls[slot].process == process) {
          at_exit(&report, main, process, calls[slot].number, (long)info.exit.rval, &last);
        }
      }
    } else if (event == PTRACE_EVENT_EXEC) {
      if (has_started) at_exec(&report, process);
      has_started = 1;
      /* What another program does is its own business. */
      if (process != main) {
        ptrace(PTRACE_DETACH, process, 0, 0);
        continue;
      }
    } else if (event == PTRACE_EVENT_EXIT && process == main) {
      say_descriptors(&report, "left", process, 3, 0);
    } else if (event == 0 && signal != SIGSTOP && signal != (SIGTRAP | 0x80)) {
      delivered = signal;
    }
    ptrace(PTRACE_SYSCALL, process, 0, delivered);
  }
  return -1;
}
