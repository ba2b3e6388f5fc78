/* What a port's ktest/ brings for the stages of the FPU: a vector register, or a part of one, to be tried. */
#pragma once
#include <lib/types.h>

void fpu_test_set(u64 v);
u64 fpu_test_get(void);
