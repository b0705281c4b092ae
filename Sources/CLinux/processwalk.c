#define _GNU_SOURCE
#include "processwalk.h"
#include "processes.h"
#include "CLinux.h"
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
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
  /* Descriptors and processes that were looked at. */
  uint64_t turns;
  /* What the scout says of the process that is looked at; 0 where it does not look. */
  const unsigned char *scouted;
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

/* What a scout says of a process. */
enum { NOBODY_LOOKED, IS_LOOKED_AT, HAS_NONE, HAS_SOME };

static int has_none(const unsigned char *scouted) {
  return scouted && __atomic_load_n(scouted, __ATOMIC_ACQUIRE) == HAS_NONE;
}

/* Whether no more is to be looked at, or not in this process. The clock is asked now and then, as reading it costs a hundredth
 * of a look. */
static int is_over(struct request *request) {
  if (request->head.whom == PORTWHY_YOUNGEST_HOLDERS && request->missing == 0) return 1;
  if (++request->turns % 64 != 0) return request->is_over;
  if (request->head.microseconds != 0 && processor_microseconds() >= request->head.microseconds) request->is_over = 1;
  return request->is_over || has_none(request->scouted);
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
  /* The size of /proc/PID/fd tells how many descriptors there are, since Linux 6.2. */
  int has_sizes;
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

/* ---- a second process that looks ----
 *
 * It goes through the list from its end and only finds out of whom there is nothing to tell, which is nearly everybody: he
 * needs no look of the child's own. The child waits for it nowhere, so that nobody can hold up both. */

enum {
  turns_without_scout = 1024,  /* who has looked at so much is not done in a moment */
  many_descriptors = 1024      /* the large ones come first, so that none of them is left for the end */
};

struct scout {
  pid_t process;
  /* For each place of the list what the scout says of it; whoever takes a place first has it. Memory of both. */
  unsigned char *places;
  uint32_t count;
};

static int takes(unsigned char *place) {
  unsigned char nobody = NOBODY_LOOKED;
  return __atomic_compare_exchange_n(place, &nobody, IS_LOOKED_AT, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* In the scout: 0 once there is something to tell, or it is not known. */
static int scout_descriptor(int32_t number, const char *name, void *with) {
  (void)number;
  struct looking *looking = with;
  const struct request *request = looking->request;
  int error;
  uint64_t inode = socket_inode(looking->directory, name, &error);
  int is_told = (error != 0 && !portwhy_means_gone(error)) || is_over(looking->request);
  if (inode != 0) is_told |= (place_of(request, inode) >= 0) == (request->head.whom == PORTWHY_HOLDERS);
  looking->has_told = is_told;
  return !is_told;
}

static unsigned char scouted(struct request *request, int32_t process) {
  struct looking looking = {.request = request, .directory = open_process(process, "/fd")};
  if (looking.directory < 0) return HAS_SOME;
  int error = for_each_number(looking.directory, scout_descriptor, &looking);
  close(looking.directory);
  return error != 0 || looking.has_told ? HAS_SOME : HAS_NONE;
}

/* How many descriptors a process has; before Linux 6.2, where sizes say nothing, 1. */
static uint64_t size_of(const struct list *list, int32_t process) {
  char path[32];
  struct stat status;
  snprintf(path, sizeof path, "%d/fd", (int)process);
  return list->has_sizes && fstatat(portwhy_reader.proc, path, &status, 0) == 0 ? (uint64_t)status.st_size : 1;
}

static void scout_all(struct request *request, const struct list *list, const struct scout *scout, uint64_t least) {
  for (uint32_t turn = scout->count; turn-- > 0 && !request->is_over;) {
    int32_t process = list->numbers[turn];
    if (process <= request->head.after) return;
    if ((least > 0 && size_of(list, process) < least) || !takes(scout->places + turn)) continue;
    unsigned char found = portwhy_is_silent(process) ? HAS_SOME : scouted(request, process);
    __atomic_store_n(scout->places + turn, found, __ATOMIC_RELEASE);
  }
}

static _Noreturn void be_scout(struct request *request, const struct list *list, const struct scout *scout, int processor) {
  /* The pipe, which tells the other side when the child has ended. */
  close(0);
  cpu_set_t others;
  if (sched_getaffinity(0, sizeof others, &others) == 0 && processor >= 0 && processor < CPU_SETSIZE) {
    CPU_CLR(processor, &others);
    sched_setaffinity(0, sizeof others, &others);
  }
  request->scouted = 0;
  if (list->has_sizes) scout_all(request, list, scout, many_descriptors);
  scout_all(request, list, scout, 0);
  _exit(0);
}

/* Where there is a second processor; at this place of the list. */
static void start_scout(struct request *request, const struct list *list, struct scout *scout, uint32_t turn) {
  cpu_set_t processors;
  scout->count = list->count;
  if (sched_getaffinity(0, sizeof processors, &processors) != 0 || CPU_COUNT(&processors) < 2) return;
  void *shared = mmap(0, list->count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return;
  scout->places = shared;
  memset(scout->places, IS_LOOKED_AT, turn);
  int processor = sched_getcpu();
  pid_t child = getpid(), process = (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0);
  if (process == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != child) _exit(0);
    be_scout(request, list, scout, processor);
  }
  scout->process = process;
}

/* It has ended, or is held up: then it ends once it is let go of, and is not waited for. */
static void end_scout(struct scout *scout) {
  const struct timespec moment = {0, 20000};
  if (!scout->places) return;
  if (scout->process > 0) kill(scout->process, SIGKILL);
  for (int turn = 0; scout->process > 0 && turn < 100 && waitpid(scout->process, 0, WNOHANG | __WALL) == 0; turn++) {
    nanosleep(&moment, 0);
  }
  munmap(scout->places, scout->count);
  scout->places = 0;
}

/* The processes of the list; 0, or errno. */
static int look_at_list(struct request *request, const struct list *list, struct scout *scout) {
  uint32_t whom = request->head.whom;
  int is_downwards = whom == PORTWHY_YOUNGEST_HOLDERS;
  int wants_scout = whom == PORTWHY_HOLDERS || whom == PORTWHY_HOLDERS_OF_OTHERS;
  uint64_t descriptors = 0;
  for (uint32_t turn = 0; turn < list->count && !is_over(request); turn++) {
    int32_t process = list->numbers[is_downwards ? list->count - 1 - turn : turn], after = request->head.after;
    if (after != 0 && (is_downwards ? process >= after : process <= after)) continue;
    if (!portwhy_begins(process)) continue;
    if (whom == PORTWHY_EVERYBODY) {
      look_at_files(request, process);
      continue;
    }
    /* Most kernel threads have none: on an idle host more than half of all processes. */
    uint64_t size = size_of(list, process);
    if (size == 0) continue;
    if (wants_scout && request->turns + size > turns_without_scout) {
      start_scout(request, list, scout, turn);
      wants_scout = 0;
    }
    unsigned char *place = scout->places ? scout->places + turn : 0;
    request->scouted = place && !takes(place) ? place : 0;
    /* Duplicates are no more files: thousands of processes may share a table of them. */
    if (has_none(request->scouted) || look_at_descriptors(request, process)) descriptors += size;
    request->scouted = 0;
    if (request->head.many_files != 0 && descriptors / 4 >= request->head.many_files) return E2BIG;
  }
  return request->is_over && whom == PORTWHY_HOLDERS ? ETIME : 0;
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
  list.has_sizes = fstatat(portwhy_reader.proc, "self/fd", &status, 0) == 0 && status.st_size > 0;
  struct scout scout = {0};
  error = look_at_list(request, &list, &scout);
  end_scout(&scout);
  return error;
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
