/* I/O interrupt controllers; the rest of the interface is <arch/irq.h>. */
#pragma once
void ioapic_init(void); /* maps all, masks every line, silences the 8259s. Boot CPU. */
