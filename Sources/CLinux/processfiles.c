#define _GNU_SOURCE
#include "processfiles.h"
#include "child.h"
#include "processes.h"
#include "CLinux.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

/* All of this is the child's, which has one thread, and no malloc(3): another thread of its parent may have been in it. */
static struct portwhy_errand *errand;
/* What of the answer is only in memory: `staged` bytes, before which `written` have gone through the pipe. */
static struct staged {
  uint64_t written;
  uint32_t staged;
  char bytes[PORTWHY_STAGED_BYTES];
} *staged;
static int proc;

enum { most_processes = 1 << 22 };  /* PID_MAX_LIMIT */

static void *memory(size_t size) {
  void *found = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (found == MAP_FAILED) _exit(1);
  return found;
}

/* ---- what is told ---- */

static void write_staged(void) {
  uint32_t count = staged->staged;
  if (portwhy_write_all(staged->bytes, count) != 0) _exit(1);
  /* In this order: bytes that are counted twice would be told twice. */
  __atomic_store_n(&staged->staged, 0, __ATOMIC_RELEASE);
  __atomic_store_n(&staged->written, staged->written + count, __ATOMIC_RELEASE);
}

static void tell_bytes(const void *bytes, size_t count) {
  while (count > 0) {
    if (staged->staged == sizeof staged->bytes) write_staged();
    size_t room = sizeof staged->bytes - staged->staged, part = count < room ? count : room;
    memcpy(staged->bytes + staged->staged, bytes, part);
    __atomic_store_n(&staged->staged, staged->staged + (uint32_t)part, __ATOMIC_RELEASE);
    bytes = (const char *)bytes + part;
    count -= part;
  }
}

static void tell(int32_t process, uint32_t kind, int error, const void *bytes, size_t count) {
  struct portwhy_process_frame frame = {process, kind, error, (uint32_t)count};
  tell_bytes(&frame, sizeof frame);
  tell_bytes(bytes, count);
}

/* ---- files ---- */

static struct portwhy_file_status short_status(const struct stat *status) {
  return (struct portwhy_file_status){status->st_dev, status->st_ino, (uint64_t)status->st_size, status->st_uid,
                                      status->st_mode};
}

static int read_contents(int directory, const char *path, void *bytes, size_t limit, size_t *count) {
  int file = portwhy_open_read(directory, path, O_NONBLOCK), error = 0;
  if (file < 0) return errno;
  while (*count < limit) {
    ssize_t got = read(file, (char *)bytes + *count, limit - *count);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error = errno;
    if (got <= 0) break;
    *count += (size_t)got;
  }
  close(file);
  return error;
}

static int owner_of(int directory, const char *path, struct stat *status) {
  int file = portwhy_open_read(directory, path, O_NONBLOCK);
  if (file < 0) return errno;
  int owner = portwhy_ns_get_userns(file), error = owner < 0 ? errno : 0;
  if (owner >= 0 && fstat(owner, status) != 0) error = errno;
  if (owner >= 0) close(owner);
  close(file);
  return error;
}

static char *text;
static size_t text_size;
/* What stands in the last /proc/PID/stat that was read. */
static int32_t parent, group, session;

static void note_stat(const char *stat) {
  char *end = strrchr(stat, ')');
  parent = group = session = 0;
  if (!end || end[1] != ' ' || end[2] == 0) return;
  parent = (int32_t)strtol(end + 3, &end, 10);
  group = (int32_t)strtol(end, &end, 10);
  session = (int32_t)strtol(end, 0, 10);
}

static int means_gone(int error) { return error == ESRCH || error == ENOENT || error == EBADF; }

/* 0 where a process is there, or errno. */
static int find(int32_t process) {
  char path[32];
  struct stat status;
  snprintf(path, sizeof path, "%d/stat", (int)process);
  return fstatat(proc, path, &status, 0) == 0 ? 0 : errno;
}

static int is_silent(int32_t process);

static int find_leader(int32_t process) {
  if (group == process || group <= 0 || session <= 0 || session == group) return EINVAL;
  if (is_silent(group) || is_silent(session) || is_silent(1)) return EAGAIN;
  int error = find(group);
  if (error == 0) return 0;
  /* Where process 1 cannot be seen /proc hides processes, and a leader may only be hidden. */
  return means_gone(error) && find(1) == 0 && find(session) == 0 ? ENOENT : EAGAIN;
}

static void ask_file(int directory, int32_t process, const struct portwhy_file_question *question) {
  struct stat status;
  struct portwhy_file_status told;
  const void *bytes = text;
  size_t count = 0;
  int error = 0;
  if (question->limit + 1 > text_size || !text) {
    text_size = question->limit + 1 > 64 << 10 ? question->limit + 1 : 64 << 10;
    bytes = text = memory(text_size);
  }
  switch (question->what) {
  case PORTWHY_FILE_CONTENTS:
    error = read_contents(directory, question->path, text, question->limit, &count);
    text[count] = 0;
    if (strcmp(question->path, "stat") == 0) note_stat(text);
    break;
  case PORTWHY_FILE_LINK: {
    ssize_t length = readlinkat(directory, question->path, text, PATH_MAX);
    if (length < 0) error = errno;
    else count = (size_t)length;
    break;
  }
  case PORTWHY_FILE_MOUNT: {
    uint64_t number = portwhy_mount_number(directory, question->path);
    if (number == 0) error = ENOENT;
    memcpy(text, &number, sizeof number);
    count = sizeof number;
    break;
  }
  case PORTWHY_FILE_LEADER: error = find_leader(process); break;
  default:
    if (question->what == PORTWHY_FILE_OWNER) error = owner_of(directory, question->path, &status);
    else if (fstatat(directory, question->path, &status, 0) != 0) error = errno;
    if (error == 0) told = short_status(&status);
    bytes = &told;
    count = sizeof told;
  }
  tell(process, PORTWHY_FRAME_FILE, error, bytes, error ? 0 : count);
}

/* ---- processes ---- */

struct request {
  struct portwhy_process_request head;
  const uint64_t *inodes;
  const struct portwhy_descriptor *descriptors;
  const struct portwhy_file_question *root_questions, *questions;
  /* What of the inodes was found; of PORTWHY_YOUNGEST_HOLDERS. */
  unsigned char *found;
  /* A bit for each process that was looked at; of PORTWHY_NAMED_AND_PARENTS. */
  unsigned char *known;
  uint32_t missing;
  int is_over;
  /* So many of the questions are asked of a process. */
  uint32_t asked;
  /* The parents of who was found. */
  int32_t parents[256];
  uint32_t parent_count;
};

static struct request taken_apart(const struct portwhy_process_request *head) {
  struct request request = {.head = *head, .missing = head->inodes, .asked = head->questions};
  request.inodes = (const void *)(head + 1);
  request.descriptors = (const void *)(request.inodes + head->inodes);
  request.root_questions = (const void *)(request.descriptors + head->descriptors);
  request.questions = request.root_questions + head->root_questions;
  return request;
}

static int32_t silent[4];

static int is_silent(int32_t process) {
  for (int place = 0; place < 4; place++)
    if (silent[place] == process) return 1;
  return portwhy_is_stuck_at(errand->kind, (uint32_t)process);
}

/* Notes whom is looked at, so that he can be named; 0 where he is passed over. */
static int begins(int32_t process) {
  __atomic_store_n(&errand->state->step, (uint32_t)process, __ATOMIC_RELEASE);
  if (!is_silent(process)) return 1;
  tell(process, PORTWHY_FRAME_SILENT, 0, 0, 0);
  return 0;
}

static void ask_files(struct request *request, int32_t process, int directory) {
  parent = group = session = 0;
  for (uint32_t place = 0; place < request->asked; place++) {
    ask_file(directory, process, request->questions + place);
  }
  tell(process, PORTWHY_FRAME_WHOLE, 0, 0, 0);
  uint32_t most = sizeof request->parents / sizeof *request->parents;
  if (parent > 0 && request->parent_count < most) request->parents[request->parent_count++] = parent;
}

/* The same beside one of its directories: `..` stays what it is where the number is given to another process meanwhile. */
static void ask_around(struct request *request, int32_t process, int directory) {
  int place = openat(directory, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (place < 0) tell(process, PORTWHY_FRAME_REFUSED, errno, 0, 0);
  else ask_files(request, process, place);
  if (place >= 0) close(place);
}

static int open_process(int32_t process, const char *name) {
  char path[32];
  snprintf(path, sizeof path, "%d%s", (int)process, name);
  return openat(proc, path, (name[0] ? O_RDONLY | O_NOCTTY : O_PATH) | O_DIRECTORY | O_CLOEXEC);
}

/* Calls `visit` with each entry whose name is a decimal number, until it returns 0; 0, or the errno of getdents64(2). */
static int for_each_number(int directory, int (*visit)(int32_t number, const char *name, void *with), void *with) {
  static char entries[32 << 10] __attribute__((aligned(8)));
  while (1) {
    long filled = portwhy_getdents64(directory, entries, sizeof entries);
    if (filled <= 0) return filled < 0 ? errno : 0;
    /* struct linux_dirent64: u64 d_ino, s64 d_off, u16 d_reclen, u8 d_type, NUL-terminated d_name at 19 */
    for (long offset = 0; offset + 20 <= filled;) {
      uint16_t length;
      memcpy(&length, entries + offset + 16, sizeof length);
      if (length < 20 || offset + length > filled) return EIO;
      const char *name = entries + offset + 19, *end = name;
      int64_t number = 0;
      while (*end >= '0' && *end <= '9' && number <= INT32_MAX) number = number * 10 + (*end++ - '0');
      if (*end == 0 && end != name && number <= INT32_MAX && !visit((int32_t)number, name, with)) return 0;
      offset += length;
    }
  }
}

/* Of every descriptor of the host: the inode of a link target `socket:[INODE]` (kernel function `sockfs_dname`); 0 and
 * `error` where there is none to be had, 0 for what is no socket. */
static uint64_t socket_inode(int directory, const char *name, int *error) {
  char target[40];
  ssize_t length = readlinkat(directory, name, target, sizeof target);
  *error = length < 0 ? errno : 0;
  if (length <= 8 || memcmp(target, "socket:[", 8) != 0) return 0;
  uint64_t inode = 0;
  for (ssize_t place = 8; place < length; place++) {
    unsigned digit = (unsigned)(target[place] - '0');
    if (digit > 9) return target[place] == ']' && place > 8 ? inode : 0;
    if (__builtin_mul_overflow(inode, 10, &inode) || __builtin_add_overflow(inode, digit, &inode)) return 0;
  }
  return 0;
}

/* The place of an inode among those of the request, or -1. */
static int64_t place_of(const struct request *request, uint64_t inode) {
  uint32_t low = 0, high = request->head.inodes;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (request->inodes[middle] < inode) low = middle + 1;
    else high = middle;
  }
  return low < request->head.inodes && request->inodes[low] == inode ? (int64_t)low : -1;
}

static uint64_t processor_microseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_nsec / 1000u;
}

/* Of PORTWHY_YOUNGEST_HOLDERS: whether no more is to be looked at. The clock is asked now and then, as reading it costs a
 * hundredth of a look. */
static int is_over(struct request *request) {
  static unsigned looked;
  if (request->head.whom != PORTWHY_YOUNGEST_HOLDERS) return 0;
  if (++looked % 64 == 0 && processor_microseconds() >= request->head.microseconds) request->is_over = 1;
  return request->is_over || request->missing == 0;
}

struct looking {
  struct request *request;
  int directory;
  int error;
  uint32_t count;
  int has_told;
  int32_t process;
  struct portwhy_descriptor held[256];
};

static void tell_held(struct looking *looking) {
  if (looking->count == 0) return;
  tell(looking->process, PORTWHY_FRAME_PROCESS, 0, looking->held, looking->count * sizeof *looking->held);
  looking->count = 0;
  looking->has_told = 1;
}

static int look_at_descriptor(int32_t number, const char *name, void *with) {
  struct looking *looking = with;
  struct request *request = looking->request;
  if (is_over(request)) return 0;
  int error;
  uint64_t inode = socket_inode(looking->directory, name, &error);
  /* A descriptor closed meanwhile is no gap. */
  if (error != 0 && !means_gone(error)) {
    looking->error = error;
    return 0;
  }
  if (inode == 0) return 1;
  int64_t place = place_of(request, inode);
  if (request->head.whom == PORTWHY_HOLDERS_OF_OTHERS ? place >= 0 : place < 0) return 1;
  if (request->found) {
    if (request->found[place]) return 1;
    request->found[place] = 1;
    request->missing--;
  }
  looking->held[looking->count++] = (struct portwhy_descriptor){looking->process, number, inode};
  if (looking->count == sizeof looking->held / sizeof *looking->held) tell_held(looking);
  return 1;
}

/* Raw bytes all the way, as this runs for every open file of the host. Listed by the kernel, which shows every descriptor
 * that stays open: asking for the numbers up to their count misses some beside others that come and go. */
static void look_at_descriptors(struct request *request, int32_t process) {
  static struct looking looking;
  int directory = open_process(process, "/fd");
  int error = directory < 0 ? errno : 0;
  looking.request = request;
  looking.process = process;
  looking.directory = directory;
  looking.error = looking.has_told = 0;
  looking.count = 0;
  if (error == 0) error = for_each_number(directory, look_at_descriptor, &looking);
  if (error == 0) error = looking.error;
  if (error == 0) tell_held(&looking);
  if (error != 0) {
    tell(process, PORTWHY_FRAME_REFUSED, error, 0, 0);
  } else if (looking.has_told) {
    ask_around(request, process, directory);
  }
  if (directory >= 0) close(directory);
}

static void look_at_files(struct request *request, int32_t process) {
  if (request->asked == 1) {
    /* Of one file the directory need not be opened. */
    struct portwhy_file_question one = *request->questions;
    snprintf(one.path, sizeof one.path, "%d/%s", (int)process, request->questions->path);
    tell(process, PORTWHY_FRAME_PROCESS, 0, 0, 0);
    ask_file(proc, process, &one);
    tell(process, PORTWHY_FRAME_WHOLE, 0, 0, 0);
    return;
  }
  int place = open_process(process, "");
  if (place < 0) {
    tell(process, PORTWHY_FRAME_REFUSED, errno, 0, 0);
    return;
  }
  tell(process, PORTWHY_FRAME_PROCESS, 0, 0, 0);
  ask_files(request, process, place);
  close(place);
}

struct list {
  int32_t *numbers;
  uint32_t count, room;
};

static int note_number(int32_t number, const char *name, void *with) {
  (void)name;
  struct list *list = with;
  if (list->count == list->room) {
    uint32_t room = list->room ? 2 * list->room : 4096;
    int32_t *numbers = memory(room * sizeof *numbers);
    if (list->room) {
      memcpy(numbers, list->numbers, list->count * sizeof *numbers);
      munmap(list->numbers, list->room * sizeof *numbers);
    }
    list->numbers = numbers;
    list->room = room;
  }
  /* The kernel lists them in this order. */
  uint32_t place = list->count;
  for (; place > 0 && list->numbers[place - 1] > number; place--) list->numbers[place] = list->numbers[place - 1];
  list->numbers[place] = number;
  return ++list->count < most_processes;
}

/* Goes through all processes; 0, or errno. */
static int look_at_all(struct request *request) {
  static struct list list;
  struct stat status;
  list.count = 0;
  if (lseek(proc, 0, SEEK_SET) < 0) return errno;
  int error = for_each_number(proc, note_number, &list);
  if (error != 0) return error;
  int has_first = list.count > 0 && (list.numbers[0] == 1 || (list.count > 1 && list.numbers[1] == 1));
  tell(0, PORTWHY_FRAME_LISTED, has_first ? 0 : ENOENT, &list.count, sizeof list.count);
  int is_downwards = request->head.whom == PORTWHY_YOUNGEST_HOLDERS;
  if (is_downwards) request->found = memory(request->head.inodes + 1);
  /* Where this process seems to have no descriptors, sizes say nothing: before 6.2. */
  int sizes_count = fstatat(proc, "self/fd", &status, 0) == 0 && status.st_size > 0;
  for (uint32_t turn = 0; turn < list.count && !is_over(request); turn++) {
    int32_t process = list.numbers[is_downwards ? list.count - 1 - turn : turn], after = request->head.after;
    if (after != 0 && (is_downwards ? process >= after : process <= after)) continue;
    if (!begins(process)) continue;
    if (request->head.whom == PORTWHY_EVERYBODY) {
      look_at_files(request, process);
      continue;
    }
    /* Most kernel threads have none: on an idle host more than half of all processes. */
    char path[32];
    snprintf(path, sizeof path, "%d/fd", (int)process);
    if (sizes_count && fstatat(proc, path, &status, 0) == 0 && status.st_size == 0) continue;
    look_at_descriptors(request, process);
  }
  return 0;
}

static void look_at_parents(struct request *request, int32_t process) {
  if (!request->known) request->known = memory(most_processes / 8);
  for (int step = 0; process > 0 && step < 33; step++) {
    /* Only a made-up /proc has higher numbers. */
    if (process < most_processes) {
      unsigned char bit = (unsigned char)(1 << process % 8);
      if (request->known[process / 8] & bit) return;
      request->known[process / 8] |= bit;
    }
    if (!begins(process)) return;
    parent = 0;
    look_at_files(request, process);
    process = parent;
  }
}

/* 0 where a process has these descriptors of these sockets, or has ended. */
static int confirm(struct request *request, const struct portwhy_descriptor *held, uint32_t count) {
  int directory = open_process(held->process, "/fd");
  if (directory < 0) return means_gone(errno) ? 0 : ESTALE;
  int error = 0;
  for (uint32_t place = 0; place < count && error == 0; place++) {
    char name[16];
    snprintf(name, sizeof name, "%d", (int)held[place].number);
    uint64_t inode = socket_inode(directory, name, &error);
    if (error == 0 && inode != held[place].inode) error = ESTALE;
  }
  if (error == 0) {
    tell(held->process, PORTWHY_FRAME_PROCESS, 0, held, count * sizeof *held);
    ask_around(request, held->process, directory);
  } else if (means_gone(error)) {
    /* A descriptor that is gone from a process that is there: it may have moved. */
    int again = open_process(held->process, "/fd");
    error = again < 0 ? 0 : ESTALE;
    if (again >= 0) close(again);
  }
  close(directory);
  return error;
}

/* Goes through the processes of the descriptors; 0, or errno. */
static int look_at_named(struct request *request) {
  uint32_t all = request->head.descriptors;
  for (uint32_t first = 0, count; first < all; first += count) {
    const struct portwhy_descriptor *held = request->descriptors + first;
    for (count = 1; first + count < all && held[count].process == held->process;) count++;
    if (request->head.whom == PORTWHY_NAMED_AND_PARENTS) {
      look_at_parents(request, held->process);
      continue;
    }
    int is_confirmed = request->head.whom == PORTWHY_CONFIRMED;
    if (!begins(held->process)) {
      if (is_confirmed) return ESTALE;
    } else if (!is_confirmed) {
      look_at_files(request, held->process);
    } else if (confirm(request, held, count) != 0) {
      return ESTALE;
    }
  }
  return 0;
}

/* A /proc of another pid namespace has other numbers. */
static int is_own_proc(void) {
  char target[32], own[32];
  ssize_t length = readlinkat(proc, "self", target, sizeof target - 1);
  target[length > 0 ? length : 0] = 0;
  snprintf(own, sizeof own, "%d", (int)getpid());
  return strcmp(target, own) == 0;
}

/* How many files the host has open, each of which a walk looks at (proc_sys_fs(5), file-nr); 0 where that is not told. */
static uint64_t open_files(void) {
  char number[64];
  size_t count = 0;
  if (read_contents(proc, "sys/fs/file-nr", number, sizeof number - 1, &count) != 0) return 0;
  number[count] = 0;
  return strtoull(number, 0, 10);
}

static int answer(const struct portwhy_process_request *head) {
  struct request request = taken_apart(head);
  __atomic_store_n(&errand->state->step, 0, __ATOMIC_RELEASE);
  if (head->many_files != 0 && open_files() >= head->many_files) return E2BIG;
  if (head->whom == PORTWHY_CONFIRMED && !is_own_proc()) return ESTALE;
  if (head->whom == PORTWHY_SOCKETS) {
    portwhy_ask_all(errand, (const void *)(head + 1), head->more, head->wants);
    return 0;
  }
  for (uint32_t place = 0; place < head->root_questions; place++) {
    ask_file(proc, 0, request.root_questions + place);
  }
  memcpy(silent, head->silent, sizeof silent);
  int error = head->whom < PORTWHY_NAMED ? look_at_all(&request) : look_at_named(&request);
  if (error != 0 || head->parent_questions == 0) return error;
  uint32_t count = request.parent_count;
  request.asked = head->parent_questions;
  tell(0, PORTWHY_FRAME_PARENTS, 0, 0, 0);
  for (uint32_t place = 0; place < count; place++) look_at_parents(&request, request.parents[place]);
  return 0;
}

static _Noreturn void serve(const char *root, const struct portwhy_process_request *first) {
  const struct portwhy_process_request *request = first;
  proc = portwhy_open_read(AT_FDCWD, root, O_DIRECTORY);
  int error = proc < 0 ? errno : 0;
  while (1) {
    tell(0, PORTWHY_FRAME_DONE, error != 0 ? error : answer(request), 0, 0);
    write_staged();
    struct portwhy_process_request head;
    size_t got = 0, size = sizeof head;
    struct portwhy_process_request *next = &head;
    while (got < size) {
      ssize_t more = read(0, (char *)next + got, size - got);
      if (more < 0 && errno == EINTR) continue;
      if (more <= 0) _exit(0);
      got += (size_t)more;
      if (got < sizeof head || next != &head) continue;
      size = head.size;
      next = memory(size);
      memcpy(next, &head, sizeof head);
    }
    if (request != first) munmap((void *)request, request->size);
    request = next;
  }
}

int portwhy_start_reading(struct portwhy_errand *started, int kind, const char *root,
                          const struct portwhy_process_request *request) {
  int is_child;
  int error = portwhy_start_child(started, kind, PORTWHY_RESERVED_SLOTS, sizeof *staged, -1, &is_child);
  if (!is_child) return error;
  errand = started;
  staged = portwhy_shared_bytes(started, PORTWHY_RESERVED_SLOTS);
  serve(root, request);
}

static int send_all(int pipe, const void *bytes, size_t count, int flags) {
  for (size_t sent = 0; sent < count;) {
    ssize_t more = send(pipe, (const char *)bytes + sent, count - sent, MSG_NOSIGNAL | flags);
    if (more < 0 && errno != EINTR) return errno;
    if (more > 0) sent += (size_t)more;
  }
  return 0;
}

int portwhy_read_more(struct portwhy_errand *asked, const struct portwhy_process_request *request) {
  return send_all(asked->pipe, request, request->size, 0);
}

int portwhy_ask_too(struct portwhy_errand *asked, const struct portwhy_socket_question *questions, uint32_t count,
                    uint32_t slots, int wants) {
  size_t size = count * sizeof *questions;
  struct portwhy_process_request head = {.whom = PORTWHY_SOCKETS, .wants = wants, .more = count};
  if (portwhy_is_blocked_by_stuck(PORTWHY_ERRAND_SOCKETS)) return EBUSY;
  if (slots > PORTWHY_RESERVED_SLOTS || size > 1 << 20) return E2BIG;
  head.size = (uint32_t)(sizeof head + size);
  memset(asked->answers, 0, slots * sizeof *asked->answers);
  for (uint32_t slot = 0; slot < slots; slot++) asked->answers[slot].error = PORTWHY_NOT_ASKED;
  int error = send_all(asked->pipe, &head, sizeof head, MSG_MORE);
  return error ? error : send_all(asked->pipe, questions, size, 0);
}

size_t portwhy_take_staged(struct portwhy_errand *left, uint64_t received, void *bytes) {
  const struct staged *of = portwhy_shared_bytes(left, PORTWHY_RESERVED_SLOTS);
  /* Our own child, not waited for yet. Killed, it does not go on where it is let go of meanwhile. */
  kill(left->process, SIGKILL);
  struct pollfd wait = {left->pipe, 0, 0};
  poll(&wait, 1, 10);
  uint64_t written = __atomic_load_n(&of->written, __ATOMIC_ACQUIRE);
  uint32_t count = __atomic_load_n(&of->staged, __ATOMIC_ACQUIRE);
  /* Some of it may have been written already; what was written and has not come is lost. */
  if (received < written || received - written >= count) return 0;
  memcpy(bytes, of->bytes + (received - written), count - (size_t)(received - written));
  return count - (size_t)(received - written);
}
