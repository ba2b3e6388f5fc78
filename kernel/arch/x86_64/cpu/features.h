/* CPU features: start-up and texts; the rest of the port tests cpu_has() of <asm/cpu.h>. */
#pragma once
#include <lib/types.h>

void cpu_features_init(void); /* boot CPU: finds, checks, stores; patches the SMAP sites */
void cpu_features_enable(void); /* every CPU: control registers, EFER, system-call registers */
