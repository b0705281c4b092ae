/* libmnl and the kernel's headers for Swift, and inline shims for what Swift cannot import. */
#ifndef PORTWHY_CNETLINK_SHIM_H
#define PORTWHY_CNETLINK_SHIM_H

#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>

#endif
