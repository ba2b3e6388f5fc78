/* Randomness that firmware gave along. */
#pragma once
#include <lib/types.h>

void random_seed(void *seed, size_t n); /* takes a copy, and wipes it. Boot CPU, once. */
