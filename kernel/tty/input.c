/*
 * Bytes from interrupts to line disciplines.
 *
 * The interrupt fills a ring; a work item gives the bytes to the terminal under its lock, as far as there is
 * room, and goes on when somebody has read. A terminal may have several such sources.
 */
#include "internal.h"

static void input_work(struct work *w)
{
	struct tty_input *in = container_of(w, struct tty_input, work);
	u8 *data;
	u32 n;

	mutex_lock(in->tty->lock);
	while ((n = ring_span(&in->ring, &data)) != 0) {
		size_t taken = tty_receive(in->tty, data, n);

		if (!taken)
			break;
		ring_skip(&in->ring, (u32)taken);
	}
	mutex_unlock(in->tty->lock);
}

void tty_input_init(struct tty_input *in, struct tty *tty)
{
	in->tty = tty;
	ring_init(&in->ring, in->buf, TTY_INPUT_SIZE);
	work_init(&in->work, input_work);
	in->next = tty->inputs;
	tty->inputs = in;
}

void tty_input_put(struct tty_input *in, const void *s, size_t n)
{
	ring_put(&in->ring, s, (u32)n);
	work_queue(&in->work);
}

void tty_inputs_resume(struct tty *tty)
{
	for (struct tty_input *in = tty->inputs; in; in = in->next)
		if (!ring_empty(&in->ring))
			work_queue(&in->work);
}
