/* System calls for the kernel tests that Swift cannot import: variadic syscall(2), and calls that glibc either
   hides or carries out on every thread of the process, where the tests need them on one. */
#ifndef PORTWHY_CKERNELLAB_SHIM_H
#define PORTWHY_CKERNELLAB_SHIM_H

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
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

/* Takes one capability out of every set of the calling thread but the bounding set, which execve(2) consults; with
   `bounds` out of that one too (capset(2), prctl(2) PR_CAPBSET_DROP). 0 or -1 with errno. */
static inline int kernellab_drop_capability(int number, int bounds) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  if (bounds && syscall(SYS_prctl, 24, number, 0, 0, 0) != 0) return -1;
  if (syscall(SYS_capget, &header, data) != 0) return -1;
  uint32_t bit = 1u << (number & 31);
  data[number >> 5].effective &= ~bit;
  data[number >> 5].permitted &= ~bit;
  data[number >> 5].inheritable &= ~bit;
  return (int)syscall(SYS_capset, &header, data);
}

/* uid and gid of the calling thread, without groups, for good; it stays dumpable. 0 or -1 with errno. */
static inline int kernellab_become_user(uint32_t uid) {
  if (syscall(SYS_setgroups, 0, (void *)0) != 0) return -1;
  if (syscall(SYS_setresgid, uid, uid, uid) != 0) return -1;
  if (syscall(SYS_setresuid, uid, uid, uid) != 0) return -1;
  return (int)syscall(SYS_prctl, 4, 1, 0, 0, 0);
}

/* From now on socket(2) of this family fails with EAFNOSUPPORT, as RestrictAddressFamilies= of systemd has it
   (seccomp(2)). 0 or -1 with errno. */
static inline int kernellab_forbid_family(int family, int error) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)family, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  if (syscall(SYS_prctl, 38, 1, 0, 0, 0) != 0) return -1;
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

/* From now on this system call fails with this error, as SystemCallFilter= of systemd has it (seccomp(2)). 0 or -1 with
   errno. */
static inline int kernellab_forbid_call(int number, int error) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, error ? SECCOMP_RET_ERRNO | (uint32_t)error : SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  if (syscall(SYS_prctl, 38, 1, 0, 0, 0) != 0) return -1;
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

/* Of uid 0 no program gets a capability any more (SECBIT_NOROOT, locked); 0 or -1 with errno. */
static inline int kernellab_forget_root(void) { return (int)syscall(SYS_prctl, 28, 3, 0, 0, 0); }

/* Loads a program and attaches it to a control group, which keeps it. 0 or -1 with errno. */
static inline int kernellab_attach(int group, int kind, int attach, const struct bpf_insn *code, uint32_t count) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.prog_type = (uint32_t)kind;
  attributes.insn_cnt = count;
  attributes.insns = (uintptr_t)code;
  attributes.license = (uintptr_t)"GPL";
  attributes.expected_attach_type = (uint32_t)attach;
  int program = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes);
  if (program < 0) return -1;
  memset(&attributes, 0, sizeof attributes);
  attributes.target_fd = (uint32_t)group;
  attributes.attach_bpf_fd = (uint32_t)program;
  attributes.attach_type = (uint32_t)attach;
  int result = (int)syscall(SYS_bpf, BPF_PROG_ATTACH, &attributes, sizeof attributes);
  int error = errno;
  close(program);
  errno = error;
  return result;
}

/* setsockopt(2) of this option of SOL_SOCKET fails in a control group with EPERM, or with `swallows` says that it worked
   and does nothing (BPF_CGROUP_SETSOCKOPT). 0 or -1 with errno. */
static inline int kernellab_spoil_option(int group, int option, int swallows) {
  struct bpf_insn code[] = {
      {.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 2, .src_reg = 1, .off = offsetof(struct bpf_sockopt, level)},
      {.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = 2, .off = 6, .imm = 1},
      {.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 2, .src_reg = 1, .off = offsetof(struct bpf_sockopt, optname)},
      {.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = 2, .off = 4, .imm = option},
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = swallows ? 1 : 0},
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = -1},
      {.code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = 1, .src_reg = 3, .off = offsetof(struct bpf_sockopt, optlen)},
      {.code = BPF_JMP | BPF_EXIT},
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1},
      {.code = BPF_JMP | BPF_EXIT},
  };
  return kernellab_attach(
      group, BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_CGROUP_SETSOCKOPT, code, sizeof code / sizeof *code);
}

/* Gives every socket that is made in a control group a device, as `ip vrf exec` does
   (BPF_CGROUP_INET_SOCK_CREATE); the group keeps the program. 0 or -1 with errno. */
static inline int kernellab_give_device(int group, uint32_t device) {
  struct bpf_insn code[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = (int)device},
      {.code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = 1, .src_reg = 2, .off = offsetof(struct bpf_sock, bound_dev_if)},
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1},
      {.code = BPF_JMP | BPF_EXIT},
  };
  return kernellab_attach(
      group, BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE, code, sizeof code / sizeof *code);
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
