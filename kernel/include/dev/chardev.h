/*
 * Character devices: a registry by device number, and the operations fs/devfs adapts to open files.
 *
 * A driver fills a struct chardev once and registers it; it stays for ever. fs/ makes a node for each one
 * with a name, finds the device of an opened node with chardev_find(), and keeps a struct chardev_file per
 * open file. All operations run in thread context and may sleep.
 */
#pragma once
#include <lib/list.h>
#include <lib/types.h>
#include <mm/uio.h>

struct waitq;
struct chardev;

/* One open file of a device. */
struct chardev_file {
	const struct chardev *dev;
	dev_t devno; /* of the node that was opened */
	u32 flags; /* O_* as they are now; fs/ refreshes it before each call */
	void *private; /* the driver's */
};

/* How a poll operation names the wait queues it depends on: dev_poll_add() for each, before it looks at
 * the state. Embedded by fs/ in something of its own. p may be NULL: only asking. */
struct dev_poll {
	void (*add)(struct dev_poll *p, struct waitq *q);
};
static inline void dev_poll_add(struct dev_poll *p, struct waitq *q)
{
	if (p)
		p->add(p, q);
}

/* Missing ones give the result in brackets. read and write: bytes, or -EXXX; *pos is theirs to move. */
struct chardev_ops {
	int (*open)(struct chardev_file *cf); /* [0] */
	void (*release)(struct chardev_file *cf);
	ssize_t (*read)(struct chardev_file *cf, struct uio *to, loff_t *pos); /* [-EINVAL] */
	ssize_t (*write)(struct chardev_file *cf, struct uio *from, loff_t *pos); /* [-EINVAL] */
	loff_t (*seek)(struct chardev_file *cf, loff_t pos, loff_t off, int whence); /* [-ESPIPE] */
	u32 (*poll)(struct chardev_file *cf, struct dev_poll *p); /* EPOLL* mask [always ready] */
	long (*ioctl)(struct chardev_file *cf, unsigned cmd, uptr_t arg); /* [-ENOTTY] */
};

struct chardev {
	const char *name; /* node below /dev ("null", "vport0p1"); NULL: no node */
	const char
		*link; /* second name, a symbolic link to the first ("virtio-ports/x"); or NULL */
	dev_t devno; /* MKDEV(major, first minor) */
	unsigned count; /* minors; 0 means 1 */
	u32 mode; /* permission bits of the node */
	u32 gid;
	bool mmap_zero; /* private mappings are anonymous memory (/dev/zero) */
	const struct chardev_ops *ops;
	void *private;
	struct list all_link; /* [x] registry lock; never removed */
};

/* Device numbers: as in the ABI (12 bits of major, 20 of minor); the same as fs/stat.h's MKDEV. */
#define DEV_NUMBER(major, minor)                                                                   \
	((((u64)(minor)) & 0xff) | ((u64)(major) << 8) | (((u64)(minor) & ~0xffull) << 12))
#define DEV_MAJOR(devno) ((unsigned)(((devno) >> 8) & 0xfff))
#define DEV_MINOR(devno) ((unsigned)(((devno)&0xff) | (((devno) >> 12) & 0xfff00)))

/* Any thread context. Nodes appear in /dev at once if it is mounted (chardev_added). */
void chardev_register(struct chardev *d);
/* The device a number belongs to, or NULL (-ENXIO). */
struct chardev *chardev_find(dev_t devno);
/* The device after prev in order of registration (NULL: the first); NULL at the end. */
struct chardev *chardev_next(struct chardev *prev);
/* Set by devfs: called after each later registration. */
extern void (*chardev_added)(struct chardev *d);
