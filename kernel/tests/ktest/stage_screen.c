/* Stages of the screen: the emulator as it is built into the kernel, and the devices if there are any. */
#include <debug/stage.h>
#include <dev/chardev.h>
#include <dev/input.h>
#include <dev/video.h>
#include <lib/string.h>
#include <mm/slab.h>
#include "../../tty/vt.h"

#define COLS 20
#define ROWS 4

static int check_grid(struct stage *s, struct vt *vt)
{
	static const char red[] = "\033[H\033[31;1mred";
	static const char text[] =
		"\033[2J\033[H\033[31;1mred\033[m\r\n\033[2;5Hx\r\n\n\n\n\303\251";

	vt_write(vt, (const u8 *)text, sizeof(text) - 1);
	STAGE_CHECK_EQ(s, vt_row(vt, 3)[0].ch, 0xe9);
	STAGE_CHECK_EQ(s, vt->cursor.x, 1);
	STAGE_CHECK_EQ(s, vt_row(vt, 0)[0].ch, 0); /* two lines have scrolled away */
	vt_write(vt, (const u8 *)red, sizeof(red) - 1);
	STAGE_CHECK_EQ(s, vt_row(vt, 0)[2].ch, 'd');
	STAGE_CHECK_EQ(s, vt_row(vt, 0)[2].fg, 1);
	STAGE_CHECK_EQ(s, vt_row(vt, 0)[2].attr, VT_BOLD);
	return 0;
}

int stage_screen_emulator(struct stage *s)
{
	struct vt *vt = kzalloc(sizeof(*vt));
	struct vt_cell *cells = kzalloc(vt_cells_size(COLS, ROWS));
	int result;

	if (!vt || !cells) {
		result = stage_fail(s, "out of memory");
	} else {
		vt_init(vt, COLS, ROWS, cells);
		result = check_grid(s, vt);
	}
	kfree(cells);
	kfree(vt);
	return result;
}

int stage_screen_device(struct stage *s)
{
	struct video *v = video_first();
	struct video_rect corner = { 0, 0, 8, 16 }, all, outside;

	if (!v)
		return stage_skip(s, "this machine has no screen");
	STAGE_CHECK(s, v->width >= 64 && v->height >= 64 && v->pixels);
	all = (struct video_rect){ 0, 0, v->width, v->height };
	outside = (struct video_rect){ v->width, 0, 8, 16 };
	for (unsigned i = 0; i < 20; i++)
		STAGE_CHECK_EQ(s, v->flush(v, i & 1 ? &corner : &all), 0);
	STAGE_CHECK(s, v->flush(v, &outside) < 0);
	STAGE_CHECK_EQ(s, v->flush(v, &corner), 0);
	return 0;
}

int stage_keyboard_device(struct stage *s)
{
	if (!input_devices)
		return stage_skip(s, "this machine has no keyboard");
	if (!video_first())
		return stage_skip(s, "this machine has no screen to type at");
	STAGE_CHECK(s, input_key);
	STAGE_CHECK(s, chardev_find(DEV_NUMBER(4, 0)) && chardev_find(DEV_NUMBER(4, 1)));
	STAGE_CHECK(s, chardev_find(DEV_NUMBER(4, 0))->private ==
			       chardev_find(DEV_NUMBER(4, 1))->private);
	return 0;
}
