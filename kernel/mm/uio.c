/*
 * Transfers to and from user buffers or kernel memory (mm/uio.h).
 *
 * A uio is a cursor over one or more pieces; every operation moves it by what it really moved, so that a
 * caller can report a partial result at a bad address as readv(2) and writev(2) do. No locks: a uio
 * belongs to the thread that made it.
 */
#include <arch/pte.h>
#include <arch/uaccess.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/uio.h>

enum uio_op { UIO_TO, UIO_FROM, UIO_ZERO };

void uio_init_vec(struct uio *u, struct uio_vec *vec, unsigned nvec, bool user)
{
	u->vec = vec;
	u->nvec = nvec;
	u->off = 0;
	u->resid = 0;
	u->user = user;
	for (unsigned i = 0; i < nvec; i++)
		u->resid += vec[i].len;
}

void uio_advance(struct uio *u, size_t n)
{
	n = min(n, u->resid);
	u->resid -= n;
	u->off += n;
	while (u->nvec > 1 && u->off >= u->vec->len) {
		u->off -= u->vec->len;
		u->vec++;
		u->nvec--;
	}
}

void uio_revert(struct uio *u, size_t n)
{
	u->resid += n;
	while (n > u->off) {
		n -= u->off;
		u->vec--;
		u->nvec++;
		u->off = u->vec->len;
	}
	u->off -= n;
}

/* Moves up to n bytes of one piece; how many. */
static size_t move_piece(bool user, uptr_t at, void *mem, size_t n, enum uio_op op)
{
	if (user) {
		switch (op) {
		case UIO_TO: return n - copy_to_user_partial(at, mem, n);
		case UIO_FROM: return n - copy_from_user_partial(mem, at, n);
		case UIO_ZERO: break;
		}
		return clear_user(at, n) ? 0 : n;
	}
	switch (op) {
	case UIO_TO: memcpy((void *)at, mem, n); break;
	case UIO_FROM: memcpy(mem, (const void *)at, n); break;
	case UIO_ZERO: memset((void *)at, 0, n); break;
	}
	return n;
}

static size_t move(struct uio *u, char *mem, size_t n, enum uio_op op)
{
	size_t done = 0;

	while (n && u->resid) {
		size_t piece = u->vec->len - u->off, moved;

		piece = min(piece, n);
		moved = move_piece(u->user, u->vec->base + u->off, mem, piece, op);
		done += moved;
		n -= moved;
		if (mem)
			mem += moved;
		uio_advance(u, moved);
		if (moved < piece)
			break;
	}
	return done;
}

size_t uio_copy_to(struct uio *u, const void *src, size_t n)
{
	n = min(n, u->resid);
	if (likely(u->user && u->vec->len - u->off >= n)) {
		n -= copy_to_user_partial(u->vec->base + u->off, src, n);
		uio_advance(u, n);
		return n;
	}
	return move(u, (char *)src, n, UIO_TO);
}

size_t uio_copy_from(struct uio *u, void *dst, size_t n)
{
	n = min(n, u->resid);
	if (likely(u->user && u->vec->len - u->off >= n)) {
		n -= copy_from_user_partial(dst, u->vec->base + u->off, n);
		uio_advance(u, n);
		return n;
	}
	return move(u, dst, n, UIO_FROM);
}

size_t uio_zero(struct uio *u, size_t n)
{
	size_t done = 0;

	n = min(n, u->resid);
	/* By pages: clear_user says nothing about how far it came. */
	while (done < n) {
		uptr_t at = u->vec->base + u->off;
		size_t piece = min(n - done, PAGE_SIZE - (at & (PAGE_SIZE - 1)));
		size_t moved = move(u, NULL, piece, UIO_ZERO);

		done += moved;
		if (moved < piece)
			break;
	}
	return done;
}

int uio_prefault(struct uio *u, size_t n, bool write)
{
	uptr_t at;
	size_t piece;
	u8 c;

	while (u->nvec > 1 && u->off >= u->vec->len)
		uio_advance(u, 0);
	if (!u->user || !u->resid || !n)
		return 0;
	piece = u->vec->len - u->off;
	piece = min(piece, n);
	at = u->vec->base + u->off;
	if (!user_range_ok(at, piece))
		return -EFAULT;
	/* The first byte decides; the others are touched to bring them in. */
	for (size_t i = 0; i < piece; i += PAGE_SIZE - ((at + i) & (PAGE_SIZE - 1))) {
		if (copy_from_user(&c, at + i, 1) || (write && copy_to_user(at + i, &c, 1)))
			return i ? 0 : -EFAULT;
	}
	return 0;
}
