/* The bits of the thread's flags word as numbers, for assembly. sched/thread.h names them for C; the two
 * are compared in kernel/entry/return.c. */
#pragma once

#define TF_WORK_MASK_ASM 0x0f
#ifdef __ASSEMBLER__
#define TF_WORK_MASK TF_WORK_MASK_ASM
#endif
