/* libmnl and the kernel's headers for Swift, and inline shims for what Swift cannot import:
 * variadic functions (ioctl, syscall), function-like macros (_IO), and what only _GNU_SOURCE declares. */
#ifndef PORTWHY_CNETLINK_SHIM_H
#define PORTWHY_CNETLINK_SHIM_H

#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ioctl_ns(2), NS_GET_USERNS: a descriptor of the user namespace that owns the namespace `fd`; -1 and errno. */
static inline int portwhy_ns_get_userns(int fd) { return ioctl(fd, NS_GET_USERNS); }

/* ioctl_ns(2), NS_GET_PARENT: a descriptor of the parent of the user namespace `fd`; -1 and errno. */
static inline int portwhy_ns_get_parent(int fd) { return ioctl(fd, NS_GET_PARENT); }

/* ioctl_ns(2), NS_GET_OWNER_UID: the uid that made the user namespace `fd`; -1 and errno. */
static inline int portwhy_ns_get_owner_uid(int fd, uint32_t *uid) { return ioctl(fd, NS_GET_OWNER_UID, uid); }

/* unshare(2), CLONE_NEWNET: moves the calling thread to a new network namespace; -1 and errno. */
static inline int portwhy_unshare_network(void) { return (int)syscall(SYS_unshare, 0x40000000); }

/* setns(2), CLONE_NEWNET: moves the calling thread to the network namespace `fd`; -1 and errno. */
static inline int portwhy_setns_network(int fd) { return (int)syscall(SYS_setns, fd, 0x40000000); }

/* pipe2(2), O_CLOEXEC; -1 and errno. */
static inline int portwhy_pipe(int *ends) { return (int)syscall(SYS_pipe2, ends, 02000000); }

/* syscall(2) with three arguments, for system calls that libc has no function for or widens to all threads. */
static inline long portwhy_syscall(long number, long first, long second, long third) {
  return syscall(number, first, second, third);
}

#endif
