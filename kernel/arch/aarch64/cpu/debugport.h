/* The console's registers and the event channel, from the first reading of the device tree on. */
#pragma once
#include <lib/types.h>

/* The console that the device tree chooses, if it is a PL011. */
bool debugport_find(paddr_t *base);
/* Its registers are in the direct map now. */
void debugport_start(paddr_t base);
paddr_t debugport_base(void); /* 0: none */
int debugport_node(void); /* in the device tree; negative: none */
/* Looks for events=semihosting in the command line. */
void debugport_options(const char *cmdline);
