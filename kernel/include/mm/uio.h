/*
 * The source or target of a transfer: user buffers (one or an iovec) or kernel memory. uio_copy_* move
 * the cursor and return how many bytes were moved; fewer than asked means a bad address (user) or the
 * end.
 */
#pragma once
#include <lib/types.h>

struct uio_vec {
	uptr_t base; /* user address, or kernel address when !user */
	size_t len;
};
struct uio {
	struct uio_vec *vec; /* current element */
	unsigned nvec; /* left, with the current one */
	size_t off; /* within the current one */
	size_t resid; /* bytes left in all */
	bool user;
	struct uio_vec one; /* for the single-buffer case */
};

static inline void uio_init_user(struct uio *u, uptr_t buf, size_t n)
{
	u->one.base = buf;
	u->one.len = n;
	u->vec = &u->one;
	u->nvec = 1;
	u->off = 0;
	u->resid = n;
	u->user = true;
}
static inline void uio_init_kernel(struct uio *u, void *buf, size_t n)
{
	uio_init_user(u, (uptr_t)buf, n);
	u->user = false;
}
void uio_init_vec(struct uio *u, struct uio_vec *vec, unsigned nvec, bool user);

size_t uio_copy_to(struct uio *u, const void *src, size_t n); /* kernel → uio */
size_t uio_copy_from(struct uio *u, void *dst, size_t n); /* uio → kernel */
size_t uio_zero(struct uio *u, size_t n);
void uio_advance(struct uio *u, size_t n);
void uio_revert(struct uio *u, size_t n); /* back by n bytes just moved */
/* Touches up to n bytes of the user buffer so that a later copy with locks held is likely to succeed;
 * -EFAULT when nothing of it is accessible. */
int uio_prefault(struct uio *u, size_t n, bool write);
