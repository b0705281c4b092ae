/* bpf(2) exists only behind the variadic syscall(2), and union bpf_attr is made of anonymous structs. Every function
 * returns -1 and sets errno on failure. */
#ifndef PORTWHY_CLINUX_BPF_H
#define PORTWHY_CLINUX_BPF_H

#include <linux/bpf.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* BPF_PROG_LOAD of an iterator's program: `count` instructions of 8 bytes; `log` may be null. A descriptor. */
static inline int portwhy_bpf_load_iterator(
    const uint64_t *instructions, uint32_t count, const char *license, uint32_t attach_btf_id, char *log,
    uint32_t log_size) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.prog_type = BPF_PROG_TYPE_TRACING;
  attr.expected_attach_type = BPF_TRACE_ITER;
  attr.attach_btf_id = attach_btf_id;
  attr.insns = (uint64_t)(uintptr_t)instructions;
  attr.insn_cnt = count;
  attr.license = (uint64_t)(uintptr_t)license;
  attr.log_buf = (uint64_t)(uintptr_t)log;
  attr.log_size = log_size;
  attr.log_level = log ? 1 : 0;
  memcpy(attr.prog_name, "portwhy", sizeof("portwhy"));
  return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

/* BPF_LINK_CREATE: attaches a loaded program to the iterator it was loaded for; where `process` is not 0, to the
 * descriptors of that process alone (union bpf_iter_link_info, Linux 6.1). A descriptor. */
static inline int portwhy_bpf_link_iterator(int program, uint32_t process) {
  union bpf_attr attr;
  /* task.tid, task.pid, task.pid_fd */
  uint32_t target[3] = {0, process, 0};
  memset(&attr, 0, sizeof(attr));
  if (process != 0) {
    attr.link_create.iter_info = (uint64_t)(uintptr_t)target;
    attr.link_create.iter_info_len = sizeof target;
  }
  attr.link_create.prog_fd = (uint32_t)program;
  attr.link_create.attach_type = BPF_TRACE_ITER;
  return (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
}

/* BPF_ITER_CREATE: a descriptor whose read(2) runs the program over the objects of the iterator. */
static inline int portwhy_bpf_open_iterator(int link) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.iter_create.link_fd = (uint32_t)link;
  return (int)syscall(SYS_bpf, BPF_ITER_CREATE, &attr, sizeof(attr));
}

#endif
