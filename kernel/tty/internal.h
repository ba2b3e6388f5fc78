/*
 * Terminals: struct tty and what the files of this directory share.
 *
 * A tty is a line discipline between a device (serial port, or the master side of a pseudo-terminal) and the
 * files that programs have open. Everything in it is under tty->lock, a mutex: received bytes arrive from
 * interrupts by way of a work item (serial.c) or from the master's writer (pty.c). Ttys are never freed, so
 * that a pointer kept by a process is always good; a pseudo-terminal's is used again.
 */
#pragma once
#include <dev/chardev.h>
#include <lib/ring.h>
#include <sched/mutex.h>
#include <sched/waitq.h>
#include <sched/work.h>
#include "ldisc.h"

struct tty;

struct tty_device {
	/* Takes what it can of n bytes for the line; lock held. */
	size_t (*write)(struct tty *tty, const u8 *s, size_t n);
	size_t (*room)(struct tty *tty);
	/* Some input was read, or the modes changed: the sender may go on. Lock held. */
	void (*unthrottle)(struct tty *tty);
	void (*flush_output)(struct tty *tty);
	int (*opened)(struct tty *tty); /* 0 or -EIO */
	void (*closed)(struct tty *tty); /* last file */
	long (*ioctl)(struct tty *tty, unsigned cmd, uptr_t arg); /* -ENOTTY: not its own */
};

/* Bytes on their way from an interrupt to a terminal, by way of a work item (input.c). */
#define TTY_INPUT_SIZE 4096
struct tty_input {
	struct tty *tty;
	struct tty_input *next; /* of the same terminal */
	struct ring ring; /* interrupt → work */
	struct work work;
	u8 buf[TTY_INPUT_SIZE];
};

struct tty {
	struct ldisc ldisc; /* [x] lock */
	struct mutex *lock; /* [I] its own, or the pair's */
	struct mutex own_lock;
	const struct tty_device *device; /* [I] */
	void *private; /* [I] the device's */
	dev_t devno; /* [I] */
	struct waitq read_wait, write_wait;
	struct kwinsize winsize; /* [x] lock */
	s32 session, pgrp; /* [x] lock; read anywhere */
	u32 hangups; /* [x] lock: files opened before one are dead */
	unsigned opens; /* [x] lock */
	bool exclusive; /* [x] lock */
	bool other_closed; /* [x] lock: the master has gone */
	struct tty_input *inputs; /* [I] after start */
	void (*mirror)(const u8 *s,
		       size_t n); /* [I] after start: the screen's, which shows it too */
};

/* One open file. */
struct tty_file {
	struct tty *tty;
	u32 hangups; /* tty->hangups when it was opened */
	bool console; /* opened as /dev/console: survives hangups */
};

void tty_setup(struct tty *tty, const struct tty_device *device, void *private, struct mutex *lock);
extern const struct chardev_ops tty_file_ops;
struct tty *tty_console(void); /* what /dev/console is; or NULL */
/* While terminals start: /dev/console is the one console= prefers, else the first. */
void tty_console_offer(struct tty *tty, const char *name);
struct tty *pty_slave_find(unsigned n);

/* A file of tty for cf; takes the terminal as controlling one if that is due. */
int tty_open(struct chardev_file *cf, struct tty *tty);
bool tty_file_dead(const struct tty_file *tf); /* lock held */
/* Bytes from the line; lock held. How many were taken. */
size_t tty_receive(struct tty *tty, const u8 *s, size_t n);
void tty_set_winsize(struct tty *tty, const struct kwinsize *w); /* lock held */
long tty_ioctl(struct chardev_file *cf, unsigned cmd, uptr_t arg); /* ioctl.c */
/* The terminal part of a master's ioctl: acts on the slave's settings. */
long tty_common_ioctl(struct tty *tty, unsigned cmd, uptr_t arg, bool master);

/* job.c. Is the caller in the foreground, or allowed all the same? 0; -EIO; -ERESTARTSYS with the signal
 * sent. Lock held. */
int tty_check_foreground(struct tty *tty, int sig);
int tty_job_ioctl(struct tty *tty, unsigned cmd, uptr_t arg, bool master, bool *handled);
void tty_acquire(struct tty *tty); /* becomes current's controlling terminal; lock held */
void tty_hangup(struct tty *tty, bool session_ends); /* lock held */

void tty_input_init(struct tty_input *in, struct tty *tty);
/* Any context; one producer at a time. What does not fit is lost, as on a line without flow control. */
void tty_input_put(struct tty_input *in, const void *s, size_t n);
void tty_inputs_resume(struct tty *tty); /* there is room again: a device's unthrottle() */

void tty_serial_init(void);
void screen_init(void); /* after the serial ports' terminals */
void pty_init(void);
