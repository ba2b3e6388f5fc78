/*
 * Messages of a GICv3: LPIs, whose state is in memory, and which device raises which.
 *
 * An LPI's INTID is 8192 plus its irq number, so that the low ten bits, which are what entry code looks at, are that
 * number. One table of a byte for each LPI (enabled, priority) is everybody's; each CPU's redistributor has one of
 * bits, which LPIs are pending, that nobody else touches. A device that has messages has a table of events; the
 * number of an event is the word it writes. All go to the boot CPU until lpi_route() moves them.
 *
 * lpi_mutex guards devices and numbers. An LPI's place (device, event) is its user's from lpi_alloc() to lpi_free(),
 * and is read without. Manual: IHI 0069E, 5.1 (LPIs), 9.11 (GICR registers).
 */
#include <arch/cpu.h>
#include <asm/gic.h>
#include <debug/klog.h>
#include <lib/bitmap.h>
#include <lib/errno.h>
#include <lib/list.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <sched/mutex.h>
#include "cache.h"
#include "dt.h"
#include "gic_msi.h"

enum { GICD_TYPER = 0x4 };
enum gicr { GICR_CTLR = 0x0, GICR_PROPBASER = 0x70, GICR_PENDBASER = 0x78 };
#define GICD_TYPER_LPIS BIT(17)
#define GICD_TYPER_ID_BITS(t) (((t) >> 19 & 31) + 1)
#define GICR_CTLR_LPIS 0x1u
#define GICR_CTLR_RWP 0x8u
#define PENDBASER_ZERO BIT(62) /* the table holds zeroes */
#define BASE_CACHE 7
#define LPI_FIRST 8192u
#define ID_BITS 14 /* of INTIDs: the fewest with which there are LPIs */
#define CONFIG_ORDER 1 /* a byte for each INTID from LPI_FIRST on */
#define PENDING_ORDER 4 /* a bit for each INTID is 2 KiB, aligned to 64 KiB */
#define CONFIG_OFF 0xa2 /* priority; bit 1 is always set */
#define CONFIG_ON 0xa3
#define NR_LPIS (NR_IRQS - GIC_LPI_IRQ)
#define EVENTS_MAX (1u << ITS_EVENT_BITS)
#define WAIT_LIMIT 1000000

struct its_device {
	struct list link; /* [x] lpi_mutex */
	u32 id; /* [I] */
	unsigned users; /* [x] lpi_mutex: LPIs */
	void *table; /* [I] the service's */
	DECLARE_BITMAP(events, EVENTS_MAX); /* [x] lpi_mutex: in use */
};

static struct lpi {
	struct its_device *device; /* [x] lpi_mutex; NULL: free */
	u8 event; /* [x] lpi_mutex */
	u8 cpu; /* [a] changed by lpi_route() */
} lpis[NR_LPIS];
static DEFINE_LIST(devices); /* [x] lpi_mutex */
static struct mutex lpi_mutex;
static u8 *config; /* [I] NULL: no LPIs; [a] its bytes, of index INTID - LPI_FIRST */
static void *pending[MAX_CPUS]; /* [I] the redistributors' */
static unsigned long ready; /* [a] CPUs that take LPIs */

bool lpi_present(void)
{
	return __atomic_load_n(&ready, __ATOMIC_RELAXED) & 1;
}

/* NULL: nobody was given it. */
static struct lpi *lpi_of(unsigned irq)
{
	return irq < NR_IRQS && lpis[irq - GIC_LPI_IRQ].device ? &lpis[irq - GIC_LPI_IRQ] : NULL;
}

/* --- start-up --- */

static bool give_pending(void)
{
	for (unsigned cpu = 0; cpu < arch_cpu_count(); cpu++) {
		struct page *p = page_alloc(PENDING_ORDER, ALLOC_ZERO);

		if (!p)
			return false;
		pending[cpu] = page_to_virt(p);
		cache_clean(pending[cpu], PAGE_SIZE << PENDING_ORDER);
	}
	return true;
}

void lpi_init(int gic, volatile char *distributor)
{
	u32 type = mmio_read32(distributor + GICD_TYPER);
	struct page *p;

	if (!(type & GICD_TYPER_LPIS) || GICD_TYPER_ID_BITS(type) < ID_BITS || its_init(gic))
		return;
	mutex_init(&lpi_mutex, "lpi", RANK_DEVICE);
	p = page_alloc(CONFIG_ORDER, ALLOC_ZERO);
	if (!p || !give_pending()) {
		log_err("gic: no memory for the tables of messages");
		return;
	}
	config = page_to_virt(p);
	for (unsigned i = 0; i < PAGE_SIZE << CONFIG_ORDER; i++)
		config[i] = CONFIG_OFF;
	cache_clean(config, PAGE_SIZE << CONFIG_ORDER);
}

/* Firmware may have left them on, with tables of its own; a redistributor need not let go of them. */
static bool stop_lpis(volatile char *r)
{
	u32 control = mmio_read32(r + GICR_CTLR);

	if (!(control & GICR_CTLR_LPIS))
		return true;
	mmio_write32(r + GICR_CTLR, control & ~GICR_CTLR_LPIS);
	for (unsigned i = 0; i < WAIT_LIMIT && mmio_read32(r + GICR_CTLR) & GICR_CTLR_RWP; i++)
		cpu_relax();
	return !(mmio_read32(r + GICR_CTLR) & GICR_CTLR_LPIS);
}

void lpi_init_cpu(volatile char *r, paddr_t base)
{
	unsigned cpu = this_cpu();

	if (!config)
		return;
	if (!stop_lpis(r)) {
		log_warn("gic: CPU %u keeps firmware's tables of messages and takes none", cpu);
		return;
	}
	(void)gic_write_base(r + GICR_PROPBASER, virt_to_phys(config) | (ID_BITS - 1), BASE_CACHE);
	(void)gic_write_base(r + GICR_PENDBASER, virt_to_phys(pending[cpu]) | PENDBASER_ZERO,
			     BASE_CACHE);
	mmio_write32(r + GICR_CTLR, mmio_read32(r + GICR_CTLR) | GICR_CTLR_LPIS);
	dsb(sy);
	if (!its_map_cpu(cpu, r, base))
		__atomic_fetch_or(&ready, BIT(cpu), __ATOMIC_RELEASE);
}

/* --- devices; under lpi_mutex --- */

static struct its_device *find_device(u32 id)
{
	struct its_device *d;

	list_for_each_entry(d, &devices, link)
		if (d->id == id)
			return d;
	return NULL;
}

static int add_device(u32 id, struct its_device **out)
{
	struct its_device *d = kzalloc(sizeof(*d));
	struct page *table = page_alloc(0, ALLOC_ZERO);
	int error = -ENOMEM;

	_Static_assert((16 << ITS_EVENT_BITS) <= PAGE_SIZE, "an entry is 16 bytes at most");
	if (d && table) {
		d->id = id;
		d->table = page_to_virt(table);
		error = its_map_device(id, d->table);
	}
	if (error) {
		if (table)
			page_free(table, 0);
		kfree(d);
		return error;
	}
	list_add_tail(&d->link, &devices);
	*out = d;
	return 0;
}

/* A table that the service may still read stays. */
static void put_device(struct its_device *d)
{
	if (d->users || its_unmap_device(d->id, d->table))
		return;
	list_del(&d->link);
	page_free(virt_to_page(d->table), 0);
	kfree(d);
}

static int take_event(struct its_device *d, unsigned *irq)
{
	unsigned event = (unsigned)bitmap_find_first_zero(d->events, 1u << its_event_bits()), n = 0;
	int error;

	while (n < NR_LPIS && lpis[n].device)
		n++;
	if (n == NR_LPIS || event == 1u << its_event_bits())
		return -ENOSPC;
	error = its_map_event(d->id, event, LPI_FIRST + GIC_LPI_IRQ + n, 0);
	if (error)
		return error;
	bitmap_set(d->events, event);
	d->users++;
	lpis[n] = (struct lpi){ d, (u8)event, 0 };
	*irq = GIC_LPI_IRQ + n;
	return 0;
}

int lpi_alloc(u32 requester, struct arch_msi *out)
{
	struct its_device *d;
	int error = 0;
	u32 id;

	if (pci_msi_controller(requester, &id) != its_node())
		return -ENOSPC;
	mutex_lock(&lpi_mutex);
	d = find_device(id);
	if (!d)
		error = add_device(id, &d);
	if (!error) {
		error = take_event(d, &out->irq);
		put_device(d);
	}
	mutex_unlock(&lpi_mutex);
	if (error)
		return error;
	out->address = its_doorbell();
	out->data = lpi_of(out->irq)->event;
	return 0;
}

void lpi_free(unsigned irq)
{
	struct lpi *l = lpi_of(irq);

	mutex_lock(&lpi_mutex);
	if (!its_discard_event(l->device->id, l->event, l->cpu)) {
		bitmap_clear(l->device->events, l->event);
		l->device->users--;
		put_device(l->device);
		l->device = NULL;
	}
	mutex_unlock(&lpi_mutex);
}

/* --- one message --- */

void lpi_set_masked(unsigned irq, bool masked)
{
	struct lpi *l = lpi_of(irq);
	u8 *byte = &config[irq]; /* of INTID LPI_FIRST + irq */

	if (!l)
		return;
	WRITE_ONCE(*byte, masked ? CONFIG_OFF : CONFIG_ON);
	cache_clean(byte, 1);
	(void)its_read_config(l->device->id, l->event, l->cpu);
}

int lpi_route(unsigned irq, unsigned cpu)
{
	struct lpi *l = lpi_of(irq);
	int error = -EINVAL;

	mutex_lock(&lpi_mutex);
	if (l && cpu < MAX_CPUS && __atomic_load_n(&ready, __ATOMIC_ACQUIRE) & BIT(cpu))
		error = its_move_event(l->device->id, l->event, cpu);
	if (!error)
		WRITE_ONCE(l->cpu, (u8)cpu);
	mutex_unlock(&lpi_mutex);
	return error;
}

void lpi_raise(unsigned irq)
{
	struct lpi *l = lpi_of(irq);

	if (l)
		(void)its_raise_event(l->device->id, l->event, l->cpu);
}
