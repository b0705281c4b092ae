#define _GNU_SOURCE
#include "process_test_support.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

const long test_pidfd_open_number = 434;
const long test_pidfd_getfd_number = 438;
const long test_seccomp_number = SYS_seccomp;
const long test_open_by_handle_at_number = SYS_open_by_handle_at;
const long test_dup3_number = SYS_dup3;

int test_become_user(uint32_t real, uint32_t effective) {
  if (syscall(SYS_setgroups, 0, 0) != 0) return -1;
  if (syscall(SYS_setresgid, effective, effective, effective) != 0) return -1;
  if (syscall(SYS_setresuid, real, effective, effective) != 0) return -1;
  /* A changed uid takes "dumpable" from the whole process; other tests look at it through /proc. */
  return prctl(PR_SET_DUMPABLE, 1);
}

int test_refuse_system_call(long number, int error) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

int test_refuse_socket(int family, int protocol, int error) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 5),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)family, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)protocol, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

int test_unshare_files(void) { return unshare(CLONE_FILES); }

int test_give_bind_capability(const char *path) {
  /* struct vfs_cap_data, revision 2: effective, and permitted. */
  uint32_t words[5] = {0x02000001, 1 << 10};
  return setxattr(path, "security.capability", words, sizeof words, 0);
}

int test_unshare_mounts(void) {
  if (unshare(CLONE_NEWNS) != 0) return -1;
  return mount("none", "/", 0, MS_REC | MS_PRIVATE, 0);
}

int test_unshare_network(void) { return unshare(CLONE_NEWNET); }

int test_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int test_listener_in_flight(uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
  char byte = 0;
  struct iovec part = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
  int ends[2];
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1) != 0 ||
      socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return -1;
  memcpy(CMSG_DATA(&control.header), &listener, sizeof listener);
  int sent = sendmsg(ends[0], &message, 0) == 1;
  close(ends[0]);
  close(listener);
  return sent ? ends[1] : -1;
}

int test_terminal(uint16_t columns, int ends[2]) {
  char name[128];
  struct winsize size = {.ws_row = 24, .ws_col = columns};
  ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (ends[0] < 0) return -1;
  if (grantpt(ends[0]) != 0 || unlockpt(ends[0]) != 0 || ptsname_r(ends[0], name, sizeof name) != 0) return -1;
  if (ioctl(ends[0], TIOCSWINSZ, &size) != 0) return -1;
  ends[1] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  return ends[1] < 0 ? -1 : 0;
}

int test_start_on_terminal(
    const char *const words[], const char *const environment[], const char *directory, uint16_t columns,
    int *terminal) {
  int ends[2];
  sigset_t none;
  struct winsize size = {.ws_row = 160, .ws_col = columns};
  if (test_terminal(columns, ends) != 0) return -1;
  if (ioctl(ends[0], TIOCSWINSZ, &size) != 0) return -1;
  pid_t child = fork();
  if (child == 0) {
    /* Only async-signal-safe calls: the test has many threads. */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, 0);
    setsid();
    ioctl(ends[1], TIOCSCTTY, 0);
    for (int number = 0; number < 3; number++) dup2(ends[1], number);
    if (chdir(directory) == 0) execve(words[0], (char *const *)words, (char *const *)environment);
    _exit(127);
  }
  close(ends[1]);
  *terminal = ends[0];
  return child;
}

int test_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data) {
  return mount(source, target, type, flags, data);
}

int test_unmount(const char *target) { return umount2(target, MNT_DETACH); }

const unsigned long test_bind_mount = MS_BIND;
const unsigned long test_read_only_mount = MS_REMOUNT | MS_BIND | MS_RDONLY;
