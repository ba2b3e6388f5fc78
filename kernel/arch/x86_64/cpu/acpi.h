/* What the firmware's ACPI tables say; filled by acpi_init(). */
#pragma once
#include "acpi_parse.h"

struct acpi_info {
	bool present, has_madt, has_fadt, has_s5;
	struct acpi_madt madt;
	struct acpi_fadt fadt;
	u8 s5_a, s5_b;
	u64 hpet; /* address; 0: none */
	u64 ecam; /* PCI Express configuration space; 0: none */
	u8 ecam_first_bus, ecam_last_bus;
};
extern struct acpi_info acpi_info; /* [I] after acpi_init() */

/* The i-th device with that hardware ID in the DSDT; false past the last. Thread context. */
#define ACPI_VIRTIO_MMIO "LNRO0005"
bool acpi_device(const char *hid, unsigned i, struct acpi_device_resources *out);

/* Finds and checks the tables. Machines without them are fine: one CPU, fixed addresses. */
void acpi_init(void);
