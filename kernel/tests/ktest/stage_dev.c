/* Stages of dev/: registries, buses, rings, block requests. They use what the machine has, and fake devices. */
#include <arch/pci.h>
#include <core/irq.h>
#include <debug/stage.h>
#include <dev/block.h>
#include <dev/chardev.h>
#include <dev/pci.h>
#include <dev/serial.h>
#include <dev/virtio.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <stages_gen.h>

/* --- character devices --- */

int stage_dev_registry(struct stage *s)
{
	struct chardev *null = chardev_find(DEV_NUMBER(1, 3)),
		       *pts = chardev_find(DEV_NUMBER(136, 0));
	unsigned n = 0;

	STAGE_CHECK(s, null && !strcmp(null->name, "null"));
	STAGE_CHECK(s, pts && pts == chardev_find(DEV_NUMBER(136, pts->count - 1)));
	STAGE_CHECK(s, chardev_find(DEV_NUMBER(136, pts->count)) != pts);
	STAGE_CHECK(s, !chardev_find(DEV_NUMBER(4000, 1)));
	for (struct chardev *d = chardev_next(NULL); d; d = chardev_next(d), n++)
		STAGE_CHECK(s, chardev_find(d->devno) == d);
	STAGE_CHECK(s, n >= 6);
	return 0;
}

static ssize_t transfer(unsigned minor, void *buf, size_t n, bool write)
{
	struct chardev *d = chardev_find(DEV_NUMBER(1, minor));
	struct chardev_file cf = { .dev = d };
	struct uio u;
	loff_t pos = 0;

	uio_init_kernel(&u, buf, n);
	return write ? d->ops->write(&cf, &u, &pos) : d->ops->read(&cf, &u, &pos);
}

int stage_dev_mem(struct stage *s)
{
	u8 a[64], b[64];

	memset(a, 0x55, sizeof(a));
	STAGE_CHECK_EQ(s, transfer(3, a, sizeof(a), false), 0);
	STAGE_CHECK_EQ(s, transfer(3, a, sizeof(a), true), sizeof(a));
	STAGE_CHECK_EQ(s, transfer(5, a, sizeof(a), false), sizeof(a));
	for (unsigned i = 0; i < sizeof(a); i++)
		STAGE_CHECK_EQ(s, a[i], 0);
	STAGE_CHECK_EQ(s, transfer(7, a, sizeof(a), true), -ENOSPC);
	STAGE_CHECK_EQ(s, transfer(9, a, sizeof(a), false), sizeof(a));
	STAGE_CHECK_EQ(s, transfer(9, b, sizeof(b), false), sizeof(b));
	STAGE_CHECK(s, memcmp(a, b, sizeof(a)) != 0);
	return 0;
}

/* --- buses --- */

int stage_pci_bus(struct stage *s)
{
	unsigned n = 0;

	if (!arch_pci_present())
		return stage_skip(s, "this machine has no PCI");
	for (struct pci_device *d = pci_next(NULL); d; d = pci_next(d), n++) {
		STAGE_CHECK_EQ(s, pci_read(d, 0, 2), d->vendor);
		for (unsigned i = 0; i < ARRAY_SIZE(d->bars); i++) {
			if (!d->bars[i].base)
				continue;
			STAGE_CHECK(s, is_pow2(d->bars[i].size));
			STAGE_CHECK(s, IS_ALIGNED(d->bars[i].base, d->bars[i].size));
		}
	}
	STAGE_CHECK(s, n > 0);
	STAGE_CHECK_EQ(s, arch_pci_read(0, 31 << 3 | 7, 0, 2), 0xffff);
	return 0;
}

int stage_msi_alloc(struct stage *s)
{
	struct arch_msi a, b, again;
	int error = arch_msi_alloc(MSI_NO_DEVICE, &a);

	if (error == -ENOSPC)
		return stage_skip(s, "the interrupt controller takes no messages");
	STAGE_CHECK_EQ(s, error, 0);
	STAGE_CHECK_EQ(s, arch_msi_alloc(MSI_NO_DEVICE, &b), 0);
	STAGE_CHECK(s, a.irq != b.irq && a.data != b.data && a.irq < NR_IRQS && b.irq < NR_IRQS);
	arch_msi_free(a.irq);
	STAGE_CHECK_EQ(s, arch_msi_alloc(MSI_NO_DEVICE, &again), 0);
	STAGE_CHECK(s, again.irq == a.irq && again.data == a.data && again.address == a.address);
	arch_msi_free(again.irq);
	arch_msi_free(b.irq);
	return 0;
}

/* --- virtqueues, with the device's part played here --- */

static unsigned notified;

static u16 fake_max(struct virtio_device *d, u16 index)
{
	return index ? 0 : 8;
}
static int fake_start(struct virtio_device *d, struct virtq *q)
{
	return 0;
}
static void fake_notify(struct virtq *q)
{
	notified++;
}
static const struct virtio_transport fake_transport = { .queue_max = fake_max,
							.queue_start = fake_start,
							.queue_notify = fake_notify };

/* Consumes the entry at `at` of the available ring. */
static u16 fake_consume(struct virtq *q, u16 at, u32 len)
{
	u16 head = q->avail->ring[at % q->size];

	q->used->ring[at % q->size] = (struct virtq_used_elem){ head, len };
	__atomic_store_n(&q->used->idx, (u16)(at + 1), __ATOMIC_RELEASE);
	return head;
}

static int ring_rounds(struct stage *s, struct virtq *q)
{
	struct virtq_buf bufs[3] = { { 0x1000, 16 }, { 0x2000, 32 }, { 0x3000, 64 } };
	u32 len = 0;

	for (u16 i = 0; i < 100; i++) {
		unsigned before = notified;
		u16 head;

		STAGE_CHECK_EQ(s, virtq_add(q, bufs, 1, 2, &bufs[i % 3]), 0);
		virtq_kick(q);
		STAGE_CHECK_EQ(s, notified, before + 1);
		STAGE_CHECK(s, !virtq_get(q, NULL));
		head = fake_consume(q, i, i);
		STAGE_CHECK_EQ(s, q->desc[head].flags, 1);
		STAGE_CHECK_EQ(s, q->desc[q->desc[head].next].flags, 3);
		STAGE_CHECK(s, virtq_get(q, &len) == &bufs[i % 3]);
		STAGE_CHECK_EQ(s, len, i);
		STAGE_CHECK_EQ(s, q->nr_free, q->size);
	}
	for (unsigned i = 0; i < q->size; i++)
		STAGE_CHECK_EQ(s, virtq_add(q, bufs, 1, 0, bufs), 0);
	STAGE_CHECK_EQ(s, virtq_add(q, bufs, 1, 0, bufs), -ENOSPC);
	return 0;
}

int stage_virtqueue(struct stage *s)
{
	struct virtio_device dev = { .transport = &fake_transport };
	struct virtq *q;
	int result;

	STAGE_CHECK_EQ(s, virtio_queue_create(&dev, 1, 8, &q), -ENOENT);
	STAGE_CHECK_EQ(s, virtio_queue_create(&dev, 0, 256, &q), 0);
	STAGE_CHECK_EQ(s, q->size, 8);
	result = ring_rounds(s, q);
	page_free(virt_to_page(q->desc), 1);
	kfree(q->tokens);
	kfree(q);
	return result;
}

/* --- block --- */

#define RAM_SECTORS 64
static u8 *ram;

static void ram_submit(struct blockdev *b, struct block_request *r)
{
	u8 *at = ram + r->sector * SECTOR_SIZE;

	for (unsigned i = 0; i < r->nr_segments; i++) {
		void *mem = phys_to_virt(r->segments[i].pa);

		if (r->op == BLOCK_WRITE)
			memcpy(at, mem, r->segments[i].len);
		else
			memcpy(mem, at, r->segments[i].len);
		at += r->segments[i].len;
	}
	block_complete(r, 0);
}

static int block_rounds(struct stage *s, struct blockdev *b, u8 *buf)
{
	STAGE_CHECK_EQ(s, block_rw(b, BLOCK_WRITE, 4, buf, 4096), 0);
	memset(buf, 0, 4096);
	STAGE_CHECK_EQ(s, block_rw(b, BLOCK_READ, 4, buf, 4096), 0);
	for (unsigned i = 0; i < 4096; i++)
		STAGE_CHECK_EQ(s, buf[i], (u8)(i * 7));
	STAGE_CHECK_EQ(s, block_flush(b), 0);
	STAGE_CHECK_EQ(s, block_rw(b, BLOCK_READ, RAM_SECTORS - 7, buf, 4096), -EIO);
	STAGE_CHECK_EQ(s, block_rw(b, BLOCK_WRITE, RAM_SECTORS, buf, 512), -ENOSPC);
	STAGE_CHECK_EQ(s, block_rw(b, BLOCK_READ, ~0ull, buf, 512), -EIO);
	STAGE_CHECK_EQ(s, block_rw(b, BLOCK_READ, 0, buf, 100), -EINVAL);
	b->read_only = true;
	STAGE_CHECK_EQ(s, block_rw(b, BLOCK_WRITE, 0, buf, 512), -EROFS);
	return 0;
}

int stage_block_requests(struct stage *s)
{
	static const struct blockdev_ops ops = { .submit = ram_submit };
	struct blockdev b = {
		.name = "ram", .nr_sectors = RAM_SECTORS, .block_size = 512, .ops = &ops
	};
	u8 *buf = kmalloc(4096, 0);
	int result = -ENOMEM;

	ram = kzalloc(RAM_SECTORS * SECTOR_SIZE);
	if (ram && buf) {
		for (unsigned i = 0; i < 4096; i++)
			buf[i] = (u8)(i * 7);
		result = block_rounds(s, &b, buf);
	}
	kfree(buf);
	kfree(ram);
	return result;
}

int stage_virtio_disk(struct stage *s)
{
	struct blockdev *b = blockdev_find_name("vda");
	u8 *one = kmalloc(8192, 0), *two = kmalloc(8192, 0);
	int error = 0;

	if (!b)
		return stage_skip(s, "this machine has no disk");
	STAGE_CHECK(s, one && two && b->nr_sectors >= 16);
	for (unsigned i = 0; i < 50 && !error; i++) {
		error = block_rw(b, BLOCK_READ, 0, one, 8192);
		if (!error)
			error = block_rw(b, BLOCK_READ, 8, two, 4096);
		if (!error && memcmp(one + 4096, two, 4096))
			error = stage_fail(s, "two reads of the same sectors differ");
	}
	kfree(one);
	kfree(two);
	return error;
}

int stage_serial_port(struct stage *s)
{
	struct serial_port *p = serial_next(NULL);

	if (!p)
		return stage_skip(s, "this machine has no serial port");
	STAGE_CHECK(s, p->receive && p->tty);
	STAGE_CHECK(s, chardev_find(p->devno) && chardev_find(DEV_NUMBER(5, 1)));
	return 0;
}
