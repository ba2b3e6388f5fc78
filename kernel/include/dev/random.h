/* Where /dev/random gets its bytes: registered by the generator's owner. */
#pragma once
#include <lib/types.h>

/* Fills buf; thread context. Until somebody registers one, hardware randomness only. */
extern void (*dev_random_fill)(void *buf, size_t n);
