/*
 * Descriptor tables.
 *
 * struct files is shared by threads made with CLONE_FILES. Its table (an array of files, a bitmap of what
 * is in use, one of close-on-exec) grows by being copied; the old one is freed after a grace period. A
 * thread that has its table to itself looks up without lock or reference: nobody else can close what it
 * found. Others look up under rcu and take a reference, and look again whether it is still there.
 * files->lock protects all changes. Manual: open(2), dup(2), close_range(2).
 */
#include <debug/inject.h>
#include <lib/bitmap.h>
#include "internal.h"

#define INITIAL_FDS 64u

struct files_initial {
	struct files files;
	struct fdtable table;
	struct file *slots[INITIAL_FDS];
	unsigned long used[INITIAL_FDS / 64], cloexec[INITIAL_FDS / 64];
};

static struct kcache *files_cache;

static u64 default_limit(void)
{
	return 1024;
}
u64 (*fd_limit)(void) = default_limit;

void fdtable_init(void)
{
	files_cache = kcache_create("files", sizeof(struct files_initial), 64);
}

int files_create(struct files **out)
{
	struct files_initial *f = kcache_alloc(files_cache, ALLOC_ZERO);

	if (!f)
		return -ENOMEM;
	refcount_init(&f->files.refs, 1);
	spin_init(&f->files.lock, "files", RANK_FILES);
	f->table.size = INITIAL_FDS;
	f->table.files = f->slots;
	f->table.used = f->used;
	f->table.cloexec = f->cloexec;
	f->files.initial = &f->table;
	f->files.table = &f->table;
	*out = &f->files;
	return 0;
}

void files_get(struct files *fs)
{
	refcount_inc(&fs->refs);
}

static void table_free(struct fdtable *t)
{
	kfree(t->files);
	kfree(t);
}

static void table_free_rcu(struct rcu_head *head)
{
	table_free(container_of(head, struct fdtable, rcu));
}

/* Array, both bitmaps behind it. */
static struct fdtable *table_create(unsigned size)
{
	struct fdtable *t = kmalloc(sizeof(*t), 0);
	size_t bytes = size * sizeof(struct file *) + 2 * (size / 8);

	if (!t)
		return NULL;
	t->files = kzalloc(bytes);
	if (!t->files) {
		kfree(t);
		return NULL;
	}
	t->size = size;
	t->used = (unsigned long *)(t->files + size);
	t->cloexec = t->used + size / 64;
	return t;
}

static void table_copy(struct fdtable *to, const struct fdtable *from)
{
	unsigned n = min(to->size, from->size);

	memcpy(to->files, from->files, n * sizeof(*to->files));
	memcpy(to->used, from->used, n / 8);
	memcpy(to->cloexec, from->cloexec, n / 8);
}

/* Makes room for descriptor fd; files->lock held. */
static int grow(struct files *fs, unsigned fd)
{
	struct fdtable *old = fs->table, *t;

	if (fd >= FD_NR_MAX)
		return -EMFILE;
	t = table_create(max_t(unsigned, (unsigned)pow2_up(fd + 1), old->size * 2));
	if (!t)
		return -ENOMEM;
	table_copy(t, old);
	rcu_assign(fs->table, t);
	if (old != fs->initial)
		call_rcu(&old->rcu, table_free_rcu);
	return 0;
}

static unsigned highest_used(const struct fdtable *t)
{
	for (unsigned w = t->size / 64; w--;) {
		if (t->used[w])
			return w * 64 + 64;
	}
	return 0;
}

int files_fork(struct files *old, struct files **out)
{
	struct files *fs;
	unsigned n;
	int err = files_create(&fs);

	if (err)
		return err;
	spin_lock(&old->lock);
	n = highest_used(old->table);
	if (n > INITIAL_FDS) {
		err = grow(fs, n - 1);
		if (err) {
			spin_unlock(&old->lock);
			files_put(fs);
			return err;
		}
	}
	for (unsigned w = 0; w < n / 64; w++) {
		unsigned long bits = old->table->used[w];

		fs->table->cloexec[w] = old->table->cloexec[w];
		for (; bits; bits &= bits - 1) {
			unsigned fd = w * 64 + (unsigned)__builtin_ctzl(bits);
			struct file *f = old->table->files[fd];

			if (!f) { /* reserved by another thread of the parent, not yet open */
				bitmap_clear(fs->table->cloexec, fd);
				continue;
			}
			file_get(f);
			fs->table->files[fd] = f;
			bitmap_set(fs->table->used, fd);
		}
	}
	fs->next_fd = old->next_fd;
	spin_unlock(&old->lock);
	*out = fs;
	return 0;
}

static void close_file(struct files *fs, struct file *f)
{
	if (f->ops->flush)
		f->ops->flush(f);
	if (unlikely(f->inode && !list_empty(&f->inode->locks)))
		locks_close_fd(f, fs);
	file_put(f);
}

static void files_free_rcu(struct rcu_head *head)
{
	struct files *fs = container_of(head, struct files, rcu);

	if (fs->table != fs->initial)
		table_free(fs->table);
	kcache_free(files_cache, container_of(fs, struct files_initial, files));
}

void files_put(struct files *fs)
{
	struct fdtable *t = fs->table;

	if (!refcount_dec_and_test(&fs->refs))
		return;
	for (unsigned w = 0; w < t->size / 64; w++) {
		for (unsigned long bits = t->used[w]; bits; bits &= bits - 1) {
			struct file **slot = &t->files[w * 64 + (unsigned)__builtin_ctzl(bits)];
			struct file *f = *slot;

			if (!f)
				continue;
			rcu_assign(*slot, NULL);
			close_file(fs, f);
		}
	}
	call_rcu(&fs->rcu, files_free_rcu);
}

struct files *files_get_of(struct files *const *pp)
{
	struct files *fs;

	rcu_read_lock();
	fs = __atomic_load_n(pp, __ATOMIC_CONSUME);
	if (fs && !refcount_inc_not_zero(&fs->refs))
		fs = NULL;
	rcu_read_unlock();
	return fs;
}

bool files_has(struct files *fs, int fd)
{
	const struct fdtable *t = rcu_dereference(fs->table);

	return (unsigned)fd < t->size && rcu_dereference(t->files[fd]);
}

int files_unshare(void)
{
	struct files *old = current->files, *fs;
	int err;

	if (refcount_read(&old->refs) == 1)
		return 0;
	err = files_fork(old, &fs);
	if (err)
		return err;
	current->files = fs;
	files_put(old);
	return 0;
}

/* --- lookup --- */

/* Another thread may close it meanwhile: under rcu, with a reference. */
static struct file *get_shared(struct files *fs, unsigned fd)
{
	struct file *f;

	rcu_read_lock();
	for (;;) {
		struct fdtable *t = rcu_dereference(fs->table);

		f = fd < t->size ? rcu_dereference(t->files[fd]) : NULL;
		if (!f)
			break;
		if (refcount_inc_not_zero(&f->refs)) {
			if (likely(rcu_dereference(t->files[fd]) == f &&
				   rcu_dereference(fs->table) == t))
				break;
			rcu_read_unlock();
			file_put(f);
			rcu_read_lock();
		}
	}
	rcu_read_unlock();
	return f;
}

struct fd fd_get_any(int fd)
{
	struct files *fs = current->files;
	struct fd ret = { NULL, false };

	if (unlikely(!fs))
		return ret;
	if (likely(refcount_read(&fs->refs) == 1)) {
		const struct fdtable *t = fs->table;

		if (likely((unsigned)fd < t->size))
			ret.file = t->files[fd];
		return ret;
	}
	ret.file = get_shared(fs, (unsigned)fd);
	ret.ref = ret.file != NULL;
	return ret;
}

struct fd fd_get_slow(int fd)
{
	struct fd f = fd_get_any(fd);

	if (unlikely(f.file && f.file->mode & FMODE_PATH)) {
		fd_put(f);
		f.file = NULL;
		f.ref = false;
	}
	return f;
}

struct file *fd_get_file(int fd)
{
	struct fd f = fd_get(fd);

	if (f.file && !f.ref)
		file_get(f.file);
	return f.file;
}

struct file *files_get_file(struct files *fs, int fd)
{
	return get_shared(fs, (unsigned)fd);
}

struct file *files_next(struct files *fs, int *fd)
{
	for (unsigned n = (unsigned)*fd; n < files_table_size(fs); n++) {
		struct file *f = get_shared(fs, n);

		if (f) {
			*fd = (int)n;
			return f;
		}
	}
	return NULL;
}

unsigned files_table_size(struct files *fs)
{
	unsigned size;

	rcu_read_lock();
	size = rcu_dereference(fs->table)->size;
	rcu_read_unlock();
	return size;
}

/* --- allocation --- */

static int reserve_locked(struct files *fs, unsigned min_fd, u64 limit, bool cloexec)
{
	struct fdtable *t = fs->table;
	unsigned from = max(min_fd, fs->next_fd);
	size_t fd = bitmap_find_next_zero(t->used, t->size, min(from, t->size));
	int err;

	if (fd >= t->size)
		fd = max(from, t->size);
	if (fd >= limit)
		return -EMFILE;
	if (fd >= t->size) {
		err = grow(fs, (unsigned)fd);
		if (err)
			return err;
		t = fs->table;
	}
	bitmap_set(t->used, fd);
	if (cloexec)
		bitmap_set(t->cloexec, fd);
	else
		bitmap_clear(t->cloexec, fd);
	if (min_fd <= fs->next_fd)
		fs->next_fd = (unsigned)fd + 1;
	return (int)fd;
}

int fd_reserve(int min_fd, bool cloexec)
{
	struct files *fs = current->files;
	u64 limit = fd_limit();
	int fd;

	spin_lock(&fs->lock);
	fd = reserve_locked(fs, (unsigned)min_fd, limit, cloexec);
	spin_unlock(&fs->lock);
	return fd;
}

void fd_install(int fd, struct file *f)
{
	struct files *fs = current->files;

	/* The table must not be replaced by a larger copy at this moment. */
	spin_lock(&fs->lock);
	rcu_assign(fs->table->files[fd], f);
	spin_unlock(&fs->lock);
}

static void release_locked(struct files *fs, unsigned fd)
{
	bitmap_clear(fs->table->used, fd);
	if (fd < fs->next_fd && !INJECT("fd_not_lowest"))
		fs->next_fd = fd;
}

void fd_unreserve(int fd)
{
	struct files *fs = current->files;

	spin_lock(&fs->lock);
	release_locked(fs, (unsigned)fd);
	spin_unlock(&fs->lock);
}

int fd_alloc_install(struct file *f, bool cloexec)
{
	struct files *fs = current->files;
	u64 limit = fd_limit();
	int fd;

	spin_lock(&fs->lock);
	fd = reserve_locked(fs, 0, limit, cloexec);
	if (likely(fd >= 0))
		rcu_assign(fs->table->files[fd], f);
	spin_unlock(&fs->lock);
	return fd;
}

static struct file *take_locked(struct files *fs, unsigned fd)
{
	struct fdtable *t = fs->table;
	struct file *f;

	if (fd >= t->size || !t->files[fd])
		return NULL;
	f = t->files[fd];
	rcu_assign(t->files[fd], NULL);
	release_locked(fs, fd);
	return f;
}

int fd_close(int fd)
{
	struct files *fs = current->files;
	struct file *f;

	spin_lock(&fs->lock);
	f = take_locked(fs, (unsigned)fd);
	spin_unlock(&fs->lock);
	if (!f)
		return -EBADF;
	close_file(fs, f);
	return 0;
}

int fd_close_range(unsigned first, unsigned last, bool cloexec_only)
{
	struct files *fs = current->files;

	for (unsigned fd = first; fd <= last; fd++) {
		struct file *f = NULL;

		spin_lock(&fs->lock);
		fd = (unsigned)bitmap_find_next(fs->table->used, fs->table->size,
						min(fd, fs->table->size));
		if (fd >= fs->table->size || fd > last) {
			spin_unlock(&fs->lock);
			break;
		}
		if (cloexec_only)
			bitmap_set(fs->table->cloexec, fd);
		else
			f = take_locked(fs, fd);
		spin_unlock(&fs->lock);
		if (f)
			close_file(fs, f);
	}
	return 0;
}

void files_close_on_exec(struct files *fs)
{
	struct fdtable *t = fs->table;

	for (unsigned w = 0; w < t->size / 64; w++) {
		unsigned long bits = INJECT("exec_keeps_cloexec") ? 0 : t->cloexec[w] & t->used[w];

		for (; bits; bits &= bits - 1) {
			unsigned fd = w * 64 + (unsigned)__builtin_ctzl(bits);
			struct file *f;

			spin_lock(&fs->lock);
			f = take_locked(fs, fd);
			bitmap_clear(t->cloexec, fd);
			spin_unlock(&fs->lock);
			if (f)
				close_file(fs, f);
		}
	}
}

/* --- copies and flags --- */

int fd_dup(int oldfd, int min_fd, bool cloexec)
{
	struct fd f = fd_get_any(oldfd);
	int fd;

	if (!f.file)
		return -EBADF;
	if (min_fd < 0 || (u64)min_fd >= fd_limit()) {
		fd_put(f);
		return -EINVAL;
	}
	fd = fd_reserve(min_fd, cloexec);
	if (fd >= 0) {
		file_get(f.file);
		fd_install(fd, f.file);
	}
	fd_put(f);
	return fd;
}

static int dup_to_locked(struct files *fs, struct file *f, unsigned fd, bool cloexec,
			 struct file **old)
{
	int err;

	if (fd >= fs->table->size) {
		err = grow(fs, fd);
		if (err)
			return err;
	}
	*old = fs->table->files[fd];
	if (!*old && bitmap_test(fs->table->used, fd))
		return -EBUSY; /* being opened by another thread */
	file_get(f);
	rcu_assign(fs->table->files[fd], f);
	bitmap_set(fs->table->used, fd);
	if (cloexec || INJECT("dup_cloexec"))
		bitmap_set(fs->table->cloexec, fd);
	else
		bitmap_clear(fs->table->cloexec, fd);
	return (int)fd;
}

int fd_dup_to(int oldfd, int newfd, bool cloexec)
{
	struct files *fs = current->files;
	struct fd f = fd_get_any(oldfd);
	struct file *old = NULL;
	int ret;

	if (!f.file)
		return -EBADF;
	if (newfd < 0 || (u64)newfd >= fd_limit()) {
		fd_put(f);
		return -EBADF;
	}
	spin_lock(&fs->lock);
	ret = dup_to_locked(fs, f.file, (unsigned)newfd, cloexec, &old);
	spin_unlock(&fs->lock);
	if (old)
		close_file(fs, old);
	fd_put(f);
	return ret;
}

int fd_get_cloexec(int fd)
{
	struct files *fs = current->files;
	int ret = -EBADF;

	spin_lock(&fs->lock);
	if ((unsigned)fd < fs->table->size && fs->table->files[fd])
		ret = bitmap_test(fs->table->cloexec, (unsigned)fd);
	spin_unlock(&fs->lock);
	return ret;
}

int fd_set_cloexec(int fd, bool on)
{
	struct files *fs = current->files;
	int ret = -EBADF;

	spin_lock(&fs->lock);
	if ((unsigned)fd < fs->table->size && fs->table->files[fd]) {
		if (on)
			bitmap_set(fs->table->cloexec, (unsigned)fd);
		else
			bitmap_clear(fs->table->cloexec, (unsigned)fd);
		ret = 0;
	}
	spin_unlock(&fs->lock);
	return ret;
}
