#define _GNU_SOURCE
#include "process_test_support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* 0 or errno. */
static int outcome(long result) { return result < 0 ? errno : 0; }

static int mapped(int protection, int flags, int file) {
  return mmap(0, 4096, protection, flags, file, 0) == MAP_FAILED ? errno : 0;
}

static void attempt_all(struct test_confined *found, const char *path, int file) {
  char byte;
  found->reads = outcome(read(file, &byte, 1));
  found->opens_to_read = outcome(open(path, O_RDONLY | O_CLOEXEC));
  found->opens_to_write = outcome(open(path, O_WRONLY | O_CLOEXEC));
  found->creates = outcome(open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
  found->maps_memory = mapped(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  found->maps_code = mapped(PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  found->maps_a_file = mapped(PROT_READ, MAP_PRIVATE, file);
  found->makes_a_socket = outcome(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  found->signals = outcome(kill(getppid(), 0));
  /* Where it is permitted the child is one too many, and goes at once. */
  long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) syscall(SYS_exit, 0);
  found->forks = outcome(child);
  char *none[] = {0};
  found->executes = outcome(execve("/nonexistent", none, none));
}

int test_confined(int (*confine)(int), int reads_files, const char *path, struct test_confined *found) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  pid_t child = fork();
  if (child == 0) {
    /* Only async-signal-safe calls: the test has many threads. */
    struct test_confined mine = {0};
    int file = open(path, O_RDONLY | O_CLOEXEC);
    mine.confines = outcome(confine(reads_files));
    attempt_all(&mine, path, file);
    _exit(write(ends[1], &mine, sizeof mine) == sizeof mine ? 0 : 1);
  }
  close(ends[1]);
  ssize_t length = child < 0 ? -1 : read(ends[0], found, sizeof *found);
  close(ends[0]);
  int status = -1;
  if (child > 0) waitpid(child, &status, 0);
  return length == sizeof *found && status == 0 ? 0 : -1;
}
