/* Between the halves of the line discipline: characters for the screen, gathered in l->out. */
#pragma once
#include "ldisc.h"

/* Through output processing, but not as ^X. */
void ldisc_out_raw(struct ldisc *l, u8 c);
/* One column back, whatever the modes. */
void ldisc_out_back(struct ldisc *l);
/* A typed character: control characters as ^X with ECHOCTL, others through output processing. */
void ldisc_echo(struct ldisc *l, u8 c);
void ldisc_echo_newline(struct ldisc *l);
void ldisc_out_flush(struct ldisc *l);
