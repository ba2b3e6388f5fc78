/* The page of clock parameters that every program can read; time.c fills it. */
#include <arch/pte.h>
#include <arch/vdso.h>

static union {
	struct vdso_data data;
	u8 page[PAGE_SIZE];
} vdso_page __aligned(PAGE_SIZE);

struct vdso_data *vdso_data = &vdso_page.data; /* [I] */
