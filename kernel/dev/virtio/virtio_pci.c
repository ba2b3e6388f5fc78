/*
 * virtio over PCI, as of 1.0 (transitional devices through the same registers).
 *
 * Vendor capabilities say in which BAR the common, notification and device registers lie. All interrupts
 * of a device come by one MSI-X vector; the driver looks at its queues. Manual: virtio 1.2, 4.1.
 */
#include <core/irq.h>
#include <debug/klog.h>
#include <dev/driver.h>
#include <dev/pci.h>
#include <dev/virtio.h>
#include <lib/errno.h>
#include <mm/slab.h>

#define VIRTIO_VENDOR 0x1af4
#define DEVICE_FIRST 0x1000
#define DEVICE_MODERN 0x1040
#define DEVICE_LAST 0x107f
#define NO_VECTOR 0xffff
enum { CAP_COMMON = 1, CAP_NOTIFY = 2, CAP_ISR = 3, CAP_DEVICE = 4 };

struct common_config {
	u32 device_feature_select, device_feature, driver_feature_select, driver_feature;
	u16 config_msix_vector, num_queues;
	u8 device_status, config_generation;
	u16 queue_select, queue_size, queue_msix_vector, queue_enable, queue_notify_off;
	u32 queue_desc_low, queue_desc_high, queue_avail_low, queue_avail_high, queue_used_low,
		queue_used_high;
};

struct virtio_pci {
	struct virtio_device dev;
	struct pci_device *pci;
	volatile struct common_config *common;
	volatile u8 *config; /* may be NULL: none */
	u32 config_len;
	char *notify;
	u32 notify_multiplier;
};

static struct virtio_pci *to_pci(struct virtio_device *d)
{
	return container_of(d, struct virtio_pci, dev);
}

static u8 vp_get_status(struct virtio_device *d)
{
	return to_pci(d)->common->device_status;
}

static void vp_set_status(struct virtio_device *d, u8 status)
{
	volatile struct common_config *c = to_pci(d)->common;

	c->device_status = status;
	while (!status && c->device_status)
		;
}

static u64 vp_get_features(struct virtio_device *d)
{
	volatile struct common_config *c = to_pci(d)->common;
	u64 low;

	c->device_feature_select = 0;
	low = c->device_feature;
	c->device_feature_select = 1;
	return low | (u64)c->device_feature << 32;
}

static void vp_set_features(struct virtio_device *d, u64 features)
{
	volatile struct common_config *c = to_pci(d)->common;

	c->driver_feature_select = 0;
	c->driver_feature = (u32)features;
	c->driver_feature_select = 1;
	c->driver_feature = (u32)(features >> 32);
}

static void vp_config_read(struct virtio_device *d, unsigned offset, void *buf, unsigned n)
{
	struct virtio_pci *vp = to_pci(d);

	for (unsigned i = 0; i < n; i++)
		((u8 *)buf)[i] =
			vp->config && offset + i < vp->config_len ? vp->config[offset + i] : 0;
}

static u16 vp_queue_max(struct virtio_device *d, u16 index)
{
	volatile struct common_config *c = to_pci(d)->common;

	c->queue_select = index;
	return c->queue_select == index ? c->queue_size : 0;
}

static int vp_queue_start(struct virtio_device *d, struct virtq *q)
{
	struct virtio_pci *vp = to_pci(d);
	volatile struct common_config *c = vp->common;

	c->queue_select = q->index;
	c->queue_size = q->size;
	c->queue_desc_low = (u32)virtq_desc_pa(q);
	c->queue_desc_high = (u32)(virtq_desc_pa(q) >> 32);
	c->queue_avail_low = (u32)virtq_avail_pa(q);
	c->queue_avail_high = (u32)(virtq_avail_pa(q) >> 32);
	c->queue_used_low = (u32)virtq_used_pa(q);
	c->queue_used_high = (u32)(virtq_used_pa(q) >> 32);
	c->queue_msix_vector = 0;
	if (c->queue_msix_vector == NO_VECTOR)
		return -ENOSPC;
	q->notify = vp->notify + (u32)c->queue_notify_off * vp->notify_multiplier;
	c->queue_enable = 1;
	return 0;
}

static void vp_queue_notify(struct virtq *q)
{
	*(volatile u16 *)q->notify = q->index;
}

static bool vp_interrupt(unsigned irq, void *arg)
{
	struct virtio_pci *vp = arg;

	vp->dev.interrupt(&vp->dev);
	return true;
}

static int vp_interrupts(struct virtio_device *d)
{
	struct virtio_pci *vp = to_pci(d);
	unsigned irq;
	int error = pci_msix_setup(vp->pci, 0, &irq);

	if (error)
		return error;
	error = irq_request(irq, vp_interrupt, vp, "virtio-pci");
	if (error)
		pci_msix_release(vp->pci, 0, irq);
	else
		vp->common->config_msix_vector = 0;
	return error;
}

static const struct virtio_transport pci_transport = {
	.get_status = vp_get_status,
	.set_status = vp_set_status,
	.get_features = vp_get_features,
	.set_features = vp_set_features,
	.config_read = vp_config_read,
	.queue_max = vp_queue_max,
	.queue_start = vp_queue_start,
	.queue_notify = vp_queue_notify,
	.interrupts = vp_interrupts,
};

/* The registers a vendor capability describes; NULL when they do not lie within their BAR. */
static char *map_cap(struct pci_device *p, unsigned cap, u32 *len)
{
	unsigned bar = pci_read(p, cap + 4, 1);
	u32 offset = pci_read(p, cap + 8, 4);
	char *base;

	*len = pci_read(p, cap + 12, 4);
	if (bar >= ARRAY_SIZE(p->bars) || (u64)offset + *len > p->bars[bar].size)
		return NULL;
	base = pci_map_bar(p, bar);
	return base ? base + offset : NULL;
}

static void read_caps(struct virtio_pci *vp)
{
	struct pci_device *p = vp->pci;

	for (unsigned cap = 0; (cap = pci_find_cap(p, PCI_CAP_VENDOR, cap)) != 0;) {
		u8 type = (u8)pci_read(p, cap + 3, 1);
		char *regs;
		u32 len;

		if (type != CAP_COMMON && type != CAP_NOTIFY && type != CAP_DEVICE)
			continue;
		regs = map_cap(p, cap, &len);
		if (type == CAP_COMMON && !vp->common && len >= sizeof(struct common_config)) {
			vp->common = (volatile struct common_config *)regs;
		} else if (type == CAP_NOTIFY && !vp->notify) {
			vp->notify = regs;
			vp->notify_multiplier = pci_read(p, cap + 16, 4);
		} else if (type == CAP_DEVICE && !vp->config) {
			vp->config = (volatile u8 *)regs;
			vp->config_len = len;
		}
	}
}

static void add_device(struct pci_device *p)
{
	struct virtio_pci *vp = kzalloc(sizeof(*vp));

	if (!vp)
		return;
	vp->pci = p;
	vp->dev.transport = &pci_transport;
	vp->dev.id = p->device >= DEVICE_MODERN ? p->device - DEVICE_MODERN : pci_read(p, 0x2e, 2);
	pci_enable(p);
	read_caps(vp);
	if (!vp->common || !vp->notify) {
		log_warn("virtio: %02x:%02x.%u has no 1.0 registers, ignored", p->bus,
			 p->devfn >> 3, p->devfn & 7);
		kfree(vp);
		return;
	}
	virtio_add_device(&vp->dev);
}

/* Behind the PCI enumeration in link order of the same class: its own order says so. */
DRIVER(virtio_pci, 21)
{
	for (struct pci_device *p = pci_next(NULL); p; p = pci_next(p))
		if (p->vendor == VIRTIO_VENDOR && p->device >= DEVICE_FIRST &&
		    p->device <= DEVICE_LAST)
			add_device(p);
	return 0;
}
