/* The generic timer. */
#pragma once
void timer_start(void); /* the clock's zero: now, and it runs. Boot CPU, first thing. */
void timer_init(void); /* the interrupt, from the device tree */
