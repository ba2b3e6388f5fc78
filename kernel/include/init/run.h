/* What kernel/init's own files share. */
#pragma once
#include <lib/types.h>

/* The first event of a boot. */
void stages_announce(void);
/* crash_test=WAY of the command line: ends the kernel in that way (tests/ktest/crash_test.c). */
void crash_test_run(void);
