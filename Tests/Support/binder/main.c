/* The programs that the tests run under `portwhy -- COMMAND`: sockets as asked for on the command line.

   binder [-u] [-6] [-m] [-r] [-p] [-f] [-l] [-T] [-V] [-i] [-w MS] [-n TIMES] ADDRESS PORT [PORT…]
     -u UDP, -6 AF_INET6, -m MPTCP, -r SO_REUSEADDR, -p SO_REUSEPORT, -l listen(2) too, -f go on at the next PORT where
     bind fails, -T in a second thread, -V in a child of vfork(2), -i by i386's int 0x80 (static programs of x86-64 have
     it too), -w waits before each, -n tries as often, -U makes the socket that
     user's, -D SO_BINDTODEVICE, -v IPV6_V6ONLY, -k stays until nobody reads its standard output
   binder storm THREADS LOOPS MICROSECONDS RESTART PORT
     binds that fail and binds that work in threads, under a timer's signals where MICROSECONDS is not 0
   binder landlock COMMAND …      in a Landlock sandbox that allows no bind
   binder refused COMMAND …       under a seccomp filter of its own that refuses bind with EPERM
   binder group COMMAND …         in a control group whose BPF program refuses every bind of IPv4
   binder twice ADDRESS PORT      bind(2) of one socket twice
   binder pair ADDRESS PORT       two sockets with SO_REUSEADDR, both listen
   binder exec THREADS ADDRESS PORT COMMAND …  threads that bind while another one runs COMMAND
   binder stuck ADDRESS PORT      a thread whose address lies in memory that never comes (userfaultfd(2)), and a bind
   binder traced ADDRESS PORT     a bind while a child of it is its tracer (PTRACE_SEIZE)
   binder crowd PROCESSES ADDRESS PORT   as many children that fail to bind
   binder report                  what a program can see of its start: descriptors, signals, ids, environment */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int uses_interrupt;

#if defined(__x86_64__)
/* A system call of the i386 table from a 64-bit program; its pointers have 32 bits. */
static long call32(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
  return result;
}
#endif

static socklen_t address_of(const char *text, int port, int family, struct sockaddr_storage *storage) {
  memset(storage, 0, sizeof *storage);
  if (family == AF_INET6) {
    struct sockaddr_in6 *name = (void *)storage;
    name->sin6_family = AF_INET6;
    name->sin6_port = htons((uint16_t)port);
    char address[128];
    snprintf(address, sizeof address, "%s", text);
    char *zone = strchr(address, '%');
    if (zone) {
      *zone = 0;
      name->sin6_scope_id = if_nametoindex(zone + 1);
    }
    inet_pton(AF_INET6, address, &name->sin6_addr);
    return sizeof *name;
  }
  struct sockaddr_in *name = (void *)storage;
  name->sin_family = AF_INET;
  name->sin_port = htons((uint16_t)port);
  inet_pton(AF_INET, text, &name->sin_addr);
  return sizeof *name;
}

static int do_bind(int s, const struct sockaddr_storage *name, socklen_t length) {
#if defined(__x86_64__)
  if (uses_interrupt) {
    void *low = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (low == MAP_FAILED) return -1;
    memcpy(low, name, sizeof *name);
    long result = call32(361, s, (long)low, length);
    if (uses_interrupt > 1) {
      /* socketcall(2): the arguments lie in memory. */
      uint32_t *arguments = (uint32_t *)((char *)low + 1024);
      arguments[0] = (uint32_t)s, arguments[1] = (uint32_t)(uintptr_t)low, arguments[2] = length;
      result = call32(102, 2, (long)arguments, 0);
    }
    if (result >= 0) return 0;
    errno = (int)-result;
    return -1;
  }
#endif
  return bind(s, (const void *)name, length);
}

struct plan {
  int type, family, protocol, reuseaddr, reuseport, listens, goes_on, milliseconds, times, count, user, v6only;
  const char *address, *device;
  char **ports;
  int status;
};

static void *carry_out(void *argument) {
  struct plan *plan = argument;
  for (int i = 0; i < plan->count; i++) {
    for (int time = 0; time < plan->times; time++) {
      if (plan->milliseconds) usleep((useconds_t)plan->milliseconds * 1000);
      int one = 1, s = socket(plan->family, plan->type, plan->protocol);
      if (plan->reuseaddr) setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
      if (plan->reuseport) setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
      if (plan->user >= 0 && fchown(s, (uid_t)plan->user, (gid_t)-1) != 0) perror("fchown");
      if (plan->v6only >= 0) setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &plan->v6only, sizeof plan->v6only);
      if (plan->device
          && setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, plan->device, (socklen_t)strlen(plan->device)) != 0) {
        fprintf(stderr, "setsockopt: %s\n", strerror(errno));
        plan->status = 5;
        return 0;
      }
      struct sockaddr_storage name;
      socklen_t length = address_of(plan->address, atoi(plan->ports[i]), plan->family, &name);
      if (do_bind(s, &name, length) != 0) {
        fprintf(stderr, "bind %s: %s\n", plan->ports[i], strerror(errno));
        plan->status = 3;
        if (time + 1 < plan->times) {
          close(s);
          continue;
        }
        if (!plan->goes_on) return 0;
        close(s);
        break;
      }
      if (plan->listens && listen(s, 5) != 0) {
        fprintf(stderr, "listen %s: %s\n", plan->ports[i], strerror(errno));
        plan->status = 4;
        if (!plan->goes_on) return 0;
        close(s);
        break;
      }
      printf("has %s\n", plan->ports[i]);
      fflush(stdout);
      plan->status = 0;
      if (plan->goes_on) return 0;
      break;
    }
  }
  return 0;
}

static int plain(int argc, char **argv) {
  struct plan plan = {.type = SOCK_STREAM, .family = AF_INET, .times = 1, .user = -1, .v6only = -1};
  int in_thread = 0, in_child = 0, stays = 0, option;
  while ((option = getopt(argc, argv, "u6mrpflTVikw:n:U:D:v:")) != -1) {
    switch (option) {
    case 'u': plan.type = SOCK_DGRAM; break;
    case '6': plan.family = AF_INET6; break;
    case 'm': plan.protocol = 262; break;
    case 'r': plan.reuseaddr = 1; break;
    case 'p': plan.reuseport = 1; break;
    case 'f': plan.goes_on = 1; break;
    case 'l': plan.listens = 1; break;
    case 'T': in_thread = 1; break;
    case 'V': in_child = 1; break;
    case 'i': uses_interrupt++; break;
    case 'k': stays = 1; break;
    case 'U': plan.user = atoi(optarg); break;
    case 'D': plan.device = optarg; break;
    case 'v': plan.v6only = atoi(optarg); break;
    case 'w': plan.milliseconds = atoi(optarg); break;
    case 'n': plan.times = atoi(optarg); break;
    default: return 64;
    }
  }
  if (argc - optind < 2) return 64;
  plan.address = argv[optind];
  plan.ports = argv + optind + 1;
  plan.count = argc - optind - 1;
  if (in_child) {
    pid_t child = vfork();
    if (child == 0) {
      carry_out(&plan);
      _exit(plan.status);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  }
  if (in_thread) {
    pthread_t thread;
    if (pthread_create(&thread, 0, carry_out, &plan) == 0) pthread_join(thread, 0);
  } else {
    carry_out(&plan);
  }
  struct pollfd reader = {1, 0, 0};
  if (stays) poll(&reader, 1, 60000);
  return plan.status;
}

/* MARK: A storm */

static int loops, storm_port;
static int odd, fine;

static void count_signal(int number) { (void)number; }

static void *weather(void *argument) {
  (void)argument;
  for (int i = 0; i < loops; i++) {
    int taken = i % 2;
    struct sockaddr_storage name;
    socklen_t length = address_of("127.0.0.1", taken ? storm_port : 0, AF_INET, &name);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    int result = bind(s, (void *)&name, length);
    int is_right = taken ? result < 0 && errno == EADDRINUSE : result == 0;
    if (!is_right) fprintf(stderr, "odd bind: %s\n", strerror(errno));
    __sync_fetch_and_add(is_right ? &fine : &odd, 1);
    if (!taken) {
      is_right = listen(s, 5) == 0;
      if (!is_right) fprintf(stderr, "odd listen: %s\n", strerror(errno));
      __sync_fetch_and_add(is_right ? &fine : &odd, 1);
    }
    close(s);
    if (i % 10 == 0) {
      pid_t child = vfork();
      if (child == 0) _exit(0);
      while (waitpid(child, 0, 0) < 0 && errno == EINTR) {}
    }
  }
  return 0;
}

static int storm(char **argv) {
  int threads = atoi(argv[0]), microseconds = atoi(argv[2]);
  loops = atoi(argv[1]);
  storm_port = atoi(argv[4]);
  struct sigaction action = {.sa_handler = count_signal, .sa_flags = atoi(argv[3]) ? SA_RESTART : 0};
  sigaction(SIGALRM, &action, 0);
  if (microseconds) {
    struct itimerval timer = {{0, microseconds}, {0, microseconds}};
    setitimer(ITIMER_REAL, &timer, 0);
  }
  pthread_t all[64];
  if (threads > 64) return 64;
  for (int i = 0; i < threads; i++) pthread_create(&all[i], 0, weather, 0);
  for (int i = 0; i < threads; i++) pthread_join(all[i], 0);
  printf("fine %d odd %d\n", fine, odd);
  return odd != 0;
}

/* MARK: Policies */

static int run(char **argv) {
  execvp(argv[0], argv);
  perror(argv[0]);
  return 127;
}

static int landlock(char **argv) {
  /* struct landlock_ruleset_attr: LANDLOCK_ACCESS_NET_BIND_TCP is handled, and no rule allows it. */
  uint64_t rules[2] = {0, 1};
  int ruleset = (int)syscall(444, rules, sizeof rules, 0);
  if (ruleset < 0) return 77;
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return syscall(446, ruleset, 0) == 0 ? run(argv) : 77;
}

static int refused(char **argv) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bind, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0 ? run(argv) : 77;
}

/* Where cgroup2 is mounted. */
static int find_groups(char *place, size_t size) {
  FILE *mounts = fopen("/proc/self/mounts", "r");
  char line[1024], type[64], directory[512];
  int found = 0;
  while (mounts && !found && fgets(line, sizeof line, mounts)) {
    found = sscanf(line, "%*s %511s %63s", directory, type) == 2 && !strcmp(type, "cgroup2");
  }
  if (mounts) fclose(mounts);
  if (found) snprintf(place, size, "%s/portwhy-test-%d", directory, (int)getpid());
  return found;
}

/* What systemd's SocketBindDeny= does: a program that returns 0, for every bind(2) of IPv4 (bpf(2)). */
static int refuse_binds(int group) {
  struct bpf_insn program[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 0}, {.code = BPF_JMP | BPF_EXIT}};
  union bpf_attr load, attach;
  memset(&load, 0, sizeof load);
  load.prog_type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR;
  load.expected_attach_type = BPF_CGROUP_INET4_BIND;
  load.insns = (uintptr_t)program;
  load.insn_cnt = sizeof program / sizeof *program;
  load.license = (uintptr_t)"GPL";
  int loaded = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
  if (loaded < 0) return -1;
  memset(&attach, 0, sizeof attach);
  attach.target_fd = (uint32_t)group;
  attach.attach_bpf_fd = (uint32_t)loaded;
  attach.attach_type = BPF_CGROUP_INET4_BIND;
  return (int)syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach);
}

static int in_group(char **argv) {
  char place[600], file[700];
  if (!find_groups(place, sizeof place) || mkdir(place, 0755) != 0) return 77;
  snprintf(file, sizeof file, "%s/cgroup.procs", place);
  int group = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC), members = open(file, O_WRONLY | O_CLOEXEC);
  int status = 77 << 8;
  if (group >= 0 && members >= 0 && refuse_binds(group) == 0) {
    pid_t child = fork();
    if (child == 0) _exit(write(members, "0", 1) == 1 ? run(argv) : 77);
    waitpid(child, &status, 0);
  }
  rmdir(place);
  return WEXITSTATUS(status);
}

/* MARK: More than one socket */

static int twice(char **argv) {
  struct sockaddr_storage name;
  socklen_t length = address_of(argv[0], atoi(argv[1]), AF_INET, &name);
  int s = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(s, (void *)&name, length) != 0) return 2;
  if (bind(s, (void *)&name, length) == 0) return 0;
  fprintf(stderr, "second bind: %s\n", strerror(errno));
  return 3;
}

static int pair(char **argv) {
  struct sockaddr_storage name;
  socklen_t length = address_of(argv[0], atoi(argv[1]), AF_INET, &name);
  int one = 1, sockets[2];
  for (int i = 0; i < 2; i++) {
    sockets[i] = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(sockets[i], SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(sockets[i], (void *)&name, length) != 0) return 2;
  }
  if (listen(sockets[0], 5) != 0) return 2;
  if (listen(sockets[1], 5) == 0) return 0;
  fprintf(stderr, "second listen: %s\n", strerror(errno));
  return 4;
}

static char **endless;

static void *bind_for_ever(void *argument) {
  (void)argument;
  for (;;) {
    struct sockaddr_storage name;
    socklen_t length = address_of(endless[0], atoi(endless[1]), AF_INET, &name);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    (void)!bind(s, (void *)&name, length);
    close(s);
  }
  return 0;
}

static int exec_beside(char **argv) {
  int threads = atoi(argv[0]);
  endless = argv + 1;
  pthread_t thread;
  for (int i = 0; i < threads; i++) pthread_create(&thread, 0, bind_for_ever, 0);
  usleep(20000);
  return run(argv + 3);
}

static void *bind_from(void *address) {
  bind(socket(AF_INET, SOCK_STREAM, 0), address, sizeof(struct sockaddr_in));
  return 0;
}

static int stuck(char **argv) {
  int faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
  struct uffdio_api api = {.api = UFFD_API};
  void *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct uffdio_register range = {{(uintptr_t)page, 4096}, UFFDIO_REGISTER_MODE_MISSING, 0};
  if (faults < 0 || ioctl(faults, UFFDIO_API, &api) != 0 || ioctl(faults, UFFDIO_REGISTER, &range) != 0) return 77;
  pthread_t thread;
  pthread_create(&thread, 0, bind_from, page);
  usleep(50000);
  struct sockaddr_storage name;
  socklen_t length = address_of(argv[0], atoi(argv[1]), AF_INET, &name);
  int s = socket(AF_INET, SOCK_STREAM, 0);
  _exit(bind(s, (void *)&name, length) == 0 ? 0 : 3);
}

/* As a debugger does it that was there first. */
static void trace(int tracee, int done) {
  if (ptrace(PTRACE_SEIZE, tracee, 0, 0) != 0 || write(done, "x", 1) != 1) _exit(1);
  int status;
  while (waitpid(tracee, &status, __WALL) == tracee && WIFSTOPPED(status)) {
    ptrace(PTRACE_CONT, tracee, 0, status >> 16 ? 0 : (long)WSTOPSIG(status));
  }
  _exit(0);
}

static int traced(char **argv) {
  int ends[2], tracee = getpid();
  char byte;
  if (pipe(ends) != 0) return 2;
  int tracer = fork();
  if (tracer == 0) {
    close(ends[0]);
    trace(tracee, ends[1]);
  }
  close(ends[1]);
  prctl(PR_SET_PTRACER, tracer, 0, 0, 0);
  if (read(ends[0], &byte, 1) != 1) return 77;
  struct sockaddr_storage name;
  socklen_t length = address_of(argv[0], atoi(argv[1]), AF_INET, &name);
  int s = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(s, (void *)&name, length) == 0) return 0;
  fprintf(stderr, "bind %s: %s\n", argv[1], strerror(errno));
  return 3;
}

static int crowd(char **argv) {
  int processes = atoi(argv[0]);
  for (int i = 0; i < processes; i++) {
    if (fork() != 0) continue;
    struct sockaddr_storage name;
    socklen_t length = address_of(argv[1], atoi(argv[2]), AF_INET, &name);
    _exit(bind(socket(AF_INET, SOCK_STREAM, 0), (void *)&name, length) != 0);
  }
  int status, failed = 0;
  while (wait(&status) > 0) failed += status != 0;
  printf("failed %d\n", failed);
  return 0;
}

/* MARK: What a program can see */

static int report(char **environment) {
  for (int number = 0; number < 64; number++) {
    int flags = fcntl(number, F_GETFD), status = fcntl(number, F_GETFL);
    if (flags >= 0) printf("descriptor %d flags %x status %x\n", number, (unsigned)flags, (unsigned)status);
  }
  FILE *file = fopen("/proc/self/status", "r");
  char line[1024];
  static const char *const wanted[] = {"Umask", "Uid", "Gid", "Groups", "SigPnd", "ShdPnd", "SigBlk", "SigIgn",
                                       "SigCgt", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "Cpus_allowed"};
  while (file && fgets(line, sizeof line, file)) {
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
      if (!strncmp(line, wanted[i], strlen(wanted[i]))) fputs(line, stdout);
    }
  }
  printf("nice %d session %d foreground %d\n", getpriority(PRIO_PROCESS, 0), getsid(0) == getsid(getppid()),
         getpgrp() == getpgid(getppid()));
  char directory[4096];
  printf("in %s\n", getcwd(directory, sizeof directory) ? directory : "?");
  for (char **word = environment; *word; word++) puts(*word);
  return 0;
}

int main(int argc, char **argv, char **environment) {
  const char *mode = argc > 1 ? argv[1] : "";
  if (!strcmp(mode, "storm") && argc == 7) return storm(argv + 2);
  if (!strcmp(mode, "landlock") && argc > 2) return landlock(argv + 2);
  if (!strcmp(mode, "refused") && argc > 2) return refused(argv + 2);
  if (!strcmp(mode, "group") && argc > 2) return in_group(argv + 2);
  if (!strcmp(mode, "twice") && argc == 4) return twice(argv + 2);
  if (!strcmp(mode, "pair") && argc == 4) return pair(argv + 2);
  if (!strcmp(mode, "exec") && argc > 5) return exec_beside(argv + 2);
  if (!strcmp(mode, "stuck") && argc == 4) return stuck(argv + 2);
  if (!strcmp(mode, "traced") && argc == 4) return traced(argv + 2);
  if (!strcmp(mode, "crowd") && argc == 5) return crowd(argv + 2);
  if (!strcmp(mode, "report")) return report(environment);
  return plain(argc, argv);
}
