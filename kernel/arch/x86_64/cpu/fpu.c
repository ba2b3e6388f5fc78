/*
 * FPU state in signal frames, and the state that programs begin with. Whose state is in the registers is
 * arch/common/fpu.c's.
 *
 * While a user thread runs, in user mode or in the kernel, the registers hold its state: frames are saved and
 * loaded straight to and from user memory, where an instruction that faults (on its address or on a malformed
 * header) goes on at a fixup. Locks: none.
 */
#include <arch/uaccess.h>
#include <asm/cpu.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>
#include "../../common/fpu.h"

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

static u32 mxcsr_mask; /* [I] bits a program may set */

size_t fpu_frame_size(void)
{
	return fpu_area_size + (cpu_has(CPUF_XSAVE) ? sizeof(u32) : 0);
}

/* What XSAVE leaves alone and a frame needs: the software bytes, and a header of zeroes. */
static struct {
	struct sw_reserved sw;
	u64 header[8];
} frame_marks; /* [I] */

static void frame_init(void)
{
	if (cpu_has(CPUF_XSAVE))
		frame_marks.sw = (struct sw_reserved){ .magic1 = MAGIC1,
						       .extended_size = (u32)fpu_frame_size(),
						       .xfeatures = cpu_features.xcr0,
						       .xstate_size = fpu_area_size };
}

void fpu_init(void)
{
	u8 *initial;
	u32 mask;

	fpu_area_size = cpu_features.xsave_size;
	fpu_areas = kcache_create("fpu", fpu_area_size, 64);
	initial = kcache_alloc(fpu_areas, ALLOC_ZERO);
	asm volatile("fninit");
	asm volatile("fxsave64 (%0)" : : "r"(initial) : "memory");
	memcpy(&mask, initial + 28, sizeof(mask));
	mxcsr_mask = mask ? mask : 0xffbf;
	memset(initial, 0, fpu_area_size);
	memcpy(initial, &(u16){ FCW_DEFAULT }, sizeof(u16));
	memcpy(initial + MXCSR_AT, &(u32){ MXCSR_DEFAULT }, sizeof(u32));
	fpu_initial = initial;
	frame_init();
}

/* The instruction goes on at its fixup for an address out of reach, and for a malformed header. */
static int hw_save_user(uptr_t buf)
{
	u32 lo = (u32)cpu_features.xcr0, hi = (u32)(cpu_features.xcr0 >> 32);
	int error = -EFAULT;

	user_access_begin();
	asm volatile("1: xsave64 (%[p])\n\txorl %[e], %[e]\n2:\n\t" EX_TABLE("1b", "2b")
		     : [e] "+r"(error)
		     : [p] "r"(buf), "a"(lo), "d"(hi)
		     : "memory", "cc");
	user_access_end();
	return error;
}

static int hw_load_user(uptr_t buf, u64 features)
{
	int error = -EFAULT;

	user_access_begin();
	asm volatile("1: xrstor64 (%[p])\n\txorl %[e], %[e]\n2:\n\t" EX_TABLE("1b", "2b")
		     : [e] "+r"(error)
		     : [p] "r"(buf), "a"((u32)features), "d"((u32)(features >> 32))
		     : "memory", "cc");
	user_access_end();
	return error;
}

int fpu_save_to_user(uptr_t buf)
{
	u8 area[FX_SIZE] __aligned(16);

	if (!user_range_ok(buf, fpu_frame_size()))
		return -EFAULT;
	if (cpu_has(CPUF_XSAVE)) {
		if (copy_to_user(buf + SW_RESERVED_AT, &frame_marks, sizeof(frame_marks)) ||
		    hw_save_user(buf))
			return -EFAULT;
		return put_user_u32(buf + fpu_area_size, MAGIC2);
	}
	memset(area, 0, sizeof(area));
	asm volatile("fxsave64 (%0)" : : "r"(area) : "memory");
	return copy_to_user(buf, area, sizeof(area));
}

/* Does the frame hold the whole XSAVE form? Otherwise its first 512 bytes count. */
static bool has_extended(uptr_t buf, u64 *features)
{
	struct sw_reserved sw;
	u32 magic2;

	if (!cpu_has(CPUF_XSAVE) || (buf & 63) ||
	    copy_from_user(&sw, buf + SW_RESERVED_AT, sizeof(sw)) || sw.magic1 != MAGIC1 ||
	    sw.xstate_size != fpu_area_size || get_user_u32(&magic2, buf + fpu_area_size) ||
	    magic2 != MAGIC2)
		return false;
	*features = sw.xfeatures & cpu_features.xcr0;
	return true;
}

/* x87 and SSE state from 512 bytes, the rest initial. */
static int load_legacy(uptr_t buf)
{
	u8 *copy = kcache_alloc(fpu_areas, ALLOC_ZERO);
	int error;
	u32 mxcsr;

	if (!copy)
		return -ENOMEM;
	error = copy_from_user(copy, buf, FX_SIZE);
	memcpy(&mxcsr, copy + MXCSR_AT, sizeof(mxcsr));
	if (!error && (mxcsr & ~mxcsr_mask))
		error = -EINVAL;
	if (fpu_area_size > FX_SIZE)
		memcpy(copy + HEADER_AT, &(u64){ 3 }, sizeof(u64));
	if (!error)
		fpu_hw_load(copy);
	kcache_free(fpu_areas, copy);
	return error;
}

int fpu_restore_from_user(uptr_t buf)
{
	u64 features;
	int error;

	if (!buf) {
		fpu_hw_load(fpu_initial);
		return 0;
	}
	if (!user_range_ok(buf, fpu_frame_size()))
		return -EFAULT;
	if (!has_extended(buf, &features))
		return load_legacy(buf);
	error = hw_load_user(buf, features);
	if (error || features != cpu_features.xcr0)
		fpu_hw_load_some(fpu_initial,
				 error ? cpu_features.xcr0 : cpu_features.xcr0 & ~features);
	return error;
}
