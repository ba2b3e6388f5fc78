/*
 * virtio over memory-mapped registers, version 2 and the version 1 of before 1.0.
 *
 * The platform says where devices are (<arch/pci.h>); an address with device type 0 is an empty place. One
 * interrupt line a device, acknowledged here. Manual: virtio 1.2, 4.2.
 */
#include <arch/pci.h>
#include <core/irq.h>
#include <debug/klog.h>
#include <dev/driver.h>
#include <dev/virtio.h>
#include <lib/errno.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <mm/vmalloc.h>

#define MMIO_MAGIC 0x74726976

enum mmio_reg {
	R_MAGIC = 0x00,
	R_VERSION = 0x04,
	R_DEVICE_ID = 0x08,
	R_DEVICE_FEATURES = 0x10,
	R_DEVICE_FEATURES_SEL = 0x14,
	R_DRIVER_FEATURES = 0x20,
	R_DRIVER_FEATURES_SEL = 0x24,
	R_GUEST_PAGE_SIZE = 0x28, /* version 1 */
	R_QUEUE_SEL = 0x30,
	R_QUEUE_MAX = 0x34,
	R_QUEUE_NUM = 0x38,
	R_QUEUE_ALIGN = 0x3c, /* version 1 */
	R_QUEUE_PFN = 0x40, /* version 1 */
	R_QUEUE_READY = 0x44,
	R_QUEUE_NOTIFY = 0x50,
	R_INTERRUPT_STATUS = 0x60,
	R_INTERRUPT_ACK = 0x64,
	R_STATUS = 0x70,
	R_QUEUE_DESC = 0x80,
	R_QUEUE_DRIVER = 0x90,
	R_QUEUE_DEVICE = 0xa0,
	R_CONFIG = 0x100,
};

struct virtio_mmio {
	struct virtio_device dev;
	volatile char *regs;
	struct arch_virtio_mmio where;
};

static struct virtio_mmio *to_mmio(struct virtio_device *d)
{
	return container_of(d, struct virtio_mmio, dev);
}
static u32 reg_read(struct virtio_mmio *m, unsigned reg)
{
	return *(volatile u32 *)(m->regs + reg);
}
static void reg_write(struct virtio_mmio *m, unsigned reg, u32 v)
{
	*(volatile u32 *)(m->regs + reg) = v;
}
static void reg_write64(struct virtio_mmio *m, unsigned reg, u64 v)
{
	reg_write(m, reg, (u32)v);
	reg_write(m, reg + 4, (u32)(v >> 32));
}

static u8 vm_get_status(struct virtio_device *d)
{
	return (u8)reg_read(to_mmio(d), R_STATUS);
}

static void vm_set_status(struct virtio_device *d, u8 status)
{
	reg_write(to_mmio(d), R_STATUS, status);
	while (!status && reg_read(to_mmio(d), R_STATUS))
		;
	if (!status && d->legacy)
		reg_write(to_mmio(d), R_GUEST_PAGE_SIZE, PAGE_SIZE);
}

static u64 vm_get_features(struct virtio_device *d)
{
	struct virtio_mmio *m = to_mmio(d);
	u64 low;

	reg_write(m, R_DEVICE_FEATURES_SEL, 0);
	low = reg_read(m, R_DEVICE_FEATURES);
	if (d->legacy)
		return low;
	reg_write(m, R_DEVICE_FEATURES_SEL, 1);
	return low | (u64)reg_read(m, R_DEVICE_FEATURES) << 32;
}

static void vm_set_features(struct virtio_device *d, u64 features)
{
	struct virtio_mmio *m = to_mmio(d);

	reg_write(m, R_DRIVER_FEATURES_SEL, 0);
	reg_write(m, R_DRIVER_FEATURES, (u32)features);
	if (d->legacy)
		return;
	reg_write(m, R_DRIVER_FEATURES_SEL, 1);
	reg_write(m, R_DRIVER_FEATURES, (u32)(features >> 32));
}

static void vm_config_read(struct virtio_device *d, unsigned offset, void *buf, unsigned n)
{
	volatile u8 *config = (volatile u8 *)to_mmio(d)->regs + R_CONFIG;

	if (n == 4 && !(offset & 3)) {
		*(u32 *)buf = *(volatile u32 *)(config + offset);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		((u8 *)buf)[i] = config[offset + i];
}

static u16 vm_queue_max(struct virtio_device *d, u16 index)
{
	reg_write(to_mmio(d), R_QUEUE_SEL, index);
	return (u16)reg_read(to_mmio(d), R_QUEUE_MAX);
}

static int vm_queue_start(struct virtio_device *d, struct virtq *q)
{
	struct virtio_mmio *m = to_mmio(d);

	reg_write(m, R_QUEUE_SEL, q->index);
	reg_write(m, R_QUEUE_NUM, q->size);
	if (d->legacy) {
		reg_write(m, R_QUEUE_ALIGN, PAGE_SIZE);
		reg_write(m, R_QUEUE_PFN, (u32)(virtq_desc_pa(q) >> PAGE_SHIFT));
		return 0;
	}
	reg_write64(m, R_QUEUE_DESC, virtq_desc_pa(q));
	reg_write64(m, R_QUEUE_DRIVER, virtq_avail_pa(q));
	reg_write64(m, R_QUEUE_DEVICE, virtq_used_pa(q));
	reg_write(m, R_QUEUE_READY, 1);
	return 0;
}

static void vm_queue_notify(struct virtq *q)
{
	reg_write(to_mmio(q->dev), R_QUEUE_NOTIFY, q->index);
}

static bool vm_interrupt(unsigned irq, void *arg)
{
	struct virtio_mmio *m = arg;
	u32 status = reg_read(m, R_INTERRUPT_STATUS);

	if (!status)
		return false;
	reg_write(m, R_INTERRUPT_ACK, status);
	m->dev.interrupt(&m->dev);
	return true;
}

static int vm_interrupts(struct virtio_device *d)
{
	struct virtio_mmio *m = to_mmio(d);
	int error = arch_irq_setup(m->where.irq, m->where.level, m->where.active_low);

	return error ? error : irq_request(m->where.irq, vm_interrupt, m, "virtio-mmio");
}

static const struct virtio_transport mmio_transport = {
	.get_status = vm_get_status,
	.set_status = vm_set_status,
	.get_features = vm_get_features,
	.set_features = vm_set_features,
	.config_read = vm_config_read,
	.queue_max = vm_queue_max,
	.queue_start = vm_queue_start,
	.queue_notify = vm_queue_notify,
	.interrupts = vm_interrupts,
};

/* Several devices share a page; the last page mapped is remembered, and mappings stay. */
static volatile char *map_registers(const struct arch_virtio_mmio *where)
{
	static paddr_t last_page = ~0ull;
	static char *last_map;
	paddr_t page = ALIGN_DOWN(where->base, PAGE_SIZE);

	if (where->base + where->size > page + PAGE_SIZE)
		return mmio_map(where->base, where->size);
	if (page != last_page || !last_map) {
		last_map = mmio_map(page, PAGE_SIZE);
		last_page = page;
	}
	return last_map ? last_map + (where->base - page) : NULL;
}

static int add_device(const struct arch_virtio_mmio *where)
{
	struct virtio_mmio *m = kzalloc(sizeof(*m));
	u32 version;

	if (!m)
		return -ENOMEM;
	m->regs = map_registers(where);
	m->where = *where;
	if (!m->regs) {
		kfree(m);
		return -ENOMEM;
	}
	version = reg_read(m, R_VERSION);
	m->dev.id = reg_read(m, R_DEVICE_ID);
	if (reg_read(m, R_MAGIC) != MMIO_MAGIC || version < 1 || version > 2 || !m->dev.id) {
		kfree(m);
		return 0;
	}
	m->dev.legacy = version == 1;
	m->dev.transport = &mmio_transport;
	virtio_add_device(&m->dev);
	return 0;
}

DRIVER(virtio_mmio, 21)
{
	struct arch_virtio_mmio where;
	int error = 0;

	for (unsigned i = 0; !error && arch_virtio_mmio(i, &where); i++)
		error = add_device(&where);
	return error;
}
