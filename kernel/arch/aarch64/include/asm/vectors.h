/* Exception classes and fault status of ESR_EL1. Manual: Arm ARM (DDI 0487), D17.2.37. */
#pragma once

#define ESR_EC(esr) ((unsigned)((esr) >> 26 & 0x3f))
#define ESR_WNR 0x40u /* data abort by a write */
#define ESR_CM 0x100u /* data abort by cache maintenance, which counts as a read */
#define ESR_FSC(esr) ((unsigned)((esr)&0x3f))

#define EC_UNKNOWN 0x00
#define EC_FP 0x07
#define EC_BTI 0x0d
#define EC_ILLEGAL_STATE 0x0e
#define EC_SVC 0x15
#define EC_SYSREG 0x18
#define EC_SVE 0x19
#define EC_PAUTH 0x1c
#define EC_SME 0x1d
#define EC_IABT_LOWER 0x20
#define EC_IABT 0x21
#define EC_PC_ALIGN 0x22
#define EC_DABT_LOWER 0x24
#define EC_DABT 0x25
#define EC_SP_ALIGN 0x26
#define EC_FLOAT 0x2c
#define EC_SERROR 0x2f
#define EC_BREAKPOINT 0x30
#define EC_STEP 0x32
#define EC_WATCHPOINT 0x34
#define EC_BRK 0x3c

/* Fault status: the lowest two bits are the level. */
#define FSC_KIND(esr) (ESR_FSC(esr) & 0x3cu)
#define FSC_TRANSLATION 0x04
#define FSC_ACCESS 0x08
#define FSC_PERMISSION 0x0c
#define FSC_ALIGNMENT 0x21
