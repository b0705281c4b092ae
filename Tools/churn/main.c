/* Processes that make it hard to look at a host: short-lived servers (`churn servers COUNT PORT`), or a crowd of
   processes that hold one listener (`churn holders COUNT PORT`). Prints "ready" and goes on until its standard input
   ends. A program of its own, because forking a small one is cheap. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint32_t state;

static uint32_t below(uint32_t limit) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state % limit;
}

static void pause_milliseconds(uint32_t milliseconds) {
  struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  nanosleep(&time, 0);
}

/* A socket bound to 127.0.0.2 with one of the four combinations of options; -1 where that does not work. */
static int bound(int type, uint16_t port) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x7f000002)};
  int descriptor = socket(AF_INET, type | SOCK_NONBLOCK, 0), on = 1;
  if (below(2)) setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (below(2)) setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (bind(descriptor, (struct sockaddr *)&name, sizeof name) == 0) return descriptor;
  close(descriptor);
  return -1;
}

static int connected(uint16_t port) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x7f000002)};
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  connect(descriptor, (struct sockaddr *)&name, sizeof name);
  return descriptor;
}

/* One short life, in one of the ways in which a process can change under the eyes of who looks at it. */
static void live(uint16_t port, char **words) {
  int descriptor = bound(below(4) ? SOCK_STREAM : SOCK_DGRAM, port), other;
  uint32_t way = below(8);
  if (descriptor >= 0 && below(4)) listen(descriptor, 8);
  switch (way) {
    case 0: /* Dies at once. */
      return;
    case 1: /* Closes first. */
      pause_milliseconds(below(300));
      close(descriptor);
      pause_milliseconds(below(300));
      return;
    case 2: /* Becomes another program, which keeps the socket. */
      pause_milliseconds(below(300));
      execl("/proc/self/exe", words[0], "linger", (char *)0);
      return;
    case 3: /* Leaves the socket to a child and goes. */
      pause_milliseconds(below(200));
      if (fork() == 0) pause_milliseconds(below(300));
      return;
    case 4: /* The number stands for one socket, then for another. */
      other = bound(SOCK_STREAM, port);
      for (int round = 0; round < 200; round++) {
        dup2(round % 2 ? descriptor : other, 200);
        if (round % 4 == 0) pause_milliseconds(1);
        close(200);
      }
      return;
    case 5: /* May not be looked at any more. */
      if (setresuid(65534, 65534, 65534) == 0) pause_milliseconds(below(600));
      return;
    case 6: /* A connection, which leaves TIME_WAIT or a reset behind. */
      other = connected(port);
      pause_milliseconds(below(600));
      if (below(2)) close(accept(descriptor, 0, 0));
      return;
    default:
      pause_milliseconds(below(1000));
  }
}

static int input_has_ended(int timeout) {
  struct pollfd input = {.fd = 0, .events = POLLIN};
  char bytes[64];
  return poll(&input, 1, timeout) > 0 && read(0, bytes, sizeof bytes) <= 0;
}

static int run_servers(int count, uint16_t port, char **words) {
  int living = 0;
  puts("ready");
  fflush(stdout);
  while (!input_has_ended(0)) {
    while (living < count) {
      pid_t child = fork();
      if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(0);
        close(1);
        state = (uint32_t)getpid() * 2654435761u | 1;
        live((uint16_t)(port + below(8)), words);
        _exit(0);
      }
      if (child < 0) break;
      living++;
    }
    if (waitpid(-1, 0, 0) > 0) living--;
    while (living > 0 && waitpid(-1, 0, WNOHANG) > 0) living--;
  }
  return 0;
}

static int run_holders(int count, uint16_t port) {
  int listener = bound(SOCK_STREAM, port), ends[2], started = 0;
  if (listener < 0 || listen(listener, 8) != 0 || pipe(ends) != 0) return 1;
  for (; started < count - 1; started++) {
    pid_t child = fork();
    if (child < 0) break;
    if (child == 0) {
      char byte;
      close(0);
      close(1);
      close(ends[1]);
      /* Ends with the first process, which alone has the other end. */
      while (read(ends[0], &byte, 1) < 0) {}
      _exit(0);
    }
  }
  printf("%d\nready\n", started + 1);
  fflush(stdout);
  while (!input_has_ended(-1)) {}
  return 0;
}

int main(int argument_count, char **words) {
  const char *task = argument_count > 1 ? words[1] : "";
  if (!strcmp(task, "linger")) {
    pause_milliseconds(200);
    return 0;
  }
  if (argument_count != 4) return 64;
  signal(SIGPIPE, SIG_IGN);
  state = (uint32_t)getpid() | 1;
  int count = atoi(words[2]);
  uint16_t port = (uint16_t)atoi(words[3]);
  return strcmp(task, "servers") ? run_holders(count, port) : run_servers(count, port, words);
}
