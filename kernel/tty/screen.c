/*
 * The screen and its keyboard as a terminal.
 *
 * What is written goes through the emulator (vt.c) into a grid of cells at once; a kernel thread of its own
 * draws what changed and has the device show it, at most once in FRAME_NS, so that writers never wait for a
 * screen. Log lines come from any context: they are put into a ring, which whoever writes or draws next
 * empties first. In a panic nothing is drawn by the thread: screen_panic() shows all there is and no more after.
 *
 * With a serial port, and no console= to tell them apart, both are one terminal, /dev/console: what is written
 * goes to both, and both are typed on. Else the screen is a terminal of its own. It is /dev/tty0 and /dev/tty1.
 *
 * Locks: lock (RANK_DRIVER, thread context) for the emulator; keys_lock (interrupts off) for the keyboard.
 * Leaves out: more than one virtual terminal, scrollback, the ioctls of the Linux console, loadable fonts.
 */
#include <arch/time.h>
#include <core/time.h>
#include <debug/klog.h>
#include <dev/input.h>
#include <dev/video.h>
#include <lib/errno.h>
#include <lib/ring.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <mm/vmalloc.h>
#include <sched/thread.h>
#include "draw.h"
#include "font.h"
#include "internal.h"
#include "keymap.h"
#include "vt.h"

#define FRAME_NS (16 * NSEC_PER_MSEC)
#define LOG_LOOK_NS (100 * NSEC_PER_MSEC)
#define LOG_RING 32768

struct screen {
	struct spinlock lock;
	struct vt vt; /* [x] lock */
	struct video *video;
	struct canvas canvas; /* [o] the thread */
	struct vt_cell *wanted, *shown; /* [o] the thread: grids, copied and drawn */
	bool rows[VT_ROWS_MAX]; /* [o] the thread: copied since they were drawn */
	struct waitq wake;
	bool changed; /* [a] */
	bool stopped; /* [a] a panic has shown its last */

	struct ring log; /* log lock → lock */
	u8 log_buf[LOG_RING];

	struct spinlock keys_lock;
	struct keymap keymap; /* [x] keys_lock */
	struct tty_input keys; /* its ring is filled under keys_lock */
	bool answers; /* [I] to what programs ask the terminal */
	char reply[64]; /* [x] lock */
	size_t nr_reply; /* [x] lock */

	struct tty *tty, own_tty; /* [I] */
	struct chardev chardevs[2];
};

static struct screen *screen; /* [I] after screen_init(); NULL: none */

/* --- output --- */

/* Log lines that wait; lock held, or in a panic. */
static void take_log(struct screen *s)
{
	u8 *data;
	u32 n;

	while ((n = ring_span(&s->log, &data)) != 0) {
		vt_write_log(&s->vt, data, n);
		ring_skip(&s->log, n);
	}
}

static void kept_reply(struct vt *vt, const char *text, size_t n)
{
	struct screen *s = container_of(vt, struct screen, vt);

	if (!s->answers || n > sizeof(s->reply) - s->nr_reply)
		return;
	memcpy(s->reply + s->nr_reply, text, n);
	s->nr_reply += n;
}

static void type(struct screen *s, const char *text, size_t n)
{
	irqflags_t flags = spin_lock_irqsave(&s->keys_lock);

	ring_put(&s->keys.ring, text, (u32)n);
	spin_unlock_irqrestore(&s->keys_lock, flags);
	work_queue(&s->keys.work);
}

static void screen_write(const u8 *data, size_t n)
{
	struct screen *s = screen;
	char reply[sizeof(s->reply)];
	size_t nr_reply;

	spin_lock(&s->lock);
	take_log(s);
	vt_write(&s->vt, data, n);
	nr_reply = s->nr_reply;
	memcpy(reply, s->reply, nr_reply);
	s->nr_reply = 0;
	spin_unlock(&s->lock);
	if (nr_reply)
		type(s, reply, nr_reply);
	if (!__atomic_exchange_n(&s->changed, true, __ATOMIC_SEQ_CST))
		waitq_wake_one(&s->wake, 0);
}

/* --- drawing, by the thread --- */

/* Copies the rows that changed, so that drawing them needs no lock. */
static void copy_rows(struct screen *s)
{
	spin_lock(&s->lock);
	take_log(s);
	for (unsigned y = 0; y < s->vt.rows; y++) {
		if (!s->vt.dirty[y])
			continue;
		vt_look(&s->vt, y, s->wanted + (size_t)y * s->vt.cols);
		s->vt.dirty[y] = false;
		s->rows[y] = true;
	}
	spin_unlock(&s->lock);
}

static bool same(const struct vt_cell *a, const struct vt_cell *b)
{
	return a->ch == b->ch && a->fg == b->fg && a->bg == b->bg && a->attr == b->attr;
}

/* Draws the cells of row y that differ from what is shown, and widens [*from, *to) by them. */
static bool draw_row(struct screen *s, unsigned y, unsigned *from, unsigned *to)
{
	unsigned cols = s->vt.cols;
	struct vt_cell *want = s->wanted + (size_t)y * cols, *show = s->shown + (size_t)y * cols;
	bool any = false;

	for (unsigned x = 0; x < cols; x++) {
		if (same(&want[x], &show[x]))
			continue;
		draw_cell(&s->canvas, x, y, &want[x]);
		show[x] = want[x];
		*from = min(*from, x);
		*to = max(*to, x + 1);
		any = true;
	}
	return any;
}

static struct video_rect pixels_of(unsigned x0, unsigned y0, unsigned x1, unsigned y1)
{
	return (struct video_rect){ x0 * FONT_WIDTH, y0 * FONT_HEIGHT, (x1 - x0) * FONT_WIDTH,
				    (y1 - y0) * FONT_HEIGHT };
}

static void draw_changes(struct screen *s)
{
	unsigned from = s->vt.cols, to = 0, top = s->vt.rows, bottom = 0;
	struct video_rect r;

	WRITE_ONCE(s->changed, false);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* who writes from here on wakes us again */
	copy_rows(s);
	for (unsigned y = 0; y < s->vt.rows; y++) {
		if (!s->rows[y])
			continue;
		s->rows[y] = false;
		if (!draw_row(s, y, &from, &to))
			continue;
		top = min(top, y);
		bottom = y + 1;
	}
	if (to) {
		r = pixels_of(from, top, to, bottom);
		s->video->flush(s->video, &r);
	}
}

static bool something_to_draw(struct screen *s)
{
	return READ_ONCE(s->changed) || !ring_empty(&s->log);
}

static void screen_main(void *arg)
{
	struct screen *s = arg;

	for (;;) {
		waitq_wait(&s->wake, something_to_draw(s), SLEEP_UNINTERRUPTIBLE,
			   arch_clock_ns() + LOG_LOOK_NS);
		if (!something_to_draw(s))
			continue;
		draw_changes(s);
		sched_sleep_until(arch_clock_ns() + FRAME_NS, false);
	}
}

/* --- the kernel's log --- */

/* Any context, the log lock held: nothing may be woken from here. */
static void log_write(struct console *c, const char *text, size_t n)
{
	struct screen *s = screen;

	if (!READ_ONCE(s->stopped))
		ring_put(&s->log, text, (u32)n);
}

/* The other CPUs have stopped, anywhere in the code above. */
static void screen_panic(void)
{
	struct screen *s = screen;
	struct video_rect all = pixels_of(0, 0, s->vt.cols, s->vt.rows);

	if (s->stopped)
		return;
	take_log(s);
	s->stopped = true;
	for (unsigned y = 0; y < s->vt.rows; y++) {
		struct vt_cell *row = s->wanted + (size_t)y * s->vt.cols;

		vt_look(&s->vt, y, row);
		for (unsigned x = 0; x < s->vt.cols; x++)
			draw_cell(&s->canvas, x, y, &row[x]);
	}
	s->video->flush_panic(s->video, &all);
}

static struct console screen_console = { .name = "tty0",
					 .write = log_write,
					 .panic = screen_panic };

/* What was logged before there was a screen. */
static void replay_log(struct screen *s)
{
	char buf[256];
	u64 pos = 0;
	size_t n;

	while ((n = klog_read(&pos, buf, sizeof(buf))) != 0)
		vt_write_log(&s->vt, (const u8 *)buf, n);
}

/* --- the keyboard; interrupt context --- */

static void screen_key(u16 code, bool down)
{
	struct screen *s = screen;
	bool app_cursor = READ_ONCE(s->vt.modes) & VT_APP_CURSOR;
	char bytes[KEY_BYTES_MAX];
	irqflags_t flags = spin_lock_irqsave(&s->keys_lock);
	size_t n = keymap_key(&s->keymap, code, down, app_cursor, bytes);

	ring_put(&s->keys.ring, bytes, (u32)n);
	spin_unlock_irqrestore(&s->keys_lock, flags);
	if (n)
		work_queue(&s->keys.work);
}

/* --- the terminal --- */

static size_t own_write(struct tty *tty, const u8 *data, size_t n)
{
	screen_write(data, n);
	return n;
}
static size_t own_room(struct tty *tty)
{
	return 4096;
}
static void nothing(struct tty *tty)
{
}
static int own_opened(struct tty *tty)
{
	return 0;
}
static long own_ioctl(struct tty *tty, unsigned cmd, uptr_t arg)
{
	return -ENOTTY;
}

static const struct tty_device own_device = {
	.write = own_write,
	.room = own_room,
	.unthrottle = tty_inputs_resume,
	.flush_output = nothing,
	.opened = own_opened,
	.closed = nothing,
	.ioctl = own_ioctl,
};

static void add_nodes(struct screen *s)
{
	static const char *const names[] = { "tty0", "tty1" };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		s->chardevs[i] = (struct chardev){ .name = names[i],
						   .devno = DEV_NUMBER(4, i),
						   .mode = 0620,
						   .gid = 5,
						   .ops = &tty_file_ops,
						   .private = s->tty };
		chardev_register(&s->chardevs[i]);
	}
}

/* Part of the serial port's terminal, or one of its own. */
static void choose_terminal(struct screen *s)
{
	struct tty *serial = console_preferred() ? NULL : tty_console();
	struct kwinsize size = { s->vt.rows, s->vt.cols, (u16)s->video->width,
				 (u16)s->video->height };

	s->tty = serial ? serial : &s->own_tty;
	s->answers = !serial;
	if (serial) {
		serial->mirror = screen_write;
	} else {
		tty_setup(s->tty, &own_device, s, NULL);
		s->tty->devno = DEV_NUMBER(4, 1);
		s->tty->ldisc.t.c_iflag |= K_IUTF8;
		tty_console_offer(s->tty, "tty0");
		tty_console_offer(s->tty, "tty1");
	}
	mutex_lock(s->tty->lock);
	tty_set_winsize(s->tty, &size);
	mutex_unlock(s->tty->lock);
	tty_input_init(&s->keys, s->tty);
}

static int alloc_grids(struct screen *s, unsigned cols, unsigned rows)
{
	size_t size = vt_cells_size(cols, rows);
	struct vt_cell *cells = vmalloc(size), *copies = vmalloc(size);

	if (!cells || !copies) {
		vfree(cells);
		vfree(copies);
		return -ENOMEM;
	}
	vt_init(&s->vt, cols, rows, cells);
	s->wanted = copies;
	s->shown = copies + (size_t)cols * rows;
	return 0;
}

static int screen_start(struct video *v)
{
	struct screen *s = vmalloc(sizeof(*s));
	int error;

	if (!s)
		return -ENOMEM;
	error = alloc_grids(s, v->width / FONT_WIDTH, v->height / FONT_HEIGHT);
	if (error) {
		vfree(s);
		return error;
	}
	spin_init(&s->lock, "screen", RANK_DRIVER);
	spin_init(&s->keys_lock, "keyboard", RANK_DRIVER);
	waitq_init(&s->wake);
	ring_init(&s->log, s->log_buf, LOG_RING);
	draw_init(&s->canvas, v->pixels, v->width);
	s->video = v;
	s->vt.reply = kept_reply;
	s->changed = true;
	screen = s;
	if (klog_shows(LOG_INFO) && console_wanted(screen_console.name))
		replay_log(s);
	console_register(&screen_console);
	choose_terminal(s);
	add_nodes(s);
	input_key = screen_key;
	return kthread_run(NULL, "screen", screen_main, s);
}

void screen_init(void)
{
	struct video *v = video_first();
	int error = v ? screen_start(v) : 0;

	if (error)
		log_err("tty: the screen did not start (%d)", error);
}
