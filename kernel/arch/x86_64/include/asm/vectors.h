/*
 * Interrupt vectors.
 *
 *   00-1f  exceptions
 *   20-df  device lines: vector = irq + VECTOR_IRQ_BASE, where irq is the GSI (below IRQ_MSI_BASE) or a
 *          message-signalled interrupt's number (from IRQ_MSI_BASE on)
 *   e0-ef  this CPU's timer, calls between CPUs
 *   ff     spurious (no EOI)
 *
 * IPI_STOP is an NMI: the NMI handler asks smp_stop_ipi() first.
 */
#pragma once

#define VECTOR_IRQ_BASE 0x20
#define VECTOR_IRQ_LAST 0xdf
#define IRQ_MSI_BASE 96
#define IRQ_MSI_LAST (VECTOR_IRQ_LAST - VECTOR_IRQ_BASE)
#define VECTOR_TIMER 0xe0
#define VECTOR_RESCHEDULE 0xe1
#define VECTOR_CALL 0xe2
#define VECTOR_APIC_ERROR 0xe3
#define VECTOR_SPURIOUS 0xff

#ifndef __ASSEMBLER__
/* Exceptions that somebody treats specially. */
enum vector {
	V_DB = 1,
	V_NMI = 2,
	V_DF = 8,
	V_GP = 13,
	V_PF = 14,
	V_MF = 16,
	V_MC = 18,
	V_XM = 19
};
#endif
