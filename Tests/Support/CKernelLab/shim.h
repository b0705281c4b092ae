/* System calls for the kernel tests that Swift cannot import: variadic syscall(2), and calls that glibc either
   hides or carries out on every thread of the process, where the tests need them on one. */
#ifndef PORTWHY_CKERNELLAB_SHIM_H
#define PORTWHY_CKERNELLAB_SHIM_H

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

long syscall(long number, ...);

/* unshare(CLONE_NEWNET) of the calling thread; 0 or -1 with errno. */
static inline int kernellab_unshare_network(void) { return (int)syscall(SYS_unshare, 0x40000000); }

/* accept4(2) with SOCK_NONBLOCK and SOCK_CLOEXEC; the descriptor or -1 with errno. */
static inline int kernellab_accept(int descriptor) {
  return (int)syscall(SYS_accept4, descriptor, (void *)0, (void *)0, 04000 | 02000000);
}

/* setfsuid(2) of the calling thread; returns the previous one. */
static inline uint32_t kernellab_set_filesystem_uid(uint32_t uid) { return (uint32_t)syscall(SYS_setfsuid, uid); }

/* Takes CAP_NET_BIND_SERVICE out of the calling thread's effective set, or back in; 0 or -1 with errno. */
static inline int kernellab_set_bind_capability(int effective) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  if (syscall(SYS_capget, &header, data) != 0) return -1;
  if (effective)
    data[0].effective |= 1u << CAP_NET_BIND_SERVICE;
  else
    data[0].effective &= ~(1u << CAP_NET_BIND_SERVICE);
  return (int)syscall(SYS_capset, &header, data);
}

/* Takes every privilege from the calling thread alone: uid and gid 65534, no groups, so no capabilities; for
   good. The process stays dumpable, as one that such a user had started (prctl(2), PR_SET_DUMPABLE). 0 or -1 with
   errno. */
static inline int kernellab_become_nobody(void) {
  if (syscall(SYS_setgroups, 0, (void *)0) != 0) return -1;
  if (syscall(SYS_setresgid, 65534, 65534, 65534) != 0) return -1;
  if (syscall(SYS_setresuid, 65534, 65534, 65534) != 0) return -1;
  return (int)syscall(SYS_prctl, 4, 1, 0, 0, 0);
}

/* pipe2(2) with O_CLOEXEC; 0 or -1 with errno. */
static inline int kernellab_pipe(int *ends) { return (int)syscall(SYS_pipe2, ends, O_CLOEXEC); }

/* fork(2), then execvp(3) of the words with /dev/null as all three standard streams; the process id or -1 with
   errno. A static function in C because between the two nothing of Swift may run. */
static inline int kernellab_fork_and_run(char **words) {
  pid_t process = fork();
  if (process != 0) return process;
  int null = open("/dev/null", O_RDWR);
  for (int stream = 0; stream < 3; stream++) dup2(null, stream);
  execvp(words[0], words);
  _exit(127);
}

#endif
