/* Ends of the machine: announced on the event channel, then done. Thread context; never return. */
#pragma once
#include <lib/types.h>

__noreturn void machine_poweroff(void);
__noreturn void machine_reboot(void);
__noreturn void machine_halt(void);
