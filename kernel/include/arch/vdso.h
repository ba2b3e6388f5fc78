/* The arch contract: the vDSO image that each program gets mapped. */
#pragma once
#include <lib/types.h>

extern const char vdso_image_start[], vdso_image_end[]; /* page aligned ELF shared object */

/* The page before the image that the vDSO reads clock parameters from; kernel/core/time fills it. */
struct vdso_data {
	u32 seq; /* odd while being written */
	u32 user_readable;
	u64 base, base_ns; /* monotonic: ns = base_ns + ((count - base) * mult >> shift) */
	u32 mult, shift;
	s64 realtime_offset_ns; /* realtime - monotonic */
};
extern struct vdso_data *vdso_data; /* kernel address of the page; mapped read-only in user space */
