/*
 * User address spaces.
 *
 * An mm is a balanced tree of VMAs (with the last hit remembered and the largest gap of each subtree
 * kept, so that finding and placing are O(log n)) and a page table filled on demand. mm->lock is taken
 * for reading by faults, for writing by what changes the tree. Page-table entries are protected by the
 * lock in the struct page of their table.
 */
#pragma once
#include <arch/mmu.h>
#include <lib/atomic.h>
#include <lib/rbtree.h>
#include <sched/mutex.h>

struct file;
struct mapping;
struct vma;
struct page;

enum vm_flag {
	VM_READ = BIT(0),
	VM_WRITE = BIT(1),
	VM_EXEC = BIT(2),
	VM_SHARED = BIT(3),
	VM_MAYREAD = BIT(4),
	VM_MAYWRITE = BIT(5),
	VM_MAYEXEC = BIT(6),
	VM_GROWSDOWN = BIT(7),
	VM_STACK = BIT(8),
	VM_LOCKED = BIT(9),
	VM_DONTFORK = BIT(10),
	VM_WIPEONFORK = BIT(11),
	VM_NORESERVE = BIT(12),
	VM_HUGE = BIT(13), /* large anonymous pages may be used */
	VM_NOHUGE = BIT(14),
	VM_ACCOUNT = BIT(15),
	VM_SPECIAL = BIT(16), /* vDSO and the like: no merging, pages not counted */
	VM_HEAP = BIT(17),
	VM_DONTDUMP = BIT(18),
};

/* Special mappings: how to find a page. */
struct vma_ops {
	/* The page at index (of the mapping) for this vma; refs taken. 0, or -EXXX → SIGBUS. */
	int (*fault)(struct vma *vma, u64 index, struct page **out);
	const char *name; /* "[vdso]" in maps; NULL otherwise */
};

struct vma {
	uptr_t start, end; /* [x] mm->lock; page aligned */
	u32 flags;
	struct rb_node node;
	u64 gap, max_gap; /* before this vma; largest in its subtree */
	struct mm *mm;
	struct file *file; /* NULL: anonymous (private) */
	struct mapping *mapping; /* file's or shared-anonymous page cache */
	u64 pgoff; /* of start, in pages */
	const struct vma_ops *ops;
	void *ops_data;
	struct vma *gone_next; /* taken out of the tree, to be freed */
	struct list mapping_link; /* [x] mapping's lock: all that map it */
	bool has_anon; /* private pages may be here: fork must copy tables */
};

struct mm {
	struct rwsem lock;
	struct rb_root vmas; /* [x] lock */
	struct vma *last_hit; /* [a] */
	pte_t *root; /* [I] */
	unsigned long cpumask; /* [a] CPUs whose TLB may hold it */
	struct refcount users; /* threads */
	struct refcount refs; /* users (one), lazy CPUs, readers of /proc */
	u64 total_vm, locked_vm, data_vm, stack_vm; /* pages; [x] lock */
	u64 rss_anon, rss_file; /* [a] pages */
	u64 hiwater_rss;
	u64 nr_vmas;
	uptr_t brk_start, brk, mmap_base;
	uptr_t code_start, code_end, data_start, data_end;
	uptr_t stack_start, arg_start, arg_end, env_start, env_end;
	uptr_t vdso;
	u64 auxv[64]; /* as given to the program, for /proc/self/auxv */
	struct file *exe;
	u64 asid; /* arch */
	struct vma *gone; /* [x] lock: freed when it is released */
	u32 def_flags; /* mlockall(MCL_FUTURE): VM_LOCKED for new mappings */
	u32 membarrier; /* [a] commands that the process has registered for */
};

static inline u64 vma_pages(const struct vma *v)
{
	return (v->end - v->start) >> 12;
}
/* The page of the mapping that addr shows. */
static inline u64 vma_index(const struct vma *v, uptr_t addr)
{
	return v->pgoff + ((addr - v->start) >> 12);
}

/* Largest resident size so far, in pages. */
static inline u64 mm_rss_peak(const struct mm *mm)
{
	u64 now = mm->rss_anon + mm->rss_file;

	return now > mm->hiwater_rss ? now : mm->hiwater_rss;
}

int mm_create(struct mm **out);
int mm_fork(struct mm *parent, struct mm **out); /* copy on write; parent == current's. -ENOMEM */
void mm_get(struct mm *mm); /* refs */
void mm_put(struct mm *mm);
void mm_user_get(struct mm *mm);
bool mm_user_get_not_zero(struct mm *mm); /* for other processes: false when it is ending */
void mm_user_put(struct mm *mm); /* last: unmaps everything */
/* Makes mm the current thread's address space (exec); drops nothing. */
void mm_switch_current(struct mm *mm);

struct vma *vma_find(struct mm *mm, uptr_t addr); /* first with end > addr, or NULL; lock held */
struct vma *vma_next(struct vma *vma);
struct vma *vma_prev(struct vma *vma);

struct mmap_args {
	uptr_t addr; /* hint, or exact with fixed */
	size_t len; /* bytes, rounded up */
	u32 vm_flags; /* VM_READ… VM_SHARED */
	bool fixed, noreplace, populate;
	bool low; /* within the first 2 GiB (MAP_32BIT) */
	struct file *file;
	u64 pgoff;
	const struct vma_ops *ops;
	void *ops_data;
};
/* The lock is taken inside. 0 with *out the address, -ENOMEM, -EEXIST, -EINVAL, -EACCES... */
int mm_map(struct mm *mm, const struct mmap_args *a, uptr_t *out);
int mm_unmap(struct mm *mm, uptr_t addr, size_t len);
int mm_protect(struct mm *mm, uptr_t addr, size_t len, u32 prot /* VM_READ|WRITE|EXEC */);
int mm_brk(struct mm *mm, uptr_t brk); /* 0 or -ENOMEM; unchanged then */

/* Reads or writes another address space (ptrace, /proc/PID/mem, cmdline): bytes done. Protection of
 * private mappings does not count: a write gets a page of its own. */
size_t mm_access(struct mm *mm, uptr_t addr, void *buf, size_t n, bool write);
/* The same, with the protection obeyed (process_vm_readv). */
size_t mm_access_checked(struct mm *mm, uptr_t addr, void *buf, size_t n, bool write);
/* Faults pages in. 0, -ENOMEM (not mapped, or no memory), -EINVAL (not allowed), -EFAULT (past the end of
 * the file), -EINTR (being killed). The lock not held. */
enum populate_mode { POPULATE_READ, POPULATE_WRITE, POPULATE_BY_VMA };
int mm_populate(struct mm *mm, uptr_t addr, size_t len, enum populate_mode mode);
/* mremap(2) and madvise(2) behind the system calls; flags and advice as in the ABI. */
int mm_remap(struct mm *mm, uptr_t addr, size_t old_len, size_t new_len, unsigned flags,
	     uptr_t new_addr, uptr_t *out);
int mm_advise(struct mm *mm, uptr_t addr, size_t len, int advice);
/* Sets and clears flags of all VMAs in a range that is mapped whole: 0, -ENOMEM. */
int mm_change_flags(struct mm *mm, uptr_t start, uptr_t end, u32 set, u32 clear);
/* One byte for each page: 1 when it is in memory. 0, -ENOMEM when something is not mapped. */
int mm_incore(struct mm *mm, uptr_t addr, u64 npages, u8 *vec);

#define MM_MAP_COUNT_MAX 65530
#define MM_STACK_GAP (256ul << 12) /* kept free below a stack */
#define MM_MMAP_MIN 65536ul /* lower addresses only when asked for with fixed */

/*
 * What mm/ needs of open files; defined above it, in syscall/mm_files.c. mm_file_mmap fills vma->mapping or
 * vma->ops for a mapping of f that is being made: 0, -ENODEV, or the file's own error.
 */
void mm_file_get(struct file *f);
void mm_file_put(struct file *f);
int mm_file_mmap(struct file *f, struct vma *vma);

/* RLIMIT values mm/ needs; registered by proc/. Returns the soft limit in bytes. */
enum mm_limit { MM_LIMIT_AS, MM_LIMIT_DATA, MM_LIMIT_STACK, MM_LIMIT_MEMLOCK };
extern u64 (*mm_limit)(enum mm_limit which);
/* Registered by proc/: kill the largest process; true if one was chosen. */
extern bool (*mm_oom_kill)(void);
