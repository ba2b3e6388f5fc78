/* Screens: drivers register them, tty/ draws on the first. */
#pragma once
#include <lib/types.h>

struct video_rect {
	u32 x, y, width, height;
};

struct video {
	u32 *pixels; /* [I] 0xRRGGBB, rows without gaps */
	u32 width, height;
	/* Shows what is drawn within r, and returns when the device has it. Thread context. 0; -EIO: the
	 * device refused, or does not answer. */
	int (*flush)(struct video *v, const struct video_rect *r);
	/* The same in a panic: takes no lock, waits for nothing. */
	void (*flush_panic)(struct video *v, const struct video_rect *r);
	struct video *next;
};

void video_register(struct video *v); /* by drivers, while they start */
struct video *video_first(void); /* or NULL */
