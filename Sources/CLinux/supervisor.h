/* What the supervisor of `portwhy -- COMMAND` needs and Swift cannot say: fork(2) and what runs between it and
   execve(2), the seccomp filter and its ioctls, descriptors in messages, ptrace(2) with its registers. */
#ifndef PORTWHY_CLINUX_SUPERVISOR_H
#define PORTWHY_CLINUX_SUPERVISOR_H

#include <stdint.h>

/* A system call that waits for an answer, from struct seccomp_notif (seccomp_unotify(2)). */
struct portwhy_notification {
  uint64_t id;
  uint64_t instruction;
  uint64_t arguments[6];
  int32_t thread;
  int32_t number;
  uint32_t architecture;
};

/* The system calls of the filter, by the architecture that a notification names. */
enum portwhy_call { PORTWHY_NO_CALL, PORTWHY_BIND, PORTWHY_LISTEN, PORTWHY_SOCKETCALL };
enum portwhy_call portwhy_call_of(uint32_t architecture, int32_t number);

/* Remembers the signal mask and the dispositions that COMMAND is to have, before this program changes them. */
void portwhy_remember_signals(void);

/* The step of the start that failed. */
enum portwhy_step {
  PORTWHY_STARTED,
  PORTWHY_NO_PROCESS,   /* fork(2), socketpair(2), mmap(2) */
  PORTWHY_NO_FILTER,    /* seccomp(2) */
  PORTWHY_NO_LISTENER,  /* the listener did not arrive */
  PORTWHY_NOT_EXECUTED, /* execve(2) */
};

struct portwhy_command {
  int32_t process;
  /* Where calls arrive (seccomp_unotify(2)). */
  int32_t listener;
  /* Not to be touched: the way to the child. */
  int32_t channel;
  /* errno of the step. */
  int32_t error;
};

/* Forks a child that installs the filter and waits; close-on-exec everything. */
enum portwhy_step portwhy_fork_command(
    const char *const words[], char *const environment[], struct portwhy_command *command);

/* Lets the child run COMMAND, as execvp(3) finds it; back when it runs. */
enum portwhy_step portwhy_run_command(struct portwhy_command *command);

/* Ends the child that did not run COMMAND. */
void portwhy_drop_command(struct portwhy_command *command);

/* Forks the keeper: it lets calls go on when this process is gone or rests, until no task has the filter any more.
   Its process id, or -1 with errno. To be called before there is a second thread. */
int portwhy_fork_keeper(int listener);

/* Where no task has the filter any more, waits for the end of the keeper, so that it leaves no zombie behind. */
void portwhy_end_keeper(int listener, int keeper);

/* The keeper answers from now on, until portwhy_resume. */
void portwhy_rest(void);
/* No longer; back when the keeper has stopped answering, after 200 ms at most. */
void portwhy_resume(void);

/* The next call, SECCOMP_IOCTL_NOTIF_RECV, which the keeper lets go on should this process end now. 0 or errno. */
int portwhy_receive(int listener, struct portwhy_notification *notification);
/* Whether the thread still waits in the call, SECCOMP_IOCTL_NOTIF_ID_VALID. */
int portwhy_still_waits(int listener, uint64_t id);
/* The kernel makes the call, SECCOMP_IOCTL_NOTIF_SEND with SECCOMP_USER_NOTIF_FLAG_CONTINUE. 0 or errno. */
int portwhy_go_on(int listener, uint64_t id);

/* PTRACE_SEIZE; ETIMEDOUT after 100 ms: another thread of the process may keep its lock over an execve(2) that reads
   from a file system in user space. 0 or errno. */
int portwhy_seize(int thread);
/* ptrace(2): PTRACE_INTERRUPT, PTRACE_DETACH, PTRACE_GETREGSET. 0 or errno. */
int portwhy_interrupt(int thread);
int portwhy_detach(int thread, int signal);
/* Where a stopped thread is and what its last system call returned. */
int portwhy_registers(int thread, uint64_t *instruction, int64_t *result);

/* pidfd_open(2) of a thread, Linux 6.9; EINVAL before for all but the first of a process. -1 with errno. */
int portwhy_open_thread(int thread);

/* The deadline of portwhy_seize, for the calling thread. 0 or errno. */
int portwhy_prepare_seizing(void);

/* prctl(2) PR_SET_CHILD_SUBREAPER: what COMMAND leaves behind stays below this process, which Yama wants to see. */
void portwhy_adopt_orphans(void);
/* From now on SIGINT, SIGTERM, SIGHUP and SIGQUIT end this process, unless they were ignored at its start. */
void portwhy_heed_signals(int signals);
/* Ends this process as a signal ends it, without a core file. */
void portwhy_end_by_signal(int signal);
/* Stops this process as a signal stops it; back when it is continued. */
void portwhy_stop_by_signal(int signal);
/* Blocks every signal that can be and returns a signalfd(2) of them; -1 with errno. */
int portwhy_take_signals(void);

/* eventfd(2), close-on-exec and not waiting; -1 with errno. */
int portwhy_counter(void);

/* The next signal of a signalfd(2), how it was sent (si_code) and by whom; 0 where there is none. */
int portwhy_next_signal(int signals, int *number, int *code, int *sender);

/* getxattr(2) of security.capability: whether the file has capabilities. */
int portwhy_has_file_capabilities(const char *path);

/* process_vm_readv(2): up to `size` bytes of a thread's memory; -1 with errno. */
long portwhy_read_memory(int thread, uint64_t address, void *buffer, unsigned long size);

/* waitpid(2) for any child and any traced thread, not waiting; the number of the process or thread, 0 or -1. A child
   whose end raises no SIGCHLD is left to whoever made it (clone(2)). */
int portwhy_wait_any(int *status);

/* SO_NETNS_COOKIE: the number of the socket's network namespace (5.14); 0 where it is not told. */
uint64_t portwhy_namespace_cookie(int socket);

#endif
