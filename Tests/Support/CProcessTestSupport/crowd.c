#define _GNU_SOURCE
#include "process_test_support.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int test_start_crowd(int32_t files, struct test_crowd_member *members, int32_t count) {
  int ready[2];
  struct rlimit limit = {(rlim_t)files + 64, (rlim_t)files + 64};
  if (pipe2(ready, O_CLOEXEC) != 0) return -1;
  for (int32_t place = 0; place < count; place++) {
    pid_t child = members[place].pid = fork();
    if (child < 0) return -1;
    if (child > 0) continue;
    /* Only async-signal-safe calls: the test has many threads. */
    struct test_crowd_member self = {.pid = getpid()};
    struct stat status;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close_range(3, (unsigned)ready[1] - 1, 0);
    close_range((unsigned)ready[1] + 1, ~0u, 0);
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(1);
    for (int32_t file = 0; file < files; file++)
      if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) _exit(1);
    self.number = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fstat(self.number, &status) != 0) _exit(1);
    self.inode = status.st_ino;
    if (write(ready[1], &self, sizeof self) != sizeof self) _exit(1);
    while (1) pause();
  }
  close(ready[1]);
  int32_t heard = 0;
  for (struct test_crowd_member told; read(ready[0], &told, sizeof told) == sizeof told && ++heard;) {
    for (int32_t place = 0; place < count; place++)
      if (members[place].pid == told.pid) members[place] = told;
    if (heard == count) break;
  }
  close(ready[0]);
  return heard == count ? 0 : -1;
}

void test_end_crowd(const struct test_crowd_member *members, int32_t count) {
  for (int32_t place = 0; place < count; place++) {
    if (members[place].pid <= 0) continue;
    kill(members[place].pid, SIGKILL);
    waitpid(members[place].pid, 0, 0);
  }
}
