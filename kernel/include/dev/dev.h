/* Devices: found and started once, at boot. */
#pragma once
#include <lib/types.h>

/* Finds buses and starts every driver of the linker set. Thread context, interrupts on. */
void dev_init(void);
