/*
 * Devices without hardware: null, zero, full, random, urandom, kmsg. Manual: null(4), full(4), random(4).
 *
 * kmsg gives one record a read, `priority,sequence,microseconds,-;text`, where the sequence is the line's
 * position in the log; a writer's text becomes a line of the log. No locks: kmsg's position belongs to the
 * open file and readers of one file are serialised by a mutex of its own.
 */
#include <arch/cpu.h>
#include <arch/time.h>
#include <debug/klog.h>
#include <dev/chardev.h>
#include <dev/driver.h>
#include <dev/random.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <sched/mutex.h>
#include <sched/thread.h>
#include <uapi/fcntl.h>
#include <uapi/poll.h>

#define MEM_MAJOR 1
#define KMSG_LINE 512
#define KMSG_POLL_MS 50
#define RANDOM_CHUNK 256

static void hardware_random(void *buf, size_t n)
{
	size_t got = arch_random(buf, n);
	u64 x = arch_clock_ns() | 1;

	for (; got < n; got++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		((u8 *)buf)[got] = (u8)(x >> 32);
	}
}
void (*dev_random_fill)(void *buf, size_t n) = hardware_random;

static ssize_t null_read(struct chardev_file *cf, struct uio *to, loff_t *pos)
{
	return 0;
}

static ssize_t null_write(struct chardev_file *cf, struct uio *from, loff_t *pos)
{
	size_t n = from->resid;

	uio_advance(from, n);
	return (ssize_t)n;
}

/* Position is without meaning; seeking succeeds. */
static loff_t null_seek(struct chardev_file *cf, loff_t pos, loff_t off, int whence)
{
	return 0;
}

static ssize_t zero_read(struct chardev_file *cf, struct uio *to, loff_t *pos)
{
	size_t want = to->resid, n = uio_zero(to, want);

	return n || !want ? (ssize_t)n : -EFAULT;
}

static ssize_t full_write(struct chardev_file *cf, struct uio *from, loff_t *pos)
{
	return from->resid ? -ENOSPC : 0;
}

static ssize_t random_read(struct chardev_file *cf, struct uio *to, loff_t *pos)
{
	u8 chunk[RANDOM_CHUNK];
	size_t done = 0;

	while (to->resid) {
		size_t n = min(to->resid, sizeof(chunk)), moved;

		dev_random_fill(chunk, n);
		moved = uio_copy_to(to, chunk, n);
		done += moved;
		if (moved < n)
			break;
		if (thread_test_flag(current, TF_SIGNAL) && done >= RANDOM_CHUNK)
			break;
		sched_point();
	}
	return done || !to->resid ? (ssize_t)done : -EFAULT;
}

struct kmsg_file {
	struct mutex lock;
	u64 pos;
	char line[KMSG_LINE], record[KMSG_LINE + 64];
};

static int kmsg_open(struct chardev_file *cf)
{
	struct kmsg_file *k = kzalloc(sizeof(*k));

	if (!k)
		return -ENOMEM;
	mutex_init(&k->lock, "kmsg", RANK_TTY);
	cf->private = k;
	return 0;
}

static void kmsg_release(struct chardev_file *cf)
{
	kfree(cf->private);
}

/* The next whole line of the log into k->line; its length, 0 when there is none yet. */
static size_t kmsg_next(struct kmsg_file *k, u64 *seq)
{
	u64 pos = k->pos;
	size_t n = klog_read(&pos, k->line, sizeof(k->line) - 1);
	char *end;

	if (!n)
		return 0;
	*seq = pos - n;
	k->line[n] = 0;
	end = memchr(k->line, '\n', n);
	n = end ? (size_t)(end - k->line) : n;
	k->line[n] = 0;
	k->pos = *seq + n + (end != NULL);
	return n + 1;
}

/* A log line is "[sssss.uuuuuu] cpu: text". */
static int kmsg_format(struct kmsg_file *k, u64 seq)
{
	const char *p = k->line, *text = strstr(k->line, "] ");
	u64 us = 0;

	for (; *p && *p != ']'; p++)
		if (*p >= '0' && *p <= '9')
			us = us * 10 + (u64)(*p - '0');
	return scnprintf(k->record, sizeof(k->record), "6,%llu,%llu,-;%s\n", seq, us,
			 text ? text + 2 : k->line);
}

static ssize_t kmsg_read_locked(struct chardev_file *cf, struct uio *to)
{
	struct kmsg_file *k = cf->private;
	u64 seq, before = k->pos;
	int len;

	while (!kmsg_next(k, &seq)) {
		if (cf->flags & O_NONBLOCK)
			return -EAGAIN;
		if (sched_sleep_until(arch_clock_ns() + KMSG_POLL_MS * NSEC_PER_MSEC, true))
			return -ERESTARTSYS;
		before = k->pos;
	}
	len = kmsg_format(k, seq);
	if ((size_t)len > to->resid) {
		k->pos = before;
		return -EINVAL;
	}
	return uio_copy_to(to, k->record, (size_t)len) == (size_t)len ? len : -EFAULT;
}

static ssize_t kmsg_read(struct chardev_file *cf, struct uio *to, loff_t *pos)
{
	struct kmsg_file *k = cf->private;
	ssize_t n;

	mutex_lock(&k->lock);
	n = kmsg_read_locked(cf, to);
	mutex_unlock(&k->lock);
	return n;
}

static ssize_t kmsg_write(struct chardev_file *cf, struct uio *from, loff_t *pos)
{
	char text[256];
	size_t want = from->resid, n = min(want, sizeof(text) - 1);
	const char *s = text;

	n = uio_copy_from(from, text, n);
	if (!n)
		return want ? -EFAULT : 0;
	text[n] = 0;
	if (*s == '<' && strchr(s, '>'))
		s = strchr(s, '>') + 1;
	klog(LOG_INFO, "%s", s);
	uio_advance(from, from->resid);
	return (ssize_t)want;
}

static loff_t kmsg_seek(struct chardev_file *cf, loff_t pos, loff_t off, int whence)
{
	struct kmsg_file *k = cf->private;
	char skip[64];

	if (off)
		return -EINVAL;
	if (whence == 0 || whence == 3) { /* SEEK_SET, SEEK_DATA */
		k->pos = 0;
	} else if (whence == 2) {
		while (klog_read(&k->pos, skip, sizeof(skip)))
			;
	} else {
		return -EINVAL;
	}
	return 0;
}

static const struct chardev_ops null_ops = { .read = null_read,
					     .write = null_write,
					     .seek = null_seek };
static const struct chardev_ops zero_ops = { .read = zero_read,
					     .write = null_write,
					     .seek = null_seek };
static const struct chardev_ops full_ops = { .read = zero_read,
					     .write = full_write,
					     .seek = null_seek };
static const struct chardev_ops random_ops = { .read = random_read,
					       .write = null_write,
					       .seek = null_seek };
static const struct chardev_ops kmsg_ops = { .open = kmsg_open,
					     .release = kmsg_release,
					     .read = kmsg_read,
					     .write = kmsg_write,
					     .seek = kmsg_seek };

static struct chardev mem_devices[] = {
	{ .name = "null", .devno = DEV_NUMBER(MEM_MAJOR, 3), .mode = 0666, .ops = &null_ops },
	{ .name = "zero",
	  .devno = DEV_NUMBER(MEM_MAJOR, 5),
	  .mode = 0666,
	  .ops = &zero_ops,
	  .mmap_zero = true },
	{ .name = "full", .devno = DEV_NUMBER(MEM_MAJOR, 7), .mode = 0666, .ops = &full_ops },
	{ .name = "random", .devno = DEV_NUMBER(MEM_MAJOR, 8), .mode = 0666, .ops = &random_ops },
	{ .name = "urandom", .devno = DEV_NUMBER(MEM_MAJOR, 9), .mode = 0666, .ops = &random_ops },
	{ .name = "kmsg", .devno = DEV_NUMBER(MEM_MAJOR, 11), .mode = 0644, .ops = &kmsg_ops },
};

DRIVER(mem, DRIVER_BASIC)
{
	for (unsigned i = 0; i < ARRAY_SIZE(mem_devices); i++)
		chardev_register(&mem_devices[i]);
	return 0;
}
