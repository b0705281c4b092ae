/* Calls that act on the calling thread alone; glibc's wrappers would change every thread of the process. */
#ifndef PROCESS_TEST_SUPPORT_H
#define PROCESS_TEST_SUPPORT_H

#include <stddef.h>
#include <stdint.h>

/* setgroups(2), setresgid(2), setresuid(2): this thread becomes that user and loses its capabilities.
   0 on success. */
int test_become_user(uint32_t real, uint32_t effective);

/* seccomp(2): from now on system call `number` fails with `error` on this thread. 0 on success. */
int test_refuse_system_call(long number, int error);

/* seccomp(2): from now on socket(family, _, protocol) fails with `error` on this thread and in what it starts.
   0 on success. */
int test_refuse_socket(int family, int protocol, int error);

/* unshare(2). 0 on success. */
int test_unshare_files(void);
int test_unshare_mounts(void);
/* setcap(8) cap_net_bind_service=ep. 0 on success. */
int test_give_bind_capability(const char *path);
int test_unshare_network(void);

/* What a process that confined itself could do: 0 or errno of each. */
struct test_confined {
  int confines, reads, opens_to_read, opens_to_write, creates, maps_memory, maps_code, maps_a_file, makes_a_socket;
  int signals, forks, executes;
};

/* Has a child call `confine` and then attempt everything; `path` is a file that is there. 0 on success. */
int test_confined(int (*confine)(int), int reads_files, const char *path, struct test_confined *found);

/* pipe2(2) with O_CLOEXEC, which Swift does not see. */
int test_pipe(int ends[2]);

/* A listener on 127.0.0.1 that no process holds: its descriptor is in a message on its way (unix(7), SCM_RIGHTS). The
   socket that would receive the message, or -1. */
int test_listener_in_flight(uint16_t port);

/* A pseudo-terminal of so many columns: the test's end and the program's. 0 on success. */
int test_terminal(uint16_t columns, int ends[2]);

/* A program on a pseudo-terminal of its own, as a terminal window starts it: session leader, 60 lines, no signal
   blocked, in that directory. Its process id, or -1; `terminal` is the test's end. */
int test_start_on_terminal(
    const char *const words[], const char *const environment[], const char *directory, uint16_t columns,
    int *terminal);

/* mount(2) and umount2(2) with MNT_DETACH, in the mount namespace of this thread. 0 on success. */
int test_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data);
int test_unmount(const char *target);
extern const unsigned long test_bind_mount, test_read_only_mount;

/* Something that happens while a program is stopped before a system call, counted from its first socket(2) on: a byte is
   written to `command`, and one read from `answer`. */
struct test_interruption {
  long step;
  int command, answer;
};

/* Runs a program to its end with /dev/null as its standard streams, or without any, under ptrace(2), and writes a line
   for each thing that a reader should know into `report`:
     exec PATH            it or a child of it ran another program, and below
     passed N TARGET        each descriptor from 3 on that this program got;
     inheritable N TARGET it had a descriptor from 3 on that is not close-on-exec;
     standard N TARGET    a socket or the like of its own became a standard stream;
     duplicate            it duplicated a descriptor of another process;
     kept N TARGET        it did so while it still had the duplicate before;
     call NAME            it made a system call that changes something;
     module               it may have had a kernel module loaded for an interface that is not there;
     interrupted          the step was reached;
     left N TARGET        the descriptor was still open at its end.
   The exit status, 128 and the signal's number, or -1. */
int test_watch(
    const char *const words[], const char *const environment[], int has_streams,
    const struct test_interruption *interruption, char *report, size_t size);

extern const long test_pidfd_open_number;
extern const long test_pidfd_getfd_number;
extern const long test_seccomp_number;
extern const long test_open_by_handle_at_number;
extern const long test_dup3_number;

#endif
