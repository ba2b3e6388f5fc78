/* Boot stages of the kernel's own mappings: who may write, who may execute. */
#include <arch/mmu.h>
#include <debug/stage.h>
#include <mm/pgtable.h>

extern const char __text_start[], __text_end[], __rodata_start[], __data_start[];

static int check_prot(struct stage *s, const void *where, unsigned want, unsigned refuse)
{
	int level;
	pte_t *pte = pgtable_lookup(kernel_root, (vaddr_t)where, &level);
	unsigned prot;

	STAGE_CHECK(s, pte && pte_present(pte_read(pte)));
	prot = pte_prot(pte_read(pte));
	if ((prot & want) != want || (prot & refuse))
		return stage_fail(s, "protection %#x at %p: wanted %#x without %#x", prot, where,
				  want, refuse);
	return 0;
}

int stage_kernel_text_read_only(struct stage *s)
{
	for (const char *p = __text_start; p < __text_end; p += PAGE_SIZE) {
		int result = check_prot(s, p, PT_READ | PT_EXEC, PT_WRITE | PT_USER);

		if (result)
			return result;
	}
	return 0;
}

int stage_kernel_rodata(struct stage *s)
{
	return check_prot(s, __rodata_start, PT_READ, PT_WRITE | PT_EXEC | PT_USER);
}

int stage_kernel_data_not_executable(struct stage *s)
{
	return check_prot(s, __data_start, PT_READ | PT_WRITE, PT_EXEC | PT_USER);
}

int stage_direct_map_not_executable(struct stage *s)
{
	return check_prot(s, phys_to_virt(virt_to_phys(__text_start)), PT_READ, PT_EXEC | PT_USER);
}
