#define _GNU_SOURCE
#include "processwalk.h"
#include "processes.h"
#include "CLinux.h"
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

enum { most_processes = 1 << 22 };  /* PID_MAX_LIMIT */

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

static void ask_files(struct request *request, int32_t process, int directory) {
  portwhy_reader.parent = portwhy_reader.group = portwhy_reader.session = 0;
  for (uint32_t place = 0; place < request->asked; place++) {
    portwhy_ask_file(directory, process, request->questions + place);
  }
  portwhy_tell(process, PORTWHY_FRAME_WHOLE, 0, 0, 0);
  uint32_t most = sizeof request->parents / sizeof *request->parents;
  if (portwhy_reader.parent > 0 && request->parent_count < most) {
    request->parents[request->parent_count++] = portwhy_reader.parent;
  }
}

/* The same beside one of its directories: `..` stays what it is where the number is given to another process meanwhile. */
static void ask_around(struct request *request, int32_t process, int directory) {
  int place = openat(directory, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (place < 0) portwhy_tell(process, PORTWHY_FRAME_REFUSED, errno, 0, 0);
  else ask_files(request, process, place);
  if (place >= 0) close(place);
}

static int open_process(int32_t process, const char *name) {
  char path[32];
  snprintf(path, sizeof path, "%d%s", (int)process, name);
  return openat(portwhy_reader.proc, path, (name[0] ? O_RDONLY | O_NOCTTY : O_PATH) | O_DIRECTORY | O_CLOEXEC);
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

/* Whether no more is to be looked at. The clock is asked now and then, as reading it costs a hundredth of a look. */
static int is_over(struct request *request) {
  static unsigned looked;
  if (request->head.whom == PORTWHY_YOUNGEST_HOLDERS && request->missing == 0) return 1;
  if (request->head.microseconds == 0) return 0;
  if (++looked % 64 == 0 && processor_microseconds() >= request->head.microseconds) request->is_over = 1;
  return request->is_over;
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
  portwhy_tell(looking->process, PORTWHY_FRAME_PROCESS, 0, looking->held, looking->count * sizeof *looking->held);
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
  if (error != 0 && !portwhy_means_gone(error)) {
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

/* 0 where they may not be listed. Raw bytes all the way, as this runs for every open file of the host. Listed by the kernel,
 * which shows every descriptor that stays open: asking for the numbers up to their count misses some beside others that come
 * and go. */
static int look_at_descriptors(struct request *request, int32_t process) {
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
    portwhy_tell(process, PORTWHY_FRAME_REFUSED, error, 0, 0);
  } else if (looking.has_told) {
    ask_around(request, process, directory);
  }
  if (directory >= 0) close(directory);
  return directory >= 0;
}

static void look_at_files(struct request *request, int32_t process) {
  if (request->asked == 1 && strcmp(request->questions->path, "stat") != 0) {
    /* Of one file the directory need not be opened; what is noted of `stat` is known by its path. */
    struct portwhy_file_question one = *request->questions;
    snprintf(one.path, sizeof one.path, "%d/%s", (int)process, request->questions->path);
    portwhy_tell(process, PORTWHY_FRAME_PROCESS, 0, 0, 0);
    portwhy_ask_file(portwhy_reader.proc, process, &one);
    portwhy_tell(process, PORTWHY_FRAME_WHOLE, 0, 0, 0);
    return;
  }
  int place = open_process(process, "");
  if (place < 0) {
    portwhy_tell(process, PORTWHY_FRAME_REFUSED, errno, 0, 0);
    return;
  }
  portwhy_tell(process, PORTWHY_FRAME_PROCESS, 0, 0, 0);
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
    int32_t *numbers = portwhy_child_memory(room * sizeof *numbers);
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
  if (lseek(portwhy_reader.proc, 0, SEEK_SET) < 0) return errno;
  int error = for_each_number(portwhy_reader.proc, note_number, &list);
  if (error != 0) return error;
  int has_first = list.count > 0 && (list.numbers[0] == 1 || (list.count > 1 && list.numbers[1] == 1));
  portwhy_tell(0, PORTWHY_FRAME_LISTED, has_first ? 0 : ENOENT, &list.count, sizeof list.count);
  int is_downwards = request->head.whom == PORTWHY_YOUNGEST_HOLDERS;
  if (is_downwards) request->found = portwhy_child_memory(request->head.inodes + 1);
  /* Where this process seems to have no descriptors, sizes say nothing: before 6.2. */
  int sizes_count = fstatat(portwhy_reader.proc, "self/fd", &status, 0) == 0 && status.st_size > 0;
  uint64_t descriptors = 0;
  for (uint32_t turn = 0; turn < list.count && !is_over(request); turn++) {
    int32_t process = list.numbers[is_downwards ? list.count - 1 - turn : turn], after = request->head.after;
    if (after != 0 && (is_downwards ? process >= after : process <= after)) continue;
    if (!portwhy_begins(process)) continue;
    if (request->head.whom == PORTWHY_EVERYBODY) {
      look_at_files(request, process);
      continue;
    }
    /* Most kernel threads have none: on an idle host more than half of all processes. */
    char path[32];
    snprintf(path, sizeof path, "%d/fd", (int)process);
    uint64_t size = sizes_count && fstatat(portwhy_reader.proc, path, &status, 0) == 0 ? (uint64_t)status.st_size : 1;
    if (size == 0) continue;
    /* Duplicates are no more files: thousands of processes may share a table of them. */
    if (look_at_descriptors(request, process)) descriptors += size;
    if (request->head.many_files != 0 && descriptors / 4 >= request->head.many_files) return E2BIG;
  }
  return request->is_over && request->head.whom == PORTWHY_HOLDERS ? ETIME : 0;
}

static void look_at_parents(struct request *request, int32_t process) {
  if (!request->known) request->known = portwhy_child_memory(most_processes / 8);
  for (int step = 0; process > 0 && step < 33; step++) {
    /* Only a made-up /proc has higher numbers. */
    if (process < most_processes) {
      unsigned char bit = (unsigned char)(1 << process % 8);
      if (request->known[process / 8] & bit) return;
      request->known[process / 8] |= bit;
    }
    if (!portwhy_begins(process)) return;
    portwhy_reader.parent = 0;
    look_at_files(request, process);
    process = portwhy_reader.parent;
  }
}

/* 0 where a process has these descriptors of these sockets, or has ended. */
static int confirm(struct request *request, const struct portwhy_descriptor *held, uint32_t count) {
  int directory = open_process(held->process, "/fd");
  if (directory < 0) return portwhy_means_gone(errno) ? 0 : ESTALE;
  int error = 0;
  for (uint32_t place = 0; place < count && error == 0; place++) {
    char name[16];
    snprintf(name, sizeof name, "%d", (int)held[place].number);
    uint64_t inode = socket_inode(directory, name, &error);
    if (error == 0 && inode != held[place].inode) error = ESTALE;
    if (error == 0 && is_over(request)) error = ETIME;
  }
  if (error == 0) {
    portwhy_tell(held->process, PORTWHY_FRAME_PROCESS, 0, held, count * sizeof *held);
    ask_around(request, held->process, directory);
  } else if (portwhy_means_gone(error)) {
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
    if (!portwhy_begins(held->process)) {
      if (is_confirmed) return ESTALE;
    } else if (!is_confirmed) {
      look_at_files(request, held->process);
    } else {
      int error = confirm(request, held, count);
      if (error != 0) return error == ETIME ? ETIME : ESTALE;
    }
  }
  return 0;
}

int portwhy_walk(const struct portwhy_process_request *head) {
  struct request request = taken_apart(head);
  for (uint32_t place = 0; place < head->root_questions; place++) {
    portwhy_ask_file(portwhy_reader.proc, 0, request.root_questions + place);
  }
  int error = head->whom < PORTWHY_NAMED ? look_at_all(&request) : look_at_named(&request);
  if (error != 0 || head->parent_questions == 0) return error;
  uint32_t count = request.parent_count;
  request.asked = head->parent_questions;
  portwhy_tell(0, PORTWHY_FRAME_PARENTS, 0, 0, 0);
  for (uint32_t place = 0; place < count; place++) look_at_parents(&request, request.parents[place]);
  return 0;
}
