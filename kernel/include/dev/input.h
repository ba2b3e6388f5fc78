/* Keyboards: drivers report keys, tty/ makes characters of them. */
#pragma once
#include <lib/types.h>

/* A key (a code of Linux's KEY_*) went down or up. Interrupt context, no lock held. Set by tty/ while it starts;
 * NULL: nobody wants them. */
extern void (*input_key)(u16 code, bool down);
extern unsigned input_devices; /* [I] after drivers started: how many there are */
