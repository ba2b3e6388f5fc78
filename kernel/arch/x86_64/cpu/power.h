/* Maps what arch_poweroff() and arch_reboot() will need. */
#pragma once
void power_init(void);
