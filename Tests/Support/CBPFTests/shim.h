/* What the tests of BPFEvidence do to their own thread, by system calls that Swift cannot import or that libc would do
 * to all threads. Every function returns -1 and sets errno on failure. */
#ifndef PORTWHY_CBPF_TESTS_SHIM_H
#define PORTWHY_CBPF_TESTS_SHIM_H

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <net/if.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* unshare(2), CLONE_NEWNET, and the loopback interface up. */
static inline int bpftests_enter_private_network(void) {
  if (syscall(SYS_unshare, 0x40000000) != 0) return -1;
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  struct ifreq request;
  memset(&request, 0, sizeof(request));
  memcpy(request.ifr_name, "lo", 3);
  request.ifr_flags = IFF_UP;
  int result = ioctl(fd, SIOCSIFFLAGS, &request);
  close(fd);
  return result;
}

/* capset(2): the calling thread keeps only these effective capabilities. */
static inline int bpftests_keep_capabilities(uint64_t effective) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  if (syscall(SYS_capget, &header, data) != 0) return -1;
  data[0].effective &= (uint32_t)effective;
  data[1].effective &= (uint32_t)(effective >> 32);
  return (int)syscall(SYS_capset, &header, data);
}

/* setfsuid(2) of the calling thread alone; the capabilities stay. */
static inline int bpftests_set_socket_owner(uint32_t uid) {
  syscall(SYS_setfsuid, uid);
  return 0;
}

/* pipe2(2), O_CLOEXEC. */
static inline int bpftests_pipe(int *ends) { return (int)syscall(SYS_pipe2, ends, 02000000); }

/* accept4(2), SOCK_CLOEXEC. */
static inline int bpftests_accept(int listener) {
  return (int)syscall(SYS_accept4, listener, NULL, NULL, 02000000);
}

/* readlink(2). */
static inline long bpftests_readlink(const char *path, void *text, unsigned long size) {
  return readlink(path, (char *)text, size);
}

/* prctl(2): bpf(2) fails with EPERM in the calling thread from now on. */
static inline int bpftests_forbid_bpf(void) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

#endif
