#define _GNU_SOURCE
#include "processwalk.h"
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
struct portwhy_reader portwhy_reader;
/* What of the answer is only in memory: `staged` bytes, before which `written` have gone through the pipe. */
static struct staged {
  uint64_t written;
  uint32_t staged;
  char bytes[PORTWHY_STAGED_BYTES];
} *staged;

void *portwhy_child_memory(size_t size) {
  void *found = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (found == MAP_FAILED) _exit(1);
  return found;
}

/* ---- what is told ---- */

/* With an open file, or -1: a Unix socket keeps it and the bytes together. */
static void write_staged_with(int file) {
  union {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof file)];
  } control = {{0}};
  uint32_t count = staged->staged;
  ssize_t sent = 0;
  if (file >= 0) {
    struct iovec part = {staged->bytes, count};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof file);
    memcpy(CMSG_DATA(head), &file, sizeof file);
    do sent = sendmsg(0, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
  }
  if (sent < 0 || portwhy_write_all(staged->bytes + sent, count - (size_t)sent) != 0) _exit(1);
  /* In this order: bytes that are counted twice would be told twice. */
  __atomic_store_n(&staged->staged, 0, __ATOMIC_RELEASE);
  __atomic_store_n(&staged->written, staged->written + count, __ATOMIC_RELEASE);
}

static void write_staged(void) { write_staged_with(-1); }

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

void portwhy_tell(int32_t process, uint32_t kind, int error, const void *bytes, size_t count) {
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

static int read_names(int parent, const char *path, char *bytes, size_t limit, size_t *count) {
  static _Alignas(8) char entries[32 << 10];
  int directory = portwhy_open_read(parent, path, O_DIRECTORY), error = 0;
  if (directory < 0) return errno;
  long filled = 0;
  while (error == 0 && (filled = portwhy_getdents64(directory, entries, sizeof entries)) > 0) {
    /* struct linux_dirent64: u64 d_ino, s64 d_off, u16 d_reclen, u8 d_type, d_name with a NUL at 19 */
    for (long place = 0; place < filled; place += *(uint16_t *)(entries + place + 16)) {
      size_t length = strlen(entries + place + 19) + 1;
      if (*count + length > limit) error = E2BIG;
      if (error != 0) break;
      memcpy(bytes + *count, entries + place + 19, length);
      *count += length;
    }
  }
  if (error == 0 && filled < 0) error = errno;
  close(directory);
  return error;
}

static int path_of_group(const char *words, char *path, size_t *count) {
  char *place, own[32];
  uint64_t group = strtoull(words, &place, 16);
  int mount = portwhy_open_read(AT_FDCWD, place, O_DIRECTORY);
  if (mount < 0) return errno;
  int directory = portwhy_open_control_group(mount, group), error = directory < 0 ? errno : 0;
  if (error == 0) {
    snprintf(own, sizeof own, "self/fd/%d", directory);
    ssize_t length = readlinkat(portwhy_reader.proc, own, path, PATH_MAX);
    if (length < 0) error = errno;
    else *count = (size_t)length;
    close(directory);
  }
  close(mount);
  return error;
}

static void note_stat(const char *stat) {
  char *end = strrchr(stat, ')');
  portwhy_reader.parent = portwhy_reader.group = portwhy_reader.session = 0;
  if (!end || end[1] != ' ' || end[2] == 0) return;
  portwhy_reader.parent = (int32_t)strtol(end + 3, &end, 10);
  portwhy_reader.group = (int32_t)strtol(end, &end, 10);
  portwhy_reader.session = (int32_t)strtol(end, 0, 10);
}

/* Whom is looked at now. */
static void note_step(int32_t process) {
  __atomic_store_n(&portwhy_reader.errand->state->step, (uint32_t)process, __ATOMIC_RELEASE);
}

/* 0 where a process is there, or errno. */
static int find(int32_t process) {
  char path[32];
  struct stat status;
  note_step(process);
  snprintf(path, sizeof path, "%d/stat", (int)process);
  return fstatat(portwhy_reader.proc, path, &status, 0) == 0 ? 0 : errno;
}

static int32_t silent[4];

static int is_silent(int32_t process) {
  for (int place = 0; place < 4; place++)
    if (silent[place] == process) return 1;
  return portwhy_is_stuck_at(portwhy_reader.errand->kind, (uint32_t)process);
}

int portwhy_begins(int32_t process) {
  note_step(process);
  if (!is_silent(process)) return 1;
  portwhy_tell(process, PORTWHY_FRAME_SILENT, 0, 0, 0);
  return 0;
}

static int find_leader(int32_t process) {
  int32_t group = portwhy_reader.group, session = portwhy_reader.session;
  if (group == process || group <= 0 || session <= 0 || session == group) return EINVAL;
  if (is_silent(group) || is_silent(session) || is_silent(1)) return EAGAIN;
  int error = find(group);
  /* Where process 1 cannot be seen /proc hides processes, and a leader may only be hidden. */
  int is_gone = portwhy_means_gone(error) && find(1) == 0 && find(session) == 0;
  note_step(process);
  return error == 0 ? 0 : is_gone ? ENOENT : EAGAIN;
}

void portwhy_ask_file(int directory, int32_t process, const struct portwhy_file_question *question) {
  struct stat status;
  struct portwhy_file_status told;
  const void *bytes = text;
  size_t count = 0;
  int error = 0;
  if (question->limit + 1 > text_size || !text) {
    text_size = question->limit + 1 > 64 << 10 ? question->limit + 1 : 64 << 10;
    bytes = text = portwhy_child_memory(text_size);
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
  case PORTWHY_FILE_NAMES: error = read_names(directory, question->path, text, question->limit, &count); break;
  case PORTWHY_FILE_GROUP: error = path_of_group(question->path, text, &count); break;
  case PORTWHY_FILE_OPENED: {
    int file = portwhy_open_read(directory, question->path, O_NONBLOCK);
    portwhy_tell(process, PORTWHY_FRAME_FILE, file < 0 ? errno : 0, 0, 0);
    if (file >= 0) write_staged_with(file);
    if (file >= 0) close(file);
    return;
  }
  default:
    if (question->what == PORTWHY_FILE_OWNER) error = owner_of(directory, question->path, &status);
    else if (fstatat(directory, question->path, &status, 0) != 0) error = errno;
    if (error == 0) told = short_status(&status);
    bytes = &told;
    count = sizeof told;
  }
  portwhy_tell(process, PORTWHY_FRAME_FILE, error, bytes, error ? 0 : count);
}

/* A /proc of another pid namespace has other numbers. */
static int is_own_proc(void) {
  char target[32], own[32];
  ssize_t length = readlinkat(portwhy_reader.proc, "self", target, sizeof target - 1);
  target[length > 0 ? length : 0] = 0;
  snprintf(own, sizeof own, "%d", (int)getpid());
  return strcmp(target, own) == 0;
}

/* How many files the host has open, each of which a walk looks at (proc_sys_fs(5), file-nr); 0 where that is not told. */
static uint64_t open_files(void) {
  char number[64];
  size_t count = 0;
  if (read_contents(portwhy_reader.proc, "sys/fs/file-nr", number, sizeof number - 1, &count) != 0) return 0;
  number[count] = 0;
  return strtoull(number, 0, 10);
}

static int answer(const struct portwhy_process_request *head) {
  __atomic_store_n(&portwhy_reader.errand->state->step, 0, __ATOMIC_RELEASE);
  if (head->many_files != 0 && open_files() >= head->many_files) return E2BIG;
  if (head->whom == PORTWHY_CONFIRMED && !is_own_proc()) return ESTALE;
  if (head->whom == PORTWHY_SOCKETS) {
    portwhy_ask_all(portwhy_reader.errand, (const void *)(head + 1), head->more, head->wants);
    return 0;
  }
  memcpy(silent, head->silent, sizeof silent);
  return portwhy_walk(head);
}

static _Noreturn void serve(const char *root, const struct portwhy_process_request *first) {
  const struct portwhy_process_request *request = first;
  portwhy_reader.proc = portwhy_open_read(AT_FDCWD, root, O_DIRECTORY);
  int error = portwhy_reader.proc < 0 ? errno : 0;
  while (1) {
    portwhy_tell(0, PORTWHY_FRAME_DONE, error != 0 ? error : answer(request), 0, 0);
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
      next = portwhy_child_memory(size);
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
  portwhy_reader.errand = started;
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

ssize_t portwhy_receive_files(struct portwhy_errand *asked, void *bytes, size_t size, int32_t *files, uint32_t *count) {
  union {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(8 * sizeof *files)];
  } control;
  struct iovec part = {bytes, size};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  uint32_t room = *count;
  ssize_t got;
  do got = recvmsg(asked->pipe, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  *count = 0;
  for (struct cmsghdr *head = got < 0 ? 0 : CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    for (size_t place = CMSG_LEN(0); place + sizeof *files <= head->cmsg_len; place += sizeof *files) {
      int32_t file;
      memcpy(&file, (char *)head + place, sizeof file);
      if (*count < room) files[(*count)++] = file;
      else close(file);
    }
  }
  if (got >= 0 && *count == 0 && (message.msg_flags & MSG_CTRUNC) && room > 0) files[(*count)++] = -1;
  return got;
}

int portwhy_waits_for_place(int kind) {
  portwhy_is_blocked_by_stuck(kind);
  return portwhy_is_stuck_at(kind, 0);
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
