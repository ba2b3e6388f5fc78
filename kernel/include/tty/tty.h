/* Terminals. */
#pragma once
#include <lib/types.h>

/* The console tty, /dev/tty and pseudo-terminals. Thread context, after dev_init(). */
void tty_init(void);
