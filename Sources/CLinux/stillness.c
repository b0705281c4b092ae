#define _GNU_SOURCE
#include "stillness.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How long the thread may take to start, in nanoseconds: less than one of the looks that it saves. */
static const uint64_t patience = 150000;
/* No interval between two readings may be longer than this part of the whole time, or a socket could come and go in it. */
static const uint64_t parts = 8;

enum { NOT_STARTED, READING, GIVEN_UP };

/* -1 where one cannot be read. Each family for itself, so that none makes up for the other. */
struct counts {
  long ipv4, ipv6;
};

struct portwhy_stillness {
  pthread_t thread;
  bool udp;
  int ipv4, ipv6;       /* -1 where there is no IPv6 */
  struct counts first;  /* what was there at the beginning */
  uint64_t begin;
  /* These two are of both threads. */
  int state, over;
  /* To be read once the other thread has ended. */
  uint64_t longest;
  bool has_changed;
};

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* The number that follows `words` in a text; -1 where none does. */
static long number_after(const char *words, const char *text) {
  const char *place = strstr(text, words);
  if (!place) return -1;
  place += strlen(words);
  return *place >= '0' && *place <= '9' ? strtol(place, 0, 10) : -1;
}

static const char *contents(int descriptor, char *text, size_t size) {
  ssize_t length = pread(descriptor, text, size - 1, 0);
  text[length > 0 ? length : 0] = 0;
  return text;
}

static struct counts read_counts(const struct portwhy_stillness *watch) {
  char bytes[512];
  struct counts counts = {-1, 0};
  const char *text = contents(watch->ipv4, bytes, sizeof bytes);
  counts.ipv4 = number_after(watch->udp ? "UDP: inuse " : "TCP: inuse ", text);
  if (watch->ipv6 < 0) return counts;
  text = contents(watch->ipv6, bytes, sizeof bytes);
  counts.ipv6 = number_after(watch->udp ? "UDP6: inuse " : "TCP6: inuse ", text);
  return counts;
}

static bool are_known(struct counts counts) { return counts.ipv4 >= 0 && counts.ipv6 >= 0; }

static bool are_equal(struct counts one, struct counts other) {
  return one.ipv4 == other.ipv4 && one.ipv6 == other.ipv6;
}

static void *read_all_the_time(void *argument) {
  struct portwhy_stillness *watch = argument;
  uint64_t before = now(), longest = 0;
  int state = NOT_STARTED;
  if (!__atomic_compare_exchange_n(&watch->state, &state, READING, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    free(watch);
    return 0;
  }
  bool is_over = false, has_changed = false;
  while (!is_over && !has_changed) {
    is_over = __atomic_load_n(&watch->over, __ATOMIC_ACQUIRE);
    has_changed = !are_equal(read_counts(watch), watch->first);
    uint64_t time = now();
    if (time - before > longest) longest = time - before;
    before = time;
  }
  watch->longest = longest;
  watch->has_changed = has_changed;
  return 0;
}

/* A thread without signals, which are the business of the others, on another processor than this one: the scheduler may put
 * a new thread behind the one that made it, which gives its processor away only when the look is over. */
static bool starts_thread(struct portwhy_stillness *watch, const cpu_set_t *processors) {
  cpu_set_t others = *processors;
  int here = sched_getcpu();
  if (here >= 0 && here < CPU_SETSIZE) CPU_CLR(here, &others);
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  if (CPU_COUNT(&others) > 0) pthread_attr_setaffinity_np(&attributes, sizeof others, &others);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failure = pthread_create(&watch->thread, &attributes, read_all_the_time, watch);
  pthread_sigmask(SIG_SETMASK, &before, 0);
  pthread_attr_destroy(&attributes);
  return failure == 0;
}

/* Whether the thread had not begun: then it reads nothing, and frees the memory once it has a processor. */
static bool gives_up(struct portwhy_stillness *watch) {
  pthread_t thread = watch->thread;
  int state = NOT_STARTED;
  if (!__atomic_compare_exchange_n(&watch->state, &state, GIVEN_UP, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    return false;
  }
  pthread_detach(thread);
  return true;
}

/* Whether the thread reads by now. No processor is given away meanwhile: the look is to begin at once. */
static bool reads_in_time(struct portwhy_stillness *watch) {
  uint64_t begin = now();
  while (now() - begin < patience) {
    if (__atomic_load_n(&watch->state, __ATOMIC_ACQUIRE) == READING) return true;
  }
  return !gives_up(watch);
}

struct portwhy_stillness *portwhy_watch_stillness(bool udp, int ipv4, int ipv6) {
  /* A host of more processors than such a set has room for does not tell them: then the scheduler chooses. */
  cpu_set_t processors;
  CPU_ZERO(&processors);
  if (sched_getaffinity(0, sizeof processors, &processors) == 0 && CPU_COUNT(&processors) < 2) return 0;
  struct portwhy_stillness *watch = calloc(1, sizeof *watch);
  if (!watch) return 0;
  watch->ipv4 = ipv4;
  watch->ipv6 = ipv6;
  watch->udp = udp;
  watch->first = read_counts(watch);
  if (!are_known(watch->first) || !starts_thread(watch, &processors)) {
    free(watch);
    return 0;
  }
  if (!reads_in_time(watch)) return 0;
  watch->begin = now();
  return watch;
}

bool portwhy_was_still(struct portwhy_stillness *watch) {
  if (!watch) return false;
  uint64_t time = now() - watch->begin;
  __atomic_store_n(&watch->over, 1, __ATOMIC_RELEASE);
  pthread_join(watch->thread, 0);
  bool was_still = !watch->has_changed && watch->longest <= time / parts;
  free(watch);
  return was_still;
}
