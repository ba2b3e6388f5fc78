/*
 * The interrupt controller: GICv2, or GICv3 by its system registers; and interrupts between CPUs.
 *
 * All shared lines go to the boot CPU. Masking is by registers that set or clear single bits, so there is no
 * lock. One priority for everything: interrupts do not nest. IPI_STOP alone is of group 0, which comes as a fast
 * interrupt (FIQ), with interrupts off too, and of a higher priority; where firmware keeps that group to itself it is
 * an interrupt like the others. Message-signalled interrupts are those of a GICv2m frame (v2m.c), or LPIs (lpi.c) by
 * an ITS (its.c). Manual: GICv2 (IHI 0048), GICv3 (IHI 0069); bindings arm,gic.yaml, arm,gic-v3.yaml.
 */
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <asm/boot.h>
#include <asm/cpu.h>
#include <asm/gic.h>
#include <core/irq.h>
#include <debug/klog.h>
#include <debug/panic.h>
#include <lib/errno.h>
#include <mm/vmalloc.h>
#include "dt.h"
#include "gic_msi.h"
#include "smp.h"

enum gicd {
	GICD_CTLR = 0x0,
	GICD_TYPER = 0x4,
	GICD_IGROUPR = 0x80,
	GICD_ISENABLER = 0x100,
	GICD_ICENABLER = 0x180,
	GICD_ISPENDR = 0x200,
	GICD_ICPENDR = 0x280,
	GICD_ICACTIVER = 0x380,
	GICD_IPRIORITYR = 0x400,
	GICD_ITARGETSR = 0x800,
	GICD_ICFGR = 0xc00,
	GICD_SGIR = 0xf00,
	GICD_IROUTER = 0x6000,
};
enum gicc { GICC_CTLR = 0x0, GICC_PMR = 0x4, GICC_IAR = 0xc, GICC_EOIR = 0x10 };
enum gicr { GICR_TYPER = 0x8, GICR_WAKER = 0x14, GICR_SGI = 0x10000 };
#define GICD_CTLR_ARE 0x10
#define GICD_CTLR_GROUPS 0x3
#define GICD_CTLR_RWP 0x80000000u
#define GICD_CTLR_DS 0x40 /* GICv3: one security state */
#define GICD_TYPER_SECURITY 0x400 /* GICv2: two */
#define GICC_CTLR_ON 0x1
#define GICC_CTLR_GROUPS 0xf /* both on; group 0 by FIQ; one register acknowledges both */
#define GICR_TYPER_LAST 0x10
#define GICR_TYPER_VLPIS 0x2
#define GICR_FRAMES 0x20000 /* bytes of a CPU's two frames; twice that with virtual LPIs */
#define WAKER_SLEEP 2
#define WAKER_ASLEEP 4
#define PRIORITY 0xa0a0a0a0u
#define PRIORITY_ALL 0xf0
#define PRIORITY_STOP 0x20
#define REGIONS_MAX 4
#define WAIT_LIMIT 1000000

#define ICC_PMR "s3_0_c4_c6_0"
#define ICC_IAR1 "s3_0_c12_c12_0"
#define ICC_EOIR1 "s3_0_c12_c12_1"
#define ICC_BPR1 "s3_0_c12_c12_3"
#define ICC_CTLR "s3_0_c12_c12_4"
#define ICC_SRE "s3_0_c12_c12_5"
#define ICC_IGRPEN0 "s3_0_c12_c12_6"
#define ICC_IGRPEN1 "s3_0_c12_c12_7"
#define ICC_SGI1R "s3_0_c12_c11_5"
#define ICC_SGI0R "s3_0_c12_c11_7"
#define icc_write(name, v) asm volatile("msr " name ", %0" : : "r"((u64)(v)) : "memory")

static bool v3; /* [I] */
static bool fast_stop; /* [I] group 0 is the kernel's: IPI_STOP is an FIQ */
static volatile char *gicd, *gicc; /* [I] mapped */
static struct region {
	volatile char *regs; /* mapped */
	u64 base, size;
} regions[REGIONS_MAX]; /* [I] of redistributors */
static unsigned nr_lines; /* [I] one past the last shared line that can be had */
static u8 cpu_target[MAX_CPUS]; /* [I] GICv2: each CPU's bit */

u32 gic_ack(void)
{
	u64 iar;

	if (!v3)
		return mmio_read32(gicc + GICC_IAR);
	asm volatile("mrs %0, " ICC_IAR1 "\n\tdsb sy" : "=r"(iar) : : "memory");
	return (u32)iar;
}

void gic_eoi(u32 iar)
{
	if (!v3) {
		mmio_write32(gicc + GICC_EOIR, iar);
		return;
	}
	icc_write(ICC_EOIR1, iar);
	isb();
}

static struct region map_reg(int node, unsigned i)
{
	struct region r = {};

	if (fdt_reg(&device_tree, node, i, &r.base, &r.size))
		r.regs = mmio_map(r.base, r.size);
	return r;
}

static void wait_clear(volatile char *reg, u32 bits)
{
	for (unsigned i = 0; i < WAIT_LIMIT && mmio_read32(reg) & bits; i++)
		cpu_relax();
}

/* Lines of one kind's first register word: group 1, priority, nothing active, masked. */
static void start_lines(volatile char *frame, unsigned first)
{
	mmio_write32(frame + GICD_ICENABLER + first / 8, ~0u);
	mmio_write32(frame + GICD_ICACTIVER + first / 8, ~0u);
	if (v3 || fast_stop)
		mmio_write32(frame + GICD_IGROUPR + first / 8, ~0u);
	for (unsigned i = first; i < first + 32; i += 4)
		mmio_write32(frame + GICD_IPRIORITYR + i, PRIORITY);
}

/* This CPU's own lines. */
static void start_own_lines(volatile char *frame)
{
	start_lines(frame, 0);
	if (fast_stop) {
		mmio_write32(frame + GICD_IGROUPR, ~(1u << IPI_STOP));
		*(volatile u8 *)(frame + GICD_IPRIORITYR + IPI_STOP) = PRIORITY_STOP;
	}
	mmio_write32(frame + GICD_ISENABLER, 0xffffu | 1u << gic_timer_irq);
}

static void start_distributor(void)
{
	unsigned all = min(((mmio_read32(gicd + GICD_TYPER) & 0x1f) + 1) * 32, 1020u);

	mmio_write32(gicd + GICD_CTLR, 0);
	fast_stop = v3 ? mmio_read32(gicd + GICD_CTLR) & GICD_CTLR_DS
		       : !(mmio_read32(gicd + GICD_TYPER) & GICD_TYPER_SECURITY);
	nr_lines = min(all, (unsigned)GIC_LPI_IRQ);
	for (unsigned i = GIC_SPI_BASE; i < all; i += 32)
		start_lines(gicd, i);
	if (!v3) {
		mmio_write32(gicd + GICD_CTLR, fast_stop ? GICD_CTLR_GROUPS : 1);
		return;
	}
	wait_clear(gicd + GICD_CTLR, GICD_CTLR_RWP);
	mmio_write32(gicd + GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_GROUPS);
	wait_clear(gicd + GICD_CTLR, GICD_CTLR_RWP);
}

static void map_v3(int node)
{
	u32 n = 1;

	v3 = true;
	(void)fdt_cell(&device_tree, node, "#redistributor-regions", 0, &n);
	for (unsigned i = 0; i < min(n, (u32)REGIONS_MAX); i++)
		regions[i] = map_reg(node, 1 + i);
	if (!regions[0].regs || !cpu_has(CPUF_GICV3))
		panic("gic: a GICv3 without redistributors or system registers");
}

static void map_v2(int node)
{
	gicc = map_reg(node, 1).regs;
	if (!gicc)
		panic("gic: no CPU interface");
}

void gic_init(void)
{
	static const char *const v2_names[] = { "arm,cortex-a15-gic", "arm,gic-400",
						"arm,cortex-a9-gic" };
	const struct fdt *f = &device_tree;
	int node = fdt_compatible(f, FDT_NONE, "arm,gic-v3");
	bool is_v3 = node >= 0;

	for (unsigned i = 0; i < ARRAY_SIZE(v2_names) && node < 0; i++)
		node = fdt_compatible(f, FDT_NONE, v2_names[i]);
	gicd = map_reg(node, 0).regs;
	if (!gicd)
		panic("gic: the device tree has no interrupt controller of a known kind");
	if (is_v3)
		map_v3(node);
	else
		map_v2(node);
	start_distributor();
	log_info("gic: v%u, %u lines", v3 ? 3 : 2, nr_lines);
	if (v3)
		lpi_init(node, gicd);
	else
		v2m_init(node, nr_lines);
}

/* This CPU's redistributor, and where it is. */
static volatile char *own_redistributor(paddr_t *base)
{
	u64 self = smp_affinity(read_sysreg(mpidr_el1));

	self = (self >> 8 & 0xff000000) | (self & 0xffffff);
	for (const struct region *in = regions; in < regions + REGIONS_MAX && in->regs; in++)
		for (u64 at = 0; at + GICR_FRAMES <= in->size;) {
			volatile char *r = in->regs + at;
			u32 type = mmio_read32(r + GICR_TYPER);

			*base = in->base + at;
			if (mmio_read32(r + GICR_TYPER + 4) == self)
				return r;
			if (type & GICR_TYPER_LAST)
				break;
			at += type & GICR_TYPER_VLPIS ? 2 * GICR_FRAMES : GICR_FRAMES;
		}
	panic("gic: CPU %u has no redistributor", this_cpu());
}

static void init_cpu_v3(void)
{
	paddr_t base;
	volatile char *r = own_redistributor(&base);

	mmio_write32(r + GICR_WAKER, mmio_read32(r + GICR_WAKER) & ~(u32)WAKER_SLEEP);
	wait_clear(r + GICR_WAKER, WAKER_ASLEEP);
	start_own_lines(r + GICR_SGI);
	icc_write(ICC_SRE, 7);
	isb();
	icc_write(ICC_PMR, PRIORITY_ALL);
	icc_write(ICC_BPR1, 0);
	icc_write(ICC_CTLR, 0);
	if (fast_stop)
		icc_write(ICC_IGRPEN0, 1);
	icc_write(ICC_IGRPEN1, 1);
	isb();
	lpi_init_cpu(r, base);
}

static void init_cpu_v2(void)
{
	start_own_lines(gicd);
	cpu_target[this_cpu()] = (u8)mmio_read32(gicd + GICD_ITARGETSR);
	mmio_write32(gicc + GICC_PMR, PRIORITY_ALL);
	mmio_write32(gicc + GICC_CTLR, fast_stop ? GICC_CTLR_GROUPS : GICC_CTLR_ON);
}

void gic_init_cpu(void)
{
	if (v3)
		init_cpu_v3();
	else
		init_cpu_v2();
	asm volatile("msr daifclr, #1" : : : "memory"); /* fast interrupts: entry/vectors.S */
}

static void send_sgi_v3(unsigned cpu, unsigned id)
{
	u64 a = smp_cpu_id(cpu);
	u64 v = (a >> 32 & 0xff) << 48 | (a >> 4 & 0xf) << 44 | (a >> 16 & 0xff) << 32 |
		(u64)id << 24 | (a >> 8 & 0xff) << 16 | (u64)1 << (a & 0xf);

	if (fast_stop && id == IPI_STOP)
		icc_write(ICC_SGI0R, v);
	else
		icc_write(ICC_SGI1R, v);
	isb();
}

void arch_ipi_send(unsigned cpu, enum ipi_kind kind)
{
	dsb(ishst); /* what the other CPU is to find in memory */
	if (v3)
		send_sgi_v3(cpu, kind);
	else
		mmio_write32(gicd + GICD_SGIR, (u32)cpu_target[cpu] << 16 | kind);
}

void arch_irq_mask(unsigned irq)
{
	if (irq >= GIC_LPI_IRQ)
		lpi_set_masked(irq, true);
	else if (irq >= GIC_SPI_BASE && irq < nr_lines)
		mmio_write32(gicd + GICD_ICENABLER + irq / 32 * 4, 1u << irq % 32);
}

void arch_irq_unmask(unsigned irq)
{
	if (irq >= GIC_LPI_IRQ)
		lpi_set_masked(irq, false);
	else if (irq >= GIC_SPI_BASE && irq < nr_lines)
		mmio_write32(gicd + GICD_ISENABLER + irq / 32 * 4, 1u << irq % 32);
}

/* What is pending moves along (IHI 0048, 4.3.12); but QEMU leaves it with the CPU it came for. */
static void route_v2(unsigned irq, unsigned cpu)
{
	unsigned word = irq / 32 * 4;
	u32 bit = 1u << irq % 32, pending = mmio_read32(gicd + GICD_ISPENDR + word) & bit;

	*(volatile u8 *)(gicd + GICD_ITARGETSR + irq) = cpu_target[cpu];
	mmio_write32(gicd + GICD_ICPENDR + word, pending);
	mmio_write32(gicd + GICD_ISPENDR + word, pending);
}

int gic_route(unsigned irq, unsigned cpu)
{
	if (cpu >= arch_cpu_count() || irq < GIC_SPI_BASE)
		return -EINVAL;
	if (irq >= GIC_LPI_IRQ)
		return lpi_route(irq, cpu);
	if (irq >= nr_lines)
		return -EINVAL;
	if (v3)
		mmio_write64(gicd + GICD_IROUTER + 8 * irq, smp_cpu_id(cpu));
	else
		route_v2(irq, cpu);
	return 0;
}

void gic_raise(unsigned irq)
{
	if (irq >= GIC_LPI_IRQ)
		lpi_raise(irq);
	else if (irq >= GIC_SPI_BASE && irq < nr_lines)
		mmio_write32(gicd + GICD_ISPENDR + irq / 32 * 4, 1u << irq % 32);
}

/* Shared lines only; the controller knows no falling edges and low levels. Lines are set up one by one. */
int arch_irq_setup(unsigned irq, bool level, bool active_low)
{
	volatile char *config = gicd + GICD_ICFGR + irq / 16 * 4;
	u32 bit = 2u << irq % 16 * 2;

	if (irq < GIC_SPI_BASE || irq >= nr_lines || active_low)
		return -EINVAL;
	mmio_write32(config, level ? mmio_read32(config) & ~bit : mmio_read32(config) | bit);
	mmio_write32(gicd + GICD_ICPENDR + irq / 32 * 4, 1u << irq % 32); /* of an owner before */
	return gic_route(irq, 0);
}

int arch_msi_alloc(u32 requester, struct arch_msi *out)
{
	int error;

	if (lpi_present())
		return lpi_alloc(requester, out);
	error = v2m_alloc(out);
	return error ? error : arch_irq_setup(out->irq, false, false);
}

void arch_msi_free(unsigned irq)
{
	if (irq >= GIC_LPI_IRQ)
		lpi_free(irq);
	else
		v2m_free(irq);
}
