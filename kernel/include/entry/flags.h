/* The bits of the thread's flags word as numbers, for assembly. sched/thread.h names them for C; the two
 * are compared in kernel/entry/return.c. */
#pragma once

#define TF_WORK_MASK_ASM 0x0f
/* What a system call's exit tests: that, and TF_TRACE_SYSCALL. */
#define TF_SYSCALL_WORK_MASK_ASM 0x1f
#ifdef __ASSEMBLER__
#define TF_WORK_MASK TF_WORK_MASK_ASM
#define TF_SYSCALL_WORK_MASK TF_SYSCALL_WORK_MASK_ASM
#endif
