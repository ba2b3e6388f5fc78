/* A handler that notes the signal and leaves by a jump: for what a program does wrong on purpose. */
#pragma once
#include "stagetest.h"
#include <setjmp.h>

extern sigjmp_buf jump; /* where the handler goes */
extern volatile siginfo_t info; /* of the last signal */
extern volatile sig_atomic_t hits; /* how many there were */
void catch_signal(int sig, siginfo_t *si, void *uc);

/* A handler at this address, which cannot be one, ends a child by SIGSEGV. */
void check_bad_handler(uintptr_t address);
