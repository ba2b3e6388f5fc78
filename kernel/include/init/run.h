/* What kernel/init's own files share. */
#pragma once
#include <lib/types.h>

/* The first event of a boot. */
void stages_announce(void);
