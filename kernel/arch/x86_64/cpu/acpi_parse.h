/* ACPI tables as bytes: pure parsers, tested on the host. */
#pragma once
#include <lib/types.h>

struct acpi_header {
	char signature[4];
	u32 length;
	u8 revision, checksum;
	char oem_id[6], oem_table_id[8];
	u32 oem_revision, creator_id, creator_revision;
} __packed;

#define ACPI_MAX_CPUS 64
#define ACPI_MAX_IOAPICS 8
#define ACPI_ISA_IRQS 16

struct acpi_madt {
	u64 lapic_base;
	unsigned nr_cpus; /* enabled ones */
	u32 apic_ids[ACPI_MAX_CPUS];
	unsigned nr_ioapics;
	struct {
		u32 base, gsi_base;
	} ioapics[ACPI_MAX_IOAPICS];
	struct {
		u32 gsi;
		bool overridden, level, active_low;
	} isa[ACPI_ISA_IRQS];
	bool has_8259;
};

struct acpi_gas { /* a register: space 0 memory, 1 port */
	u8 space, bit_width, bit_offset, access_size;
	u64 address;
} __packed;

struct acpi_fadt {
	u64 dsdt;
	u32 pm1a_control, pm1b_control, pm_timer; /* ports; 0: none */
	bool pm_timer_32bit, has_reset, hw_reduced;
	struct acpi_gas reset, sleep_control; /* address 0: none */
	u8 reset_value;
	u8 century;
};

/* True when the bytes sum to 0. */
bool acpi_checksum_ok(const void *data, size_t n);
/* All take a whole table with its header; 0, or -EINVAL for one that is too short or inconsistent. */
int acpi_parse_madt(const void *table, size_t size, struct acpi_madt *out);
int acpi_parse_fadt(const void *table, size_t size, struct acpi_fadt *out);
/* PCI Express configuration space: the first segment's. */
int acpi_parse_mcfg(const void *table, size_t size, u64 *base, u8 *first_bus, u8 *last_bus);
/* HPET registers' address. */
int acpi_parse_hpet(const void *table, size_t size, u64 *base);
/* Finds the package \_S5_ in AML; the two sleep types for soft off. 0 or -ENOENT. */
int acpi_find_s5(const void *aml, size_t size, u8 *slp_typ_a, u8 *slp_typ_b);

/* A device's resources as its _CRS buffer lists them. */
struct acpi_device_resources {
	u64 base;
	u32 size, irq;
	bool level, active_low;
};
/* Finds the i-th device whose hardware ID is the string hid, and reads the first memory range and interrupt
 * that follow it. 0 or -ENOENT. */
int acpi_find_device(const void *aml, size_t size, const char *hid, unsigned i,
		     struct acpi_device_resources *out);
