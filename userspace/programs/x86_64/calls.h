/* Calls that only older ABIs have and a storm must not try: they wait, fork or reach the hardware. */
#pragma once
#define PORT_LEFT_OUT SYS_pause, SYS_fork, SYS_vfork, SYS_iopl, SYS_ioperm, SYS_modify_ldt
