#include "confine.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The address sanitizer looks for leaks at the end: it starts a process that traces this one, and that is not to be had
 * here. What it tests then is not confined. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define IS_FREE
#endif
#endif

#if defined(IS_FREE)
#elif defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifdef ARCHITECTURE
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
/* One instruction is skipped where the number is another. */
#define PERMIT(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), ALLOW

int portwhy_confine(int reads_files) {
  struct sock_filter code[] = {
      LOAD(arch),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
      REFUSE,
      LOAD(nr),
      /* Of what is open already. */
      PERMIT(SYS_read),
      PERMIT(SYS_write),
      PERMIT(SYS_writev),
      PERMIT(SYS_brk),
      PERMIT(SYS_munmap),
      PERMIT(SYS_mremap),
      PERMIT(SYS_madvise),
      PERMIT(SYS_futex),
      PERMIT(SYS_getrandom),
      PERMIT(SYS_clock_gettime),
      PERMIT(SYS_ppoll),
      PERMIT(SYS_rt_sigreturn),
      PERMIT(SYS_close),
      PERMIT(SYS_exit),
      PERMIT(SYS_exit_group),
      /* isatty(3), and how many columns the terminal has: TCGETS, TIOCGWINSZ. */
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 5),
      LOAD(args[1]),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x5401, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x5413, 0, 1),
      ALLOW,
      REFUSE,
      /* Memory, but none that is executed and none of a file. */
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 6),
      LOAD(args[2]),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 4 /* PROT_EXEC */, 3, 0),
      LOAD(args[3]),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x20 /* MAP_ANONYMOUS */, 0, 1),
      ALLOW,
      REFUSE,
#ifdef SYS_poll
      PERMIT(SYS_poll),
#endif
      /* Of files that are still to be read: the last part, left out where there are none. */
      BPF_JUMP(BPF_JMP | BPF_JA, reads_files ? 0 : 12, 0, 0),
      PERMIT(SYS_fcntl),
      PERMIT(SYS_fstat),
      PERMIT(SYS_newfstatat),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 5),
      LOAD(args[2]),
      /* O_ACCMODE, O_CREAT and O_TRUNC: to read alone. */
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 03 | 0100 | 01000, 1, 0),
      ALLOW,
      REFUSE,
      REFUSE,
      REFUSE,
  };
  struct sock_fprog program = {sizeof code / sizeof code[0], code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}
#else
int portwhy_confine(int reads_files) {
  (void)reads_files;
  errno = ENOSYS;
  return -1;
}
#endif
