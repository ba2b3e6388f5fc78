/* Calls to firmware by PSCI. */
#pragma once
#include <lib/types.h>

void psci_init(void); /* from the device tree */
int psci_cpu_on(u64 cpu, paddr_t entry); /* 0, -EIO */
void psci_off(void); /* these return when it did not work */
void psci_reset(void);
