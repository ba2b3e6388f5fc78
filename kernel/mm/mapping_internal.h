/* Page-cache functions for mm/ alone. */
#pragma once
#include <mm/mapping.h>

/* For reclaim: takes p out of m when only the cache holds it. m->lock held. True: refs is 0... 1, and the
 * one reference is the caller's. */
bool mapping_evict_locked(struct mapping *m, struct page *p);
/* Unmaps pages first..last from all address spaces; private copies too when `copies`. m->lock held. */
void mapping_unmap_locked(struct mapping *m, u64 first, u64 last, bool copies);
/* Makes the page read-only wherever it is mapped, so that the next write is noticed. m->lock held. */
void mapping_protect_locked(struct mapping *m, u64 index);
