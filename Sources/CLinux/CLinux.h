/* What Swift cannot say of the kernel's interface: variadic functions (ioctl, syscall), function-like macros (_IO), and
 * what only _GNU_SOURCE declares. Here namespaces, signals and sockets; files of processes and bpf(2) have headers of
 * their own. */
#ifndef PORTWHY_CLINUX_H
#define PORTWHY_CLINUX_H

#include <linux/nsfs.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* ioctl_ns(2), NS_GET_USERNS: a descriptor of the user namespace that owns the namespace `fd`; -1 and errno. */
static inline int portwhy_ns_get_userns(int fd) { return ioctl(fd, NS_GET_USERNS); }

/* ioctl_ns(2), NS_GET_PARENT: a descriptor of the parent of the user namespace `fd`; -1 and errno. */
static inline int portwhy_ns_get_parent(int fd) { return ioctl(fd, NS_GET_PARENT); }

/* ioctl_ns(2), NS_GET_OWNER_UID: the uid that made the user namespace `fd`; -1 and errno. */
static inline int portwhy_ns_get_owner_uid(int fd, uint32_t *uid) { return ioctl(fd, NS_GET_OWNER_UID, uid); }

/* Whether `fd` is a network namespace (ioctl_ns(2), NS_GET_NSTYPE, Linux 4.11). The file system is asked first
 * (NSFS_MAGIC): an ioctl may mean anything to a device. */
static inline int portwhy_is_network_namespace(int fd) {
  struct statfs status;
  return fstatfs(fd, &status) == 0 && status.f_type == 0x6e736673 && ioctl(fd, NS_GET_NSTYPE) == 0x40000000;
}

/* bpf(2), BPF_PROG_QUERY: how many programs of the attach type are in effect for the cgroup2 directory `fd`, those
 * of its ancestors included; -1 and errno. Needs CAP_NET_ADMIN. */
static inline int portwhy_cgroup_programs(int fd, uint32_t attach_type) {
  struct {
    uint32_t target, attach_type, query_flags, attach_flags;
    uint64_t program_ids __attribute__((aligned(8)));
    uint32_t program_count;
  } query = {(uint32_t)fd, attach_type, 1 /* BPF_F_QUERY_EFFECTIVE */, 0, 0, 0};
  return syscall(SYS_bpf, 16, &query, sizeof query) == 0 ? (int)query.program_count : -1;
}

/* unshare(2), CLONE_NEWNET: moves the calling thread to a new network namespace; -1 and errno. */
static inline int portwhy_unshare_network(void) { return (int)syscall(SYS_unshare, 0x40000000); }

/* setns(2), CLONE_NEWNET: moves the calling thread to the network namespace `fd`; -1 and errno. */
static inline int portwhy_setns_network(int fd) { return (int)syscall(SYS_setns, fd, 0x40000000); }

/* SO_ATTACH_FILTER (socket(7)) on a socket of sock_diag events: the kernel delivers only those with idiag_sport in
   first...last. The offset is that of struct nlmsghdr and of what stands before it in struct inet_diag_msg. */
int portwhy_filter_local_port(int fd, uint16_t first, uint16_t last);

/* The signals of `wanted` that are not ignored, which nohup(1) and a shell's & set, are blocked for this thread and
   come through the descriptor instead (signalfd(2)); `before` gets the mask to restore. -1 and errno. */
static inline int portwhy_signal_descriptor(const int *wanted, int count, sigset_t *before) {
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < count; i++) {
    struct sigaction action;
    if (sigaction(wanted[i], 0, &action) == 0 && action.sa_handler != SIG_IGN) sigaddset(&set, wanted[i]);
  }
  int descriptor = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (descriptor >= 0) pthread_sigmask(SIG_BLOCK, &set, before);
  return descriptor;
}

static inline void portwhy_erase_line_and_end(int number) {
  ssize_t written = write(2, "\r\033[K", 4);
  (void)written;
  raise(number);
}

/* Where this signal would end the program it erases the line of the terminal first (standard error). One that is ignored
   stays so. */
static inline void portwhy_erase_line_at(int number) {
  struct sigaction action;
  if (sigaction(number, 0, &action) != 0 || action.sa_handler != SIG_DFL) return;
  action.sa_handler = portwhy_erase_line_and_end;
  action.sa_flags = (int)SA_RESETHAND | SA_NODEFER;
  sigaction(number, &action, 0);
}

/* The number of a signal that has come; 0 where none has. */
static inline int portwhy_received_signal(int descriptor) {
  struct signalfd_siginfo info;
  return read(descriptor, &info, sizeof info) == (long)sizeof info ? (int)info.ssi_signo : 0;
}

/* pipe2(2), O_CLOEXEC; -1 and errno. */
static inline int portwhy_pipe(int *ends) { return (int)syscall(SYS_pipe2, ends, 02000000); }

/* syscall(2) with three arguments, for system calls that libc has no function for or widens to all threads. */
static inline long portwhy_syscall(long number, long first, long second, long third) {
  return syscall(number, first, second, third);
}

/* eventfd(2): a descriptor that becomes readable for good once it is turned; -1 and errno. */
static inline int portwhy_event_descriptor(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
static inline void portwhy_turn_event(int fd) { (void)eventfd_write(fd, 1); }
static inline bool portwhy_event_is_turned(int fd) {
  struct pollfd one = {fd, POLLIN, 0};
  return poll(&one, 1, 0) == 1;
}

#endif
