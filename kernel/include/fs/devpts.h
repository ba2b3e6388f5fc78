/* devpts: the names of the pseudo-terminals' slaves. */
#pragma once
#include <lib/types.h>

void devpts_init(void); /* registers the file system */
/* A node named by the number, owned by current. 0, -ENOMEM. Thread context. */
int devpts_add(unsigned n, dev_t devno);
void devpts_remove(unsigned n);
