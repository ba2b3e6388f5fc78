#include "huge.h"
bool huge_wanted(const struct vma *v, uptr_t addr)
{
	return false;
}
enum fault_result huge_fault(struct vma *v, uptr_t addr, pte_t *l1)
{
	return FAULT_NOMEM;
}
enum fault_result huge_write(struct vma *v, uptr_t addr, pte_t *l1)
{
	return FAULT_DONE;
}
bool huge_unmap(struct unmap_batch *b, struct vma *v, pte_t *l1, uptr_t start, uptr_t end)
{
	return true;
}
int huge_split(struct mm *mm, pte_t *l1, uptr_t addr)
{
	return 0;
}
struct page *huge_page_get(pte_t *l1, uptr_t addr, bool write)
{
	return NULL;
}
