/* CPU features: start-up; the rest of the port tests cpu_has() of <asm/cpu.h>. */
#pragma once

void cpu_features_init(void); /* boot CPU: finds and stores */
void cpu_features_enable(void); /* every CPU: vectors, PAN */
/* The i-th word of "Features" in /proc/cpuinfo that this CPU has; NULL past the last. */
const char *cpu_feature_name(unsigned i);
