/*
 * The interrupt translation service of a GICv3 (ITS): what a device writes, and who it is, become an interrupt (LPI)
 * of a collection, which is a CPU.
 *
 * The service works on tables in memory that only it reads: of devices (in two levels where it can, since devices'
 * numbers are wide and few are there), of collections, and of each device's events. They are changed by commands in a
 * ring; each here is followed by a SYNC and waited for, so that nothing is under way when a call returns. There is one
 * service, that of the PCI host's messages. A service that stalls or is silent is left alone from then on.
 *
 * its_lock guards the ring; it is taken in interrupts (masking). The table of devices is its callers', one at a time.
 * Manual: IHI 0069E, 5.2 (tables), 5.3 (commands), 9.19 (registers); binding arm,gic-v3.yaml.
 */
#include <arch/cpu.h>
#include <core/spinlock.h>
#include <debug/klog.h>
#include <debug/later.h>
#include <lib/errno.h>
#include <mm/page.h>
#include <mm/vmalloc.h>
#include "cache.h"
#include "dt.h"
#include "gic_msi.h"

enum gits {
	GITS_CTLR = 0x0,
	GITS_TYPER = 0x8,
	GITS_CBASER = 0x80,
	GITS_CWRITER = 0x88,
	GITS_CREADR = 0x90,
	GITS_BASER = 0x100,
	GITS_TRANSLATER = 0x10040,
};
#define GITS_BASERS 8
#define GITS_FRAMES 0x20000
#define CTLR_ENABLED 1u
#define CTLR_QUIESCENT 0x80000000u
#define TYPER_PHYSICAL 1u
#define TYPER_ENTRY(t) (((t) >> 4 & 15) + 1) /* bytes of an event's translation */
#define TYPER_EVENT_BITS(t) ((unsigned)((t) >> 8 & 31) + 1)
#define TYPER_DEVICE_BITS(t) ((unsigned)((t) >> 13 & 31) + 1)
#define TYPER_PTA(t) ((t) >> 19 & 1) /* redistributors are named by address, not by number */
#define TYPER_COLLECTIONS(t) ((t) >> 24 & 255) /* held without a table */
#define BASE_VALID BIT(63)
#define BASE_CACHE 59
#define BASER_INDIRECT BIT(62)
#define BASER_TYPE(b) ((b) >> 56 & 7)
#define BASER_ENTRY(b) (((b) >> 48 & 31) + 1)
#define BASER_PAGE(b) ((unsigned)((b) >> 8 & 3))
#define BASER_PAGE_64K 2
#define BASER_PAGES_MAX 256
#define CREADR_STALLED 1u
#define GICR_TYPER 0x8
#define QUEUE_ORDER 4 /* aligned to 64 KiB */
#define QUEUE_SIZE (PAGE_SIZE << QUEUE_ORDER)
#define WAIT_LIMIT 1000000
#define TABLE_ORDER_MAX 8

enum table_type { TABLE_DEVICES = 1, TABLE_COLLECTIONS = 4 };
enum command {
	C_MOVI = 0x1,
	C_INT = 0x3,
	C_SYNC = 0x5,
	C_MAPD = 0x8,
	C_MAPC = 0x9,
	C_MAPTI = 0xa,
	C_INV = 0xc,
	C_DISCARD = 0xf,
};
struct command_words {
	u64 w[4];
};

static int node = FDT_NONE; /* [I] */
static paddr_t base; /* [I] */
static volatile char *regs; /* [I] mapped */
static u64 type; /* [I] GITS_TYPER */
static u64 targets[MAX_CPUS]; /* [o] each CPU's redistributor, as commands name it */
static struct spinlock its_lock = SPINLOCK_INIT("its", RANK_DRIVER);
static struct command_words *queue; /* [I] the ring; [x] its_lock its contents */
static u32 queue_at; /* [x] its_lock: bytes; where the next command goes */
static bool silent; /* [x] its_lock: a command was not carried out */

static struct device_table {
	u64 *entries; /* [I] of the first level, or all */
	unsigned page_shift, per_page; /* [I] of the second level; 0: there is none */
	u64 devices; /* [I] how many have a place */
} table; /* entries' contents: its_map_device()'s callers */

int its_node(void)
{
	return node;
}

u64 its_doorbell(void)
{
	return base + GITS_TRANSLATER;
}

unsigned its_event_bits(void)
{
	return min(TYPER_EVENT_BITS(type), (unsigned)ITS_EVENT_BITS);
}

size_t its_table_bytes(void)
{
	return ALIGN_UP(TYPER_ENTRY(type) << its_event_bits(), (size_t)ITS_TABLE_ALIGN);
}

/* --- commands --- */

static void put_command(struct command_words c)
{
	struct command_words *slot = (struct command_words *)((char *)queue + queue_at);

	*slot = c;
	cache_clean(slot, sizeof(*slot));
	queue_at = (queue_at + sizeof(c)) % QUEUE_SIZE;
}

static int wait_commands(void)
{
	u64 at = 0;

	for (unsigned i = 0; i < WAIT_LIMIT && !(at & CREADR_STALLED); i++) {
		at = mmio_read64(regs + GITS_CREADR);
		if (at == queue_at)
			return 0;
		cpu_relax();
	}
	silent = true;
	log_later(LOG_ERR, "%s: no answer to the command before %#lx%s; it is at %#lx", "its",
		  queue_at, "", (long)at);
	return -EIO;
}

/* Carries one command out, to the end at the redistributor of `cpu`. */
static __noinline int its_command(unsigned cpu, u64 w0, u64 w1, u64 w2)
{
	irqflags_t flags = spin_lock_irqsave(&its_lock);
	int error = -EIO;

	if (!silent) {
		put_command((struct command_words){ { w0, w1, w2, 0 } });
		put_command((struct command_words){ { C_SYNC, 0, targets[cpu], 0 } });
		mmio_write64(regs + GITS_CWRITER, queue_at);
		error = wait_commands();
	}
	spin_unlock_irqrestore(&its_lock, flags);
	return error;
}

static u64 of_device(enum command c, u32 device)
{
	return (u64)device << 32 | c;
}

int its_map_cpu(unsigned cpu, volatile char *redistributor, paddr_t pa)
{
	u64 number = mmio_read64(redistributor + GICR_TYPER) >> 8 & 0xffff;

	targets[cpu] = TYPER_PTA(type) ? pa : number << 16;
	return its_command(cpu, C_MAPC, 0, BASE_VALID | targets[cpu] | cpu);
}

int its_map_event(u32 device, u32 event, u32 intid, unsigned cpu)
{
	return its_command(cpu, of_device(C_MAPTI, device), (u64)intid << 32 | event, cpu);
}

int its_move_event(u32 device, u32 event, unsigned cpu)
{
	return its_command(cpu, of_device(C_MOVI, device), event, cpu);
}

int its_discard_event(u32 device, u32 event, unsigned cpu)
{
	return its_command(cpu, of_device(C_DISCARD, device), event, 0);
}

int its_read_config(u32 device, u32 event, unsigned cpu)
{
	return its_command(cpu, of_device(C_INV, device), event, 0);
}

int its_raise_event(u32 device, u32 event, unsigned cpu)
{
	return its_command(cpu, of_device(C_INT, device), event, 0);
}

/* --- tables --- */

/* Room for a device's entry: in two levels, the page it is in. */
static int reserve_device(u32 device)
{
	struct page *page;
	u64 *entry;

	if (device >= table.devices)
		return -ENOSPC;
	entry = &table.entries[table.per_page ? device / table.per_page : 0];
	if (!table.per_page || *entry & BASE_VALID)
		return 0;
	page = page_alloc(table.page_shift - PAGE_SHIFT, ALLOC_ZERO);
	if (!page)
		return -ENOMEM;
	cache_clean(page_to_virt(page), 1ul << table.page_shift);
	*entry = BASE_VALID | page_to_phys(page);
	cache_clean(entry, sizeof(*entry));
	return 0;
}

int its_map_device(u32 device, void *events)
{
	int error = reserve_device(device);

	if (error)
		return error;
	cache_clean(events, its_table_bytes());
	return its_command(0, of_device(C_MAPD, device), its_event_bits() - 1,
			   BASE_VALID | virt_to_phys(events));
}

int its_unmap_device(u32 device, void *events)
{
	return its_command(0, of_device(C_MAPD, device), 0, virt_to_phys(events));
}

/* Memory for one of the service's tables, of pages of its own size: their number, 0 when there is none. */
static unsigned give_table(volatile char *reg, u64 value, u64 bytes, u64 **entries)
{
	unsigned page_shift = 12 + 2 * BASER_PAGE(value), order = page_shift - PAGE_SHIFT;
	struct page *page;
	u64 address;

	while (order < TABLE_ORDER_MAX && PAGE_SIZE << order < bytes)
		order++;
	page = page_alloc(order, ALLOC_ZERO);
	if (!page)
		return 0;
	*entries = page_to_virt(page);
	cache_clean(*entries, PAGE_SIZE << order);
	address = page_to_phys(page);
	if (BASER_PAGE(value) >= BASER_PAGE_64K)
		address = (address & 0xffffffff0000) | (address >> 48 & 15) << 12;
	order -= page_shift - PAGE_SHIFT;
	(void)gic_write_base(reg, value | BASE_VALID | address | ((1u << order) - 1), BASE_CACHE);
	return 1u << order;
}

/* Two levels where all devices take more than a page, and the service can. */
static bool give_devices(volatile char *reg, u64 value)
{
	u64 all = 1ull << TYPER_DEVICE_BITS(type), size = BASER_ENTRY(value);
	u64 page = 4096ull << 2 * BASER_PAGE(value), room;
	bool two = value & BASER_INDIRECT && all * size > page;

	if (two) {
		table.page_shift = 12 + 2 * BASER_PAGE(value);
		table.per_page = (unsigned)(page / size);
		room = ALIGN_UP(all, (u64)table.per_page) / table.per_page * sizeof(u64);
	} else {
		value &= ~BASER_INDIRECT;
		room = all * size;
	}
	room = give_table(reg, value, room, &table.entries) * page;
	table.devices = min(all, two ? room / sizeof(u64) * table.per_page : room / size);
	return room;
}

/* Each kind of table the service wants in memory. Which page sizes and levels it has, it says when asked for them. */
static bool give_tables(void)
{
	bool devices = false, collections = TYPER_COLLECTIONS(type) >= MAX_CPUS;

	for (unsigned i = 0; i < GITS_BASERS; i++) {
		volatile char *reg = regs + GITS_BASER + 8 * i;
		u64 value, *entries;

		mmio_write64(reg, BASER_INDIRECT);
		value = mmio_read64(reg) & (BASER_INDIRECT | 0x300 | 31ull << 48 | 7ull << 56);
		if (BASER_TYPE(value) == TABLE_DEVICES)
			devices = give_devices(reg, value);
		else if (BASER_TYPE(value) == TABLE_COLLECTIONS && !collections)
			collections = give_table(reg, value & ~BASER_INDIRECT,
						 MAX_CPUS * BASER_ENTRY(value), &entries);
	}
	return devices && collections;
}

static bool stop(void)
{
	mmio_write32(regs + GITS_CTLR, mmio_read32(regs + GITS_CTLR) & ~CTLR_ENABLED);
	for (unsigned i = 0; i < WAIT_LIMIT; i++) {
		if (mmio_read32(regs + GITS_CTLR) & CTLR_QUIESCENT)
			return true;
		cpu_relax();
	}
	return false;
}

static int start(void)
{
	struct page *ring;

	type = mmio_read64(regs + GITS_TYPER);
	if (!(type & TYPER_PHYSICAL) || !stop())
		return -ENODEV;
	ring = page_alloc(QUEUE_ORDER, ALLOC_ZERO);
	if (!ring || !give_tables())
		return -ENOMEM;
	queue = page_to_virt(ring);
	(void)gic_write_base(regs + GITS_CBASER,
			     BASE_VALID | page_to_phys(ring) | (QUEUE_SIZE / 4096 - 1), BASE_CACHE);
	mmio_write64(regs + GITS_CWRITER, 0);
	mmio_write32(regs + GITS_CTLR, mmio_read32(regs + GITS_CTLR) | CTLR_ENABLED);
	return 0;
}

int its_init(int gic)
{
	int error;
	u64 size;

	node = fdt_compatible(&device_tree, gic, "arm,gic-v3-its");
	if (fdt_parent(&device_tree, node) != gic ||
	    !fdt_reg(&device_tree, node, 0, &base, &size) || size < GITS_FRAMES)
		return -ENODEV;
	regs = mmio_map(base, size);
	error = regs ? start() : -ENOMEM;
	if (!error)
		log_info("its: %llu devices of %u events, table in %u level%s",
			 (unsigned long long)table.devices, 1u << its_event_bits(),
			 table.per_page ? 2 : 1, table.per_page ? "s" : "");
	return error;
}
