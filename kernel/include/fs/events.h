/* Files that are made by calls of their own: eventfd, timerfd, epoll, memfd; and what fcntl does. */
#pragma once
#include <fs/file.h>
#include <uapi/poll.h>
#include <uapi/time.h>

int eventfd_create(u64 count, unsigned flags, struct file **out);
int timerfd_create(int clock, unsigned flags, struct file **out); /* -EINVAL */
/* Times in ns; absolute ones on the timer's clock. interval 0: once; value 0: disarm. */
int timerfd_set(struct file *f, int flags, u64 value_ns, u64 interval_ns, u64 *old_value,
		u64 *old_interval);
int timerfd_get(struct file *f, u64 *value_ns, u64 *interval_ns);
/* The wall clock was set: wakes timers with TFD_TIMER_CANCEL_ON_SET, moves absolute ones. Thread context. */
void timerfd_clock_was_set(void);

int epoll_create_file(struct file **out);
int epoll_ctl_file(struct file *ep, int op, struct file *f, int fd, const struct epoll_event *ev);
/* Waits for events until the deadline; writes them to user memory; their number, 0 or -EXXX. */
long epoll_wait_file(struct file *ep, uptr_t events, int max, u64 deadline_ns);

int memfd_create_file(const char *name, unsigned flags, struct file **out);

long file_fcntl(int fd, struct file *f, unsigned cmd, unsigned long arg);
long file_ioctl(int fd, struct file *f, unsigned cmd, unsigned long arg);
int file_flock(struct file *f, int op);

struct pollfd;
/* poll(2) on kernel memory. Ready descriptors, 0, -ERESTARTNOHAND… fds[].revents filled. */
long poll_fds(struct pollfd *fds, unsigned n, u64 deadline_ns);
/* select(2): bitmaps of n bits, in and out. */
long select_fds(int n, unsigned long *in[3], unsigned long *out[3], u64 deadline_ns);
