/*
 * FPU state: saved when a user thread is switched away from, loaded when another one's is in the registers.
 *
 * Per CPU, fpu_owner says whose state the registers hold; the thread says on which CPU (fpu_cpu). Both
 * must agree for a load to be left out. State from user memory is checked in a kernel copy before it is
 * loaded, since XRSTOR faults on a malformed header. Locks: preemption off.
 */
#include <arch/percpu.h>
#include <arch/uaccess.h>
#include <asm/cpu.h>
#include <asm/fpu.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <sched/thread.h>

#define FX_SIZE 512
#define HEADER_AT 512 /* XSAVE header: xstate_bv, xcomp_bv, 48 reserved bytes */
#define MXCSR_AT 24
#define MXCSR_DEFAULT 0x1f80u
#define FCW_DEFAULT 0x37fu
#define SW_RESERVED_AT 464
#define MAGIC1 0x46505853u
#define MAGIC2 0x46505845u

struct sw_reserved {
	u32 magic1, extended_size;
	u64 xfeatures;
	u32 xstate_size, pad[7];
};
BUILD_ASSERT(sizeof(struct sw_reserved) == FX_SIZE - SW_RESERVED_AT);

static struct kcache *areas; /* [I] */
static u32 area_size; /* [I] */
static u32 mxcsr_mask; /* [I] bits a program may set */
static u8 *initial; /* [I] */
static DEFINE_PER_CPU(struct arch_thread *, fpu_owner) = NULL;

static void hw_save(void *area)
{
	u32 lo = (u32)cpu_features.xcr0, hi = (u32)(cpu_features.xcr0 >> 32);

	if (cpu_has(CPUF_XSAVEOPT))
		asm volatile("xsaveopt64 (%0)" : : "r"(area), "a"(lo), "d"(hi) : "memory");
	else if (cpu_has(CPUF_XSAVE))
		asm volatile("xsave64 (%0)" : : "r"(area), "a"(lo), "d"(hi) : "memory");
	else
		asm volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

static void hw_load(const void *area)
{
	u32 lo = (u32)cpu_features.xcr0, hi = (u32)(cpu_features.xcr0 >> 32);

	if (cpu_has(CPUF_XSAVE))
		asm volatile("xrstor64 (%0)" : : "r"(area), "a"(lo), "d"(hi) : "memory");
	else
		asm volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

void fpu_init(void)
{
	u32 mask;

	area_size = cpu_has(CPUF_XSAVE) ? cpu_features.xsave_size : FX_SIZE;
	areas = kcache_create("fpu", area_size, 64);
	initial = kcache_alloc(areas, ALLOC_ZERO);
	asm volatile("fninit");
	asm volatile("fxsave64 (%0)" : : "r"(initial) : "memory");
	memcpy(&mask, initial + 28, sizeof(mask));
	mxcsr_mask = mask ? mask : 0xffbf;
	memset(initial, 0, area_size);
	memcpy(initial, &(u16){ FCW_DEFAULT }, sizeof(u16));
	memcpy(initial + MXCSR_AT, &(u32){ MXCSR_DEFAULT }, sizeof(u32));
}

int fpu_alloc(struct arch_thread *t)
{
	void *area = kcache_alloc(areas, ALLOC_KERNEL);

	if (!area)
		return -ENOMEM;
	memcpy(area, initial, area_size);
	t->fpu_cpu = -1;
	t->fpu = area;
	return 0;
}

int fpu_fork(struct arch_thread *child)
{
	struct arch_thread *parent = &current->arch;
	int error;

	if (!parent->fpu)
		return fpu_alloc(child);
	child->fpu = kcache_alloc(areas, ALLOC_KERNEL);
	error = child->fpu ? 0 : -ENOMEM;
	if (!error) {
		preempt_disable();
		hw_save(parent->fpu);
		memcpy(child->fpu, parent->fpu, area_size);
		preempt_enable();
	}
	return error;
}

void fpu_free(struct arch_thread *t)
{
	if (t->fpu)
		kcache_free(areas, t->fpu);
	t->fpu = NULL;
	t->fpu_cpu = -1;
}

void fpu_save(struct arch_thread *t)
{
	hw_save(t->fpu);
	t->fpu_cpu = (s32)this_cpu();
	this_cpu_write(fpu_owner, t);
}

void fpu_load(struct arch_thread *t)
{
	if (this_cpu_read(fpu_owner) == t && t->fpu_cpu == (s32)this_cpu())
		return;
	hw_load(t->fpu);
	t->fpu_cpu = (s32)this_cpu();
	this_cpu_write(fpu_owner, t);
}

void fpu_reset(struct arch_thread *t)
{
	memcpy(t->fpu, initial, area_size);
	t->fpu_cpu = -1;
	fpu_load(t);
}

size_t fpu_frame_size(void)
{
	return area_size + (cpu_has(CPUF_XSAVE) ? sizeof(u32) : 0);
}

static void put_marks(u8 *area)
{
	struct sw_reserved sw = { 0 };

	if (cpu_has(CPUF_XSAVE)) {
		sw.magic1 = MAGIC1;
		sw.extended_size = (u32)fpu_frame_size();
		sw.xfeatures = cpu_features.xcr0;
		sw.xstate_size = area_size;
	}
	memcpy(area + SW_RESERVED_AT, &sw, sizeof(sw));
}

int fpu_save_to_user(uptr_t buf)
{
	u8 *area = current->arch.fpu;

	preempt_disable();
	hw_save(area);
	preempt_enable();
	put_marks(area);
	if (copy_to_user(buf, area, area_size))
		return -EFAULT;
	return cpu_has(CPUF_XSAVE) ? put_user_u32(buf + area_size, MAGIC2) : 0;
}

/* Does the frame hold the whole XSAVE form? Otherwise its first 512 bytes count. */
static bool has_extended(const u8 *area, uptr_t buf)
{
	struct sw_reserved sw;
	u32 magic2;

	memcpy(&sw, area + SW_RESERVED_AT, sizeof(sw));
	return cpu_has(CPUF_XSAVE) && sw.magic1 == MAGIC1 && sw.xstate_size == area_size &&
	       !get_user_u32(&magic2, buf + area_size) && magic2 == MAGIC2;
}

/* Leaves nothing in the area that loading it could fault on. */
static int sanitise(u8 *area, bool extended)
{
	u64 header[8] = { 0 };
	u32 mxcsr;

	memcpy(&mxcsr, area + MXCSR_AT, sizeof(mxcsr));
	if (mxcsr & ~mxcsr_mask)
		return -EINVAL;
	if (area_size == FX_SIZE)
		return 0;
	if (extended)
		memcpy(header, area + HEADER_AT, sizeof(header));
	else
		header[0] = 3; /* x87 and SSE as given, the rest initial */
	if ((header[0] & ~cpu_features.xcr0) || header[1])
		return -EINVAL;
	memset(header + 1, 0, sizeof(header) - sizeof(header[0]));
	memcpy(area + HEADER_AT, header, sizeof(header));
	return 0;
}

static int load_checked(const u8 *area)
{
	struct arch_thread *t = &current->arch;

	preempt_disable();
	memcpy(t->fpu, area, area_size);
	t->fpu_cpu = -1;
	fpu_load(t);
	preempt_enable();
	return 0;
}

int fpu_restore_from_user(uptr_t buf)
{
	u8 *copy;
	bool extended;
	int error;

	if (!buf)
		return load_checked(initial);
	copy = kcache_alloc(areas, ALLOC_ZERO);
	if (!copy)
		return -ENOMEM;
	error = copy_from_user(copy, buf, FX_SIZE);
	if (error)
		goto out_free;
	extended = has_extended(copy, buf);
	if (extended)
		error = copy_from_user(copy + FX_SIZE, buf + FX_SIZE, area_size - FX_SIZE);
	if (!error)
		error = sanitise(copy, extended);
	if (!error)
		error = load_checked(copy);
out_free:
	kcache_free(areas, copy);
	return error;
}
