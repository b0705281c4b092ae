/* libmnl, and the kernel's headers with the numbers that are used beside it. */
#ifndef PORTWHY_CMNL_H
#define PORTWHY_CMNL_H

#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>

#endif
