/* The file systems that programs expect. */
#include "init.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
	const char *type, *target, *options;
	mode_t mode;
	unsigned long flags;
} mounts[] = {
	{ "devtmpfs", "/dev", "mode=0755", 0755, MS_NOSUID },
	{ "proc", "/proc", NULL, 0555, MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "tmpfs", "/tmp", "mode=1777", 01777, MS_NODEV },
	{ "tmpfs", "/dev/shm", "mode=1777", 01777, MS_NOSUID | MS_NODEV },
	{ "devpts", "/dev/pts", "ptmxmode=0666,mode=0620", 0755, MS_NOSUID | MS_NOEXEC },
};

static void link_fd(const char *target, const char *path)
{
	if (symlink(target, path) < 0 && errno != EEXIST)
		fprintf(stderr, "init: %s: %s\n", path, strerror(errno));
}

void mount_all(void)
{
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		const char *at = mounts[i].target;

		if (mkdir(at, mounts[i].mode) < 0 && errno != EEXIST)
			fprintf(stderr, "init: mkdir %s: %s\n", at, strerror(errno));
		if (mount(mounts[i].type, at, mounts[i].type, mounts[i].flags, mounts[i].options) <
			    0 &&
		    errno != EBUSY)
			fprintf(stderr, "init: mount %s on %s: %s\n", mounts[i].type, at,
				strerror(errno));
	}
	link_fd("/proc/self/fd", "/dev/fd");
	link_fd("/proc/self/fd/0", "/dev/stdin");
	link_fd("/proc/self/fd/1", "/dev/stdout");
	link_fd("/proc/self/fd/2", "/dev/stderr");
}
