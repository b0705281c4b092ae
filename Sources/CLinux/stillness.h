/* Whether sockets move between the kernel's tables while these are walked. /proc/net/sockstat tells how many TCP sockets are
 * in the tables of listeners and of connections and how many UDP sockets are bound (kernel function
 * `sock_prot_inuse_get`; TIME_WAIT does not count), and every move between one of the two and being only bound changes
 * that number. A second thread reads it all the time. A TCP socket that is only bound is not counted: that one of these ends
 * does not show here. */
#ifndef PORTWHY_STILLNESS_H
#define PORTWHY_STILLNESS_H

#include <stdbool.h>

struct portwhy_stillness;

/* Starts to watch the TCP or the UDP sockets of the network namespace whose sockstat and sockstat6 these open files are (-1
 * for none of IPv6), and returns once the number is being read. Null where it cannot be read, or where there is no second
 * processor that is free at once. */
struct portwhy_stillness *portwhy_watch_stillness(bool udp, int ipv4, int ipv6);

/* Ends it. Whether the number was read at short intervals from the beginning to the end, and always was the same. */
bool portwhy_was_still(struct portwhy_stillness *watch);

#endif
