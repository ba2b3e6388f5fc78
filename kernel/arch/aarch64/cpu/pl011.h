/* Registers of the PL011 serial port. Manual: DDI 0183, 3.2. */
#pragma once

#define PL011_DR 0x00
#define PL011_FR 0x18
#define PL011_LCRH 0x2c
#define PL011_CR 0x30
#define PL011_IFLS 0x34
#define PL011_IMSC 0x38
#define PL011_ICR 0x44

#define PL011_FR_RX_EMPTY 0x10
#define PL011_FR_TX_FULL 0x20
#define PL011_LCRH_FIFO 0x10
#define PL011_LCRH_8BIT 0x60
#define PL011_CR_ENABLE 0x301 /* port, transmitter, receiver */
#define PL011_INT_RX 0x10
#define PL011_INT_RX_TIMEOUT 0x40
