/*
 * virtio input devices: events of keys are handed on, those of pointers are not for anybody yet.
 *
 * The event queue holds small buffers that the device fills one for each event, and gets back. Order among
 * them is kept: one interrupt at a time reads them, under the lock, and reports them without it. Leaves out
 * the status queue (lights) and repeating, which the host does. Manual: virtio 1.2, 5.8.
 */
#include <arch/mmu.h>
#include <core/spinlock.h>
#include <debug/klog.h>
#include <dev/driver.h>
#include <dev/input.h>
#include <dev/virtio.h>
#include <lib/errno.h>
#include <mm/slab.h>

#define NR_EVENTS 64
#define EV_KEY 1

struct input_event {
	u16 type, code;
	u32 value;
};

struct input_device {
	struct virtq *queue; /* [x] lock */
	struct spinlock lock;
	struct input_event events[NR_EVENTS]; /* the device's, but those in hand */
};

void (*input_key)(u16 code, bool down);
unsigned input_devices;

static void offer(struct input_device *in, struct input_event *e)
{
	struct virtq_buf buf = { virt_to_phys(e), sizeof(*e) };

	if (virtq_add(in->queue, &buf, 0, 1, e))
		log_warn_once("virtio-input: an event buffer was lost");
}

/* Copies what has come, at most NR_EVENTS; how many. */
static unsigned collect(struct input_device *in, struct input_event *out)
{
	irqflags_t flags = spin_lock_irqsave(&in->lock);
	struct input_event *e;
	unsigned n = 0;

	while (n < NR_EVENTS && (e = virtq_get(in->queue, NULL))) {
		out[n++] = *e;
		offer(in, e);
	}
	virtq_kick(in->queue);
	spin_unlock_irqrestore(&in->lock, flags);
	return n;
}

static void input_interrupt(struct virtio_device *d)
{
	struct input_event events[NR_EVENTS];
	struct input_device *in = d->driver;

	do {
		unsigned n = collect(in, events);

		for (unsigned i = 0; i < n; i++)
			if (events[i].type == EV_KEY && input_key)
				input_key(events[i].code, events[i].value != 0);
	} while (virtq_enable_interrupts(in->queue));
}

static int input_start(struct virtio_device *d)
{
	struct input_device *in = kzalloc(sizeof(*in));
	int error;

	if (!in)
		return -ENOMEM;
	spin_init(&in->lock, "virtio-input", RANK_DRIVER);
	d->driver = in;
	error = virtio_begin(d, 0, input_interrupt);
	if (!error)
		error = virtio_queue_create(d, 0, NR_EVENTS, &in->queue);
	if (error) {
		virtio_fail(d);
		return error;
	}
	for (unsigned i = 0; i < min_t(unsigned, NR_EVENTS, in->queue->size); i++)
		offer(in, &in->events[i]);
	virtq_enable_interrupts(in->queue);
	virtio_ready(d);
	virtq_kick(in->queue);
	input_devices++;
	return 0;
}

DRIVER(virtio_input, DRIVER_CLASS)
{
	struct virtio_device *d = NULL;
	int error = 0;

	while (!error && (d = virtio_next(d, VIRTIO_INPUT)))
		error = input_start(d);
	if (input_devices)
		log_info("virtio-input: %u devices", input_devices);
	return error;
}
