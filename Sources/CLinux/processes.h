/* System calls about processes and their files that glibc has no function for, or a variadic one. All set errno. */
#ifndef PORTWHY_CLINUX_PROCESSES_H
#define PORTWHY_CLINUX_PROCESSES_H

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

/* pidfd_open(2), Linux 5.3. */
static inline int portwhy_pidfd_open(int32_t pid) {
#ifdef SYS_pidfd_open
  return (int)syscall(SYS_pidfd_open, pid, 0);
#else
  return (int)syscall(434, pid, 0);
#endif
}

/* pidfd_getfd(2), Linux 5.6; the duplicate is close-on-exec. */
static inline int portwhy_pidfd_getfd(int pidfd, int32_t descriptor) {
#ifdef SYS_pidfd_getfd
  return (int)syscall(SYS_pidfd_getfd, pidfd, descriptor, 0);
#else
  return (int)syscall(438, pidfd, descriptor, 0);
#endif
}

/* getdents64(2). */
static inline long portwhy_getdents64(int directory, void *buffer, size_t size) {
  return syscall(SYS_getdents64, directory, buffer, size);
}

/* openat(2), read-only and close-on-exec. */
static inline int portwhy_open_read(int directory, const char *path, int more_flags) {
  return openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | more_flags);
}

/* ioctl(2) SIOCGSKNS: a descriptor of the network namespace of a socket, Linux 4.9, needs CAP_NET_ADMIN. */
static inline int portwhy_socket_namespace(int socket) {
  return (int)syscall(SYS_ioctl, socket, 0x894C, 0);
}

/* statx(2), STATX_MNT_ID (Linux 5.8): the number of the mount that a file was opened on, symbolic links followed; 0 where it
 * is not told. AT_STATX_DONT_SYNC asks no server of a file system, AT_NO_AUTOMOUNT mounts nothing. */
static inline uint64_t portwhy_mount_number(int directory, const char *path) {
  uint64_t told[32] = {0}; /* struct statx: stx_mask at 0, stx_mnt_id at 144 */
  if (syscall(SYS_statx, directory, path, 0x4000 | 0x800, 0x1000, told) != 0) return 0;
  return (told[0] & 0x1000) ? told[18] : 0;
}

/* capget(2): the effective capabilities of the calling thread, bit n is capability n. */
static inline int portwhy_effective_capabilities(uint64_t *effective) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
  memset(data, 0, sizeof data);
  if (syscall(SYS_capget, &header, data) != 0) return -1;
  *effective = (uint64_t)data[1].effective << 32 | data[0].effective;
  return 0;
}

/* Takes CAP_NET_BIND_SERVICE and CAP_NET_RAW out of the effective set of a program that has them by its own file alone
 * (AT_SECURE, and not in the ambient set): what the same user starts next gets neither (capabilities(7)). */
static inline void portwhy_give_up_own_capabilities(void) {
  if (getauxval(AT_SECURE) == 0 || geteuid() == 0) return;
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
  memset(data, 0, sizeof data);
  if (syscall(SYS_capget, &header, data) != 0) return;
  const unsigned long ours[] = {CAP_NET_BIND_SERVICE, CAP_NET_RAW};
  for (unsigned place = 0; place < 2; place++) {
    int is_ambient = syscall(SYS_prctl, 47, 1, ours[place], 0, 0) == 1; /* PR_CAP_AMBIENT_IS_SET */
    if (!is_ambient) data[0].effective &= ~(1u << ours[place]);
  }
  syscall(SYS_capset, &header, data);
}

/* prctl(2) PR_CAPBSET_READ: whether the bounding set of the calling thread has a capability; -1 where it is not known. */
static inline int portwhy_bounding_capability(unsigned long number) {
  return (int)syscall(SYS_prctl, 23, number, 0, 0, 0);
}

/* prctl(2) PR_GET_NO_NEW_PRIVS of the calling thread: 1, 0, or -1 where a filter forbids to ask. */
static inline int portwhy_has_no_new_privileges(void) { return (int)syscall(SYS_prctl, 39, 0, 0, 0, 0); }

/* prctl(2) PR_GET_SECUREBITS of the calling thread; -1 where a filter forbids to ask. */
static inline int portwhy_secure_bits(void) { return (int)syscall(SYS_prctl, 27, 0, 0, 0, 0); }

/* prctl(2) PR_GET_SECCOMP: whether the calling thread has a filter of system calls; a kernel without them says EINVAL. */
static inline int portwhy_is_filtered(void) {
  long mode = syscall(SYS_prctl, 21, 0, 0, 0, 0);
  return mode < 0 ? errno != EINVAL : mode != 0;
}

/* open_by_handle_at(2) for a cgroup2 directory by its number: on kernfs the handle is that number
   (FILEID_KERNFS, Linux 5.5). Needs CAP_DAC_READ_SEARCH. */
static inline int portwhy_open_control_group(int mount, uint64_t number) {
  struct {
    unsigned int handle_bytes;
    int handle_type;
    unsigned char number[8];
  } handle = {8, 0xfe, {0}};
  memcpy(handle.number, &number, 8);
  return (int)syscall(SYS_open_by_handle_at, mount, &handle, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
}

#endif
