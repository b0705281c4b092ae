/* A user who keeps others waiting: hostile MODE PORT
 *
 *   tcp    holds the lock of the server's end of a connection on the port
 *   udp    holds the lock of a socket that is bound to the port
 *   mptcp  holds the lock of an MPTCP connection to the port; it is told by its process's descriptor alone
 *   race   has a descriptor that is now a listener on the port, now a file that cannot be closed
 *   fdinfo has descriptors that are now a listener on the port, now an epoll(7) instance whose lock is held
 *   bind   calls bind(2) on a file that cannot be closed, and ends; the file system lives on
 *   memory has a child call bind(2) with an address in memory that never comes, says "server PID" and ends with 7; the file
 *          system, which root mounted for nobody as fusermount3 does, lives until somebody ends that server, or for two
 *          minutes, and until then no signal ends who waits for it
 *
 * A socket is locked while send(2) copies from memory. That memory is a page of a file in a FUSE file system of its own,
 * whose server, a child of this program, never answers a READ or a FLUSH of others; see fuse(4) and linux/fuse.h. It starts
 * as root, for sockets and /dev/fuse, and does the rest as the user nobody. "ready" is printed when the lock is held (or the
 * race is on); it ends with its standard input. Exit status 2: this host has no FUSE, 3: no MPTCP.
 *
 * hostile locked DIRECTORY PORT PROGRAM [WORD…] runs a program beside a listener on the port while nobody holds the lock of a
 * directory, "own" for that of his own descriptors, "itself" for that of the program in /proc and "list" for /proc itself,
 * which he takes, and says so, once the program has a child. All are in a pid namespace with a /proc of its own: that of the
 * host is never locked. The listener is process 2, who holds the lock process 3. After the program's end the lock is let go,
 * and it ends once nobody is left.
 *
 * hostile command PORT is a command below that program: a child that stays holds the lock of its directory in /proc, and then
 * it calls bind(2) and ends with 7.
 *
 * hostile routes PROGRAM [WORD…] runs a program that gets no answer over NETLINK_ROUTE and NETLINK_GENERIC, as if
 * somebody held the RTNL; that one is of the whole host, so it is not held: a filter keeps socket(2) waiting. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/fuse.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { nobody = 65534, file_size = 1 << 20, ipproto_mptcp = 262 };

static void require(int holds, const char *what) {
  if (holds) return;
  perror(what);
  exit(1);
}

static int input_has_ended(void) {
  struct pollfd input = {0, POLLIN, 0};
  char byte;
  return poll(&input, 1, 0) > 0 && read(0, &byte, 1) <= 0;
}

/* ---- the file system: a root directory, and in it one file by any name ---- */

static void answer(int device, const struct fuse_in_header *question, int error, const void *body, size_t size) {
  struct fuse_out_header head = {.len = (uint32_t)(sizeof head + size), .error = error, .unique = question->unique};
  struct iovec parts[] = {{&head, sizeof head}, {(void *)body, size}};
  ssize_t written = writev(device, parts, size ? 2 : 1);
  (void)written;
}

static struct fuse_attr attributes(uint64_t node) {
  struct fuse_attr attr = {.ino = node, .nlink = 1, .blksize = 4096};
  attr.mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0666;
  attr.size = node == FUSE_ROOT_ID ? 0 : file_size;
  return attr;
}

/* `own` may close the file; nobody reads it. `told` hears of the first READ that is held back. */
static void serve(int device, pid_t own, int told) {
  static char question[FUSE_MIN_READ_BUFFER + file_size];
  while (1) {
    ssize_t size = read(device, question, sizeof question);
    if (size < 0 && errno != EINTR && errno != ENOENT) return;
    if (size < (ssize_t)sizeof(struct fuse_in_header)) continue;
    struct fuse_in_header *head = (void *)question;
    switch (head->opcode) {
    case FUSE_INIT: {
      struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096};
      answer(device, head, 0, &out, sizeof out);
      break;
    }
    case FUSE_LOOKUP: {
      struct fuse_entry_out out = {.nodeid = 2, .attr_valid = 3600, .entry_valid = 3600, .attr = attributes(2)};
      answer(device, head, 0, &out, sizeof out);
      break;
    }
    case FUSE_GETATTR: {
      struct fuse_attr_out out = {.attr_valid = 3600, .attr = attributes(head->nodeid)};
      answer(device, head, 0, &out, sizeof out);
      break;
    }
    case FUSE_OPEN: {
      struct fuse_open_out out = {0};
      answer(device, head, 0, &out, sizeof out);
      break;
    }
    case FUSE_READ:
      if (write(told, "r", 1) != 1) return;
      break;
    case FUSE_FLUSH:
      if ((pid_t)head->pid == own) answer(device, head, 0, 0, 0);
      break;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET: break;
    case FUSE_RELEASE: answer(device, head, 0, 0, 0); break;
    default: answer(device, head, -ENOSYS, 0, 0);
    }
  }
}

/* A device that nobody may open, in a directory that nobody may empty: the kernel wants it opened in the user namespace
 * that mounts (fuse_get_tree). */
static char device_directory[] = "/tmp/hostile-XXXXXX", device_path[64] = "/dev/fuse";

static void make_device(void) {
  struct stat status;
  if (stat(device_path, &status) == 0 && (status.st_mode & 06) == 06) return;
  require(mkdtemp(device_directory) != 0, "mkdtemp");
  snprintf(device_path, sizeof device_path, "%s/fuse", device_directory);
  if (mknod(device_path, S_IFCHR | 0600, makedev(10, 229)) != 0) exit(2);
  require(chmod(device_path, 0666) == 0 && chown(device_directory, nobody, nobody) == 0, "chmod");
}

static int open_device(void) {
  int device = open(device_path, O_RDWR | O_CLOEXEC);
  if (strcmp(device_path, "/dev/fuse") != 0) {
    unlink(device_path);
    rmdir(device_directory);
  }
  return device;
}

static void write_file(const char *path, const char *text) {
  int file = open(path, O_WRONLY);
  require(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text), path);
  close(file);
}

static void end_with_input(int signal) {
  (void)signal;
  _exit(0);
}

static void become_nobody(void) {
  require(setgid(nobody) == 0 && setuid(nobody) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0, "setuid");
}

static void mount_device(int device, char *place, int id) {
  char options[96];
  if (device < 0) exit(2);
  require(mkdtemp(place) != 0, "mkdtemp");
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%d,group_id=%d", device, id, id);
  if (mount("hostile", place, "fuse", MS_NODEV | MS_NOSUID, options) != 0) {
    rmdir(place);
    exit(2);
  }
}

/* The process that serves the file system. */
static pid_t file_server;

/* Becomes nobody with namespaces of his own, mounts the file system and opens the file. `outlives`: the file system
 * ends with the standard input and not with this process. `by_root`: root mounts it for nobody, out of others' sight, and it
 * ends after two minutes instead. */
static int open_slow_file(int *told, int outlives, int by_root) {
  int ends[2], device;
  char path[64], place[] = "/tmp/hostile-XXXXXX";
  if (by_root) {
    device = open_device();
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", 0, MS_REC | MS_PRIVATE, 0) != 0) exit(2);
    /* Nothing of it stays in the host's directory. */
    require(mount("hostile", "/tmp", "tmpfs", 0, "mode=1777") == 0, "tmpfs");
    mount_device(device, place, nobody);
    become_nobody();
  } else {
    become_nobody();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) exit(2);
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", "0 65534 1");
    write_file("/proc/self/gid_map", "0 65534 1");
    device = open_device();
    mount_device(device, place, 0);
  }
  require(pipe2(ends, O_CLOEXEC) == 0, "pipe2");
  pid_t own = getpid();
  file_server = fork();
  if (file_server == 0) {
    if (outlives) {
      /* SIGIO at the end of the input; nothing that is read to its end is kept open. */
      setsid();
      signal(SIGIO, end_with_input);
      fcntl(0, F_SETOWN, getpid());
      fcntl(0, F_SETFL, O_ASYNC);
      close(1);
      close(2);
      if (by_root) alarm(120);
      else if (input_has_ended()) _exit(0);
    } else {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      /* Its end may have come before. */
      if (getppid() != own) _exit(0);
    }
    /* The last end of the pipe closes with the test's input. */
    close(ends[0]);
    serve(device, own, ends[1]);
    _exit(0);
  }
  close(device);
  close(ends[1]);
  *told = ends[0];
  snprintf(path, sizeof path, "%s/slow", place);
  int file = open(path, O_RDWR | O_CLOEXEC);
  require(file >= 0, path);
  umount2(place, MNT_DETACH);
  rmdir(place);
  return file;
}

/* ---- the sockets ---- */

static struct sockaddr_in loopback(int port) {
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                              .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static int bound(int type, int protocol, int port) {
  struct sockaddr_in name = loopback(port);
  int one = 1, descriptor = socket(AF_INET, type | SOCK_CLOEXEC, protocol);
  if (descriptor < 0 && protocol == ipproto_mptcp) exit(3);
  require(descriptor >= 0, "socket");
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  require(bind(descriptor, (struct sockaddr *)&name, sizeof name) == 0, "bind");
  return descriptor;
}

struct sending {
  int descriptor, flags, port;
  void *page;
};

static void *send_slowly(void *raw) {
  struct sending *sending = raw;
  struct sockaddr_in to = loopback(9);
  sendto(sending->descriptor, sending->page, 4096, sending->flags, sending->flags ? (struct sockaddr *)&to : 0,
         sending->flags ? sizeof to : 0);
  return 0;
}

/* The end of a connection that is to be locked: the one that the listener accepted. */
static int accepted(int listener, int port, int protocol) {
  struct sockaddr_in name = loopback(port);
  require(listen(listener, 8) == 0, "listen");
  int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);
  require(client >= 0 && connect(client, (struct sockaddr *)&name, sizeof name) == 0, "connect");
  int server = accept4(listener, 0, 0, SOCK_CLOEXEC);
  require(server >= 0, "accept");
  return server;
}

static void ready(void) {
  printf("ready\n");
  fflush(stdout);
}

/* ---- an epoll instance ---- */

struct waiting {
  int instance;
  void *page;
};

/* epoll_wait(2) writes its events with `ep->mtx` held. */
static void *wait_slowly(void *raw) {
  struct waiting *waiting = raw;
  epoll_wait(waiting->instance, waiting->page, 64, -1);
  return 0;
}

/* An orphan of another session: whose parent has gone is looked at more closely. */
static void leave_parent(void) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  pid_t first = fork();
  if (first != 0) {
    int status = 0;
    close(1);
    for (pid_t ended = 0; ended >= 0;) {
      int how = 0;
      ended = waitpid(-1, &how, 0);
      if (ended > 0 && ended != first) status = WIFEXITED(how) ? WEXITSTATUS(how) : 1;
    }
    _exit(status);
  }
  setsid();
  pid_t between = getpid();
  if (fork() != 0) _exit(0);
  while (getppid() == between) usleep(1000);
}

static void turn_into_epoll(int listener, int file, int told) {
  enum { first = 300, count = 40 };
  struct waiting waiting = {epoll_create1(EPOLL_CLOEXEC), 0};
  int ends[2];
  struct epoll_event event = {.events = EPOLLIN};
  char byte;
  pthread_t thread;
  require(waiting.instance >= 0 && pipe2(ends, O_CLOEXEC) == 0 && write(ends[1], "x", 1) == 1, "epoll_create1");
  require(epoll_ctl(waiting.instance, EPOLL_CTL_ADD, ends[0], &event) == 0, "epoll_ctl");
  waiting.page = mmap(0, file_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  require(waiting.page != MAP_FAILED, "mmap");
  require(pthread_create(&thread, 0, wait_slowly, &waiting) == 0, "pthread_create");
  require(read(told, &byte, 1) == 1, "the READ of the page");
  ready();
  /* Half of them are the listener at any moment. */
  while (!input_has_ended())
    for (int number = 0; number < count; number++) {
      dup2(listener, first + number);
      dup2(waiting.instance, first + (number + count / 2) % count);
    }
  _exit(0);
}

/* ---- bind(2) of a file ---- */

static void bind_file(int file, int port) {
  struct sockaddr_in name = loopback(port);
  bind(file, (struct sockaddr *)&name, sizeof name);
  _exit(0);
}

/* A child calls it, with an address that the file system keeps back. */
static void bind_memory(int port) {
  int told, descriptor = bound(SOCK_STREAM, 0, port), file = open_slow_file(&told, 1, 1);
  char byte, *page = mmap(0, file_size, PROT_READ, MAP_PRIVATE, file, 0);
  require(page != MAP_FAILED, "mmap");
  if (fork() == 0) {
    close(0);
    close(1);
    close(2);
    bind(descriptor, (void *)page, sizeof(struct sockaddr_in));
    _exit(0);
  }
  require(read(told, &byte, 1) == 1, "the READ of the page");
  printf("server %d\n", (int)file_server);
  fflush(stdout);
  _exit(7);
}

/* ---- the lock of a directory ---- */

struct locking {
  int directory, status;
  void *page;
};

/* getdents64(2) writes with the lock held shared (`iterate_dir`). */
static void *list_slowly(void *raw) {
  struct locking *locking = raw;
  syscall(SYS_getdents64, locking->directory, locking->page, 4096);
  return 0;
}

/* Whoever wants to make a file waits for the lock alone, and all others wait behind him. */
static void *make_file(void *raw) {
  struct locking *locking = raw;
  __atomic_store_n(&locking->status, open("/proc/thread-self/stat", O_RDONLY | O_CLOEXEC), __ATOMIC_RELEASE);
  int made = openat(locking->directory, "hostile", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  (void)made;
  return 0;
}

static int is_waiting(int status) {
  char text[256] = "";
  ssize_t got = status < 0 ? 0 : pread(status, text, sizeof text - 1, 0);
  const char *end = got > 0 ? strrchr(text, ')') : 0;
  return end && end[2] == 'D';
}

static void hold_lock(const char *path, int is_held) {
  int told;
  int file = open_slow_file(&told, 0, 0);
  struct locking locking = {open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), -1, 0};
  pthread_t threads[2];
  char byte;
  locking.page = mmap(0, file_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  require(locking.directory >= 0 && locking.page != MAP_FAILED, path);
  require(pthread_create(threads, 0, list_slowly, &locking) == 0, "pthread_create");
  require(read(told, &byte, 1) == 1, "the READ of the page");
  require(pthread_create(threads + 1, 0, make_file, &locking) == 0, "pthread_create");
  while (!is_waiting(__atomic_load_n(&locking.status, __ATOMIC_ACQUIRE))) usleep(1000);
  if (is_held >= 0) require(write(is_held, "h", 1) == 1, "write");
  else require(write(2, "locked\n", 7) == 7, "write");
  /* Until process 3 ends, which it may be itself. */
  while (kill(3, 0) == 0) usleep(10000);
  _exit(0);
}

static int bind_beside_lock(int port) {
  char path[32], byte;
  int is_held[2];
  struct sockaddr_in name = loopback(port);
  snprintf(path, sizeof path, "/proc/%d", (int)getpid());
  make_device();
  require(pipe2(is_held, O_CLOEXEC) == 0, "pipe2");
  pid_t holder = fork();
  if (holder == 0) hold_lock(path, is_held[1]);
  close(is_held[1]);
  require(read(is_held[0], &byte, 1) == 1, "the lock");
  int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  return bind(descriptor, (struct sockaddr *)&name, sizeof name) == 0 ? 0 : 7;
}

static pid_t forwarded_to;

static void forward(int signal) {
  if (forwarded_to > 0) kill(forwarded_to, signal);
}

/* Waits for a child to which signals go on, and ends as it did. */
static int end_of(pid_t process) {
  int status, signals[] = {SIGINT, SIGTERM, SIGHUP};
  forwarded_to = process;
  for (int place = 0; place < 3; place++) signal(signals[place], forward);
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Whether one of the first processes behind it has this parent. */
static int has_child(int parent) {
  for (int process = parent + 1; process < parent + 64; process++) {
    char path[32], text[256], *end;
    snprintf(path, sizeof path, "/proc/%d/stat", process);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0) close(file);
    text[got > 0 ? got : 0] = 0;
    end = strrchr(text, ')');
    if (end && atoi(end + 4) == parent) return 1;
  }
  return 0;
}

static int look_beside_lock(const char *path, int port, char **words) {
  require(unshare(CLONE_NEWNS) == 0 && mount("", "/", 0, MS_REC | MS_PRIVATE, 0) == 0, "unshare");
  require(mount("proc", "/proc", "proc", 0, 0) == 0, "mount");
  /* Of another file system an empty one of its own in that place: that of the host is never locked. */
  if (path[0] == '/' && strncmp(path, "/proc", 5) != 0) require(mount("tmpfs", path, "tmpfs", 0, 0) == 0, path);
  int listener = bound(SOCK_STREAM, 0, port), is_held[2];
  char byte;
  require(listen(listener, 8) == 0, "listen");
  pid_t victim = fork();
  if (victim == 0) {
    prctl(PR_SET_NAME, "victim");
    while (1) pause();
  }
  close(listener);
  require(pipe2(is_held, O_CLOEXEC) == 0, "pipe2");
  int is_itself = strcmp(path, "itself") == 0, is_later = is_itself || strcmp(path, "list") == 0;
  pid_t holder = fork();
  if (holder == 0) {
    if (is_later) while (!has_child(4)) usleep(100);
    hold_lock(is_itself ? "/proc/4" : is_later ? "/proc" : strcmp(path, "own") == 0 ? "/proc/self/fd" : path,
              is_later ? -1 : is_held[1]);
  }
  close(is_held[1]);
  if (!is_later && read(is_held[0], &byte, 1) != 1) return end_of(holder);
  pid_t program = fork();
  if (program == 0) {
    execv(words[0], words);
    _exit(91);
  }
  int status = end_of(program);
  kill(holder, SIGKILL);
  kill(victim, SIGKILL);
  /* All that are left are this process's children now. */
  while (waitpid(-1, 0, 0) > 0) {
  }
  return status;
}

static int hold_directory(const char *path, int port, char **words) {
  make_device();
  require(unshare(CLONE_NEWPID) == 0, "unshare");
  pid_t first = fork();
  require(first >= 0, "fork");
  if (first == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(look_beside_lock(path, port, words));
  }
  return end_of(first);
}

/* ---- no answer of the kernel ---- */

static int hold_routes(char **words) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 6),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 4),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NETLINK_ROUTE, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NETLINK_GENERIC, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  /* The descriptors are shared until execve(2): this process keeps the one that nobody reads. */
  pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
  require(child >= 0, "clone");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program) < 0) _exit(90);
    execv(words[0], words);
    _exit(91);
  }
  int status;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int count, char **words) {
  if (count > 2 && strcmp(words[1], "routes") == 0) return hold_routes(words + 2);
  if (count > 4 && strcmp(words[1], "locked") == 0) return hold_directory(words[2], atoi(words[3]), words + 4);
  if (count != 3) return 64;
  if (strcmp(words[1], "command") == 0) return bind_beside_lock(atoi(words[2]));
  const char *mode = words[1];
  int port = atoi(words[2]), told;
  int is_fdinfo = strcmp(mode, "fdinfo") == 0;
  if (is_fdinfo) leave_parent();
  make_device();
  signal(SIGPIPE, SIG_IGN);
  /* Sockets belong to who made them: nobody. */
  require(setegid(nobody) == 0 && seteuid(nobody) == 0, "seteuid");
  struct sending sending = {-1, 0, port, 0};
  int is_race = strcmp(mode, "race") == 0, listener = -1;
  if (strcmp(mode, "bind") == 0) {
    require(seteuid(0) == 0, "seteuid");
    bind_file(open_slow_file(&told, 1, 0), port);
  }
  if (strcmp(mode, "memory") == 0) {
    require(seteuid(0) == 0, "seteuid");
    bind_memory(port);
  }
  if (strcmp(mode, "udp") == 0) {
    sending.descriptor = bound(SOCK_DGRAM, 0, port);
    sending.flags = MSG_MORE;
  } else {
    int protocol = strcmp(mode, "mptcp") == 0 ? ipproto_mptcp : 0;
    listener = bound(SOCK_STREAM, protocol, port);
    if (is_race || is_fdinfo) require(listen(listener, 8) == 0, "listen");
    else sending.descriptor = accepted(listener, port, protocol);
  }
  require(seteuid(0) == 0, "seteuid");
  int file = open_slow_file(&told, 0, 0);
  if (is_fdinfo) turn_into_epoll(listener, file, told);
  if (is_race) {
    int stable = fcntl(listener, F_DUPFD_CLOEXEC, 900);
    ready();
    while (!input_has_ended())
      for (int turn = 0; turn < 1000; turn++) {
        dup2(file, listener);
        dup2(stable, listener);
      }
    return 0;
  }
  pthread_t thread;
  char byte;
  sending.page = mmap(0, file_size, PROT_READ, MAP_PRIVATE, file, 0);
  require(sending.page != MAP_FAILED, "mmap");
  require(pthread_create(&thread, 0, send_slowly, &sending) == 0, "pthread_create");
  require(read(told, &byte, 1) == 1, "the READ of the page");
  ready();
  while (read(0, &byte, 1) > 0) {
  }
  /* The server ends with this process, and with it every wait. */
  _exit(0);
}
