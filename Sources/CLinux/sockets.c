/* Not inline: a header with sys/socket.h in it takes SOCK_STREAM and others away from Swift's Glibc. */
#include "CLinux.h"
#include <linux/filter.h>
#include <sys/socket.h>

int portwhy_filter_local_port(int fd, uint16_t first, uint16_t last) {
  struct sock_filter code[] = {
      {BPF_LD | BPF_H | BPF_ABS, 0, 0, 20},
      {BPF_JMP | BPF_JGE | BPF_K, 0, 2, first},
      {BPF_JMP | BPF_JGT | BPF_K, 1, 0, last},
      {BPF_RET | BPF_K, 0, 0, 0xffffffff},
      {BPF_RET | BPF_K, 0, 0, 0},
  };
  struct sock_fprog program = {sizeof code / sizeof code[0], code};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}
