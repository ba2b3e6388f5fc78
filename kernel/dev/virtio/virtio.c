/*
 * virtio devices: the list that transports fill, and the steps of starting one. Manual: virtio 1.2, 3.1.
 *
 * The list is complete before the drivers run (DRIVER_BUS before DRIVER_CLASS); no locks.
 */
#include <dev/virtio.h>
#include <lib/errno.h>

enum {
	STATUS_ACK = 1,
	STATUS_DRIVER = 2,
	STATUS_DRIVER_OK = 4,
	STATUS_FEATURES_OK = 8,
	STATUS_FAILED = 128
};

static DEFINE_LIST(devices);

void virtio_add_device(struct virtio_device *d)
{
	list_add_tail(&d->link, &devices);
}

struct virtio_device *virtio_next(struct virtio_device *prev, u32 id)
{
	struct list *l = prev ? prev->link.next : devices.next;

	for (; l != &devices; l = l->next) {
		struct virtio_device *d = list_entry(l, struct virtio_device, link);

		if (d->id == id && !d->driver)
			return d;
	}
	return NULL;
}

static void add_status(struct virtio_device *d, u8 bits)
{
	d->transport->set_status(d, d->transport->get_status(d) | bits);
}

int virtio_begin(struct virtio_device *d, u64 wanted, void (*interrupt)(struct virtio_device *))
{
	u64 offered;

	d->transport->set_status(d, 0);
	add_status(d, STATUS_ACK);
	add_status(d, STATUS_DRIVER);
	offered = d->transport->get_features(d);
	d->features = offered & (wanted | (d->legacy ? 0 : VIRTIO_F_VERSION_1));
	d->transport->set_features(d, d->features);
	if (!d->legacy) {
		add_status(d, STATUS_FEATURES_OK);
		if (!(d->transport->get_status(d) & STATUS_FEATURES_OK)) {
			virtio_fail(d);
			return -ENODEV;
		}
	}
	d->interrupt = interrupt;
	return d->transport->interrupts(d);
}

void virtio_ready(struct virtio_device *d)
{
	add_status(d, STATUS_DRIVER_OK);
}

void virtio_fail(struct virtio_device *d)
{
	add_status(d, STATUS_FAILED);
}

u16 virtio_config_u16(struct virtio_device *d, unsigned offset)
{
	u16 v;

	d->transport->config_read(d, offset, &v, sizeof(v));
	return v;
}

u32 virtio_config_u32(struct virtio_device *d, unsigned offset)
{
	u32 v;

	d->transport->config_read(d, offset, &v, sizeof(v));
	return v;
}

u64 virtio_config_u64(struct virtio_device *d, unsigned offset)
{
	return virtio_config_u32(d, offset) | (u64)virtio_config_u32(d, offset + 4) << 32;
}
