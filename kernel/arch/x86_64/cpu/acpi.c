/*
 * Finding the ACPI tables.
 *
 * The root pointer comes from the boot protocol or is searched in the places of the BIOS. Tables with a
 * wrong checksum or length are logged and ignored. Tables lie in memory that may not be in the direct map,
 * so each is mapped; the mappings stay, for a handful of pages. Boot CPU, once. Manual: ACPI 6.4, 5.2.
 */
#include <arch/mmu.h>
#include <asm/boot.h>
#include <debug/klog.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/vmalloc.h>
#include "acpi.h"

struct acpi_info acpi_info;
static const struct acpi_header *dsdt; /* [I] checked; NULL: none */

struct acpi_rsdp {
	char signature[8];
	u8 checksum;
	char oem_id[6];
	u8 revision;
	u32 rsdt;
	u32 length;
	u64 xsdt;
	u8 checksum2, reserved[3];
} __packed;
#define RSDP_SIZE_V1 20
#define TABLE_MAX (4u << 20)

/* Physical memory as the direct map has it, or else a mapping. */
static const void *acpi_map(paddr_t pa, size_t n)
{
	if (pa + n <= 0x100000)
		return phys_to_virt(pa);
	for (unsigned i = 0; i < boot_info.nr_ranges; i++) {
		const struct memrange *r = &boot_info.ranges[i];

		if (r->kind != MEM_RESERVED && pa >= r->base && pa + n <= r->base + r->size)
			return phys_to_virt(pa);
	}
	return mmio_map(pa, n);
}

static bool rsdp_ok(const struct acpi_rsdp *r)
{
	if (memcmp(r->signature, "RSD PTR ", 8) || !acpi_checksum_ok(r, RSDP_SIZE_V1))
		return false;
	return r->revision < 2 || (r->length >= sizeof(*r) && r->length <= PAGE_SIZE &&
				   acpi_checksum_ok(r, r->length));
}

static const struct acpi_rsdp *rsdp_search(paddr_t base, size_t size)
{
	const char *p = phys_to_virt(base);

	for (size_t i = 0; i + sizeof(struct acpi_rsdp) <= size; i += 16)
		if (rsdp_ok((const void *)(p + i)))
			return (const void *)(p + i);
	return NULL;
}

static const struct acpi_rsdp *rsdp_find(void)
{
	const struct acpi_rsdp *r;

	if (acpi_rsdp) {
		r = acpi_map(acpi_rsdp, sizeof(*r));
		if (r && rsdp_ok(r))
			return r;
	}
	r = rsdp_search((paddr_t) * (const u16 *)phys_to_virt(0x40e) << 4 & 0xffff0, 1024);
	return r ? r : rsdp_search(0xe0000, 0x20000);
}

/* Maps and checks the table at pa; NULL when it is not to be trusted. */
static const struct acpi_header *table_map(paddr_t pa)
{
	const struct acpi_header *h = pa ? acpi_map(pa, sizeof(*h)) : NULL;

	if (!h || h->length < sizeof(*h) || h->length > TABLE_MAX)
		return NULL;
	h = acpi_map(pa, h->length);
	if (h && !acpi_checksum_ok(h, h->length)) {
		log_warn("acpi: table %.4s at %#llx: wrong checksum, ignored", h->signature, pa);
		return NULL;
	}
	return h;
}

static void use_fadt(const struct acpi_header *h)
{
	acpi_info.has_fadt = acpi_parse_fadt(h, h->length, &acpi_info.fadt) == 0;
	if (!acpi_info.has_fadt)
		return;
	dsdt = table_map(acpi_info.fadt.dsdt);
	if (dsdt)
		acpi_info.has_s5 = acpi_find_s5(dsdt + 1, dsdt->length - sizeof(*dsdt),
						&acpi_info.s5_a, &acpi_info.s5_b) == 0;
}

static void use_table(paddr_t pa)
{
	const struct acpi_header *h = table_map(pa);

	if (!h)
		return;
	if (!memcmp(h->signature, "APIC", 4))
		acpi_info.has_madt = acpi_parse_madt(h, h->length, &acpi_info.madt) == 0;
	else if (!memcmp(h->signature, "FACP", 4))
		use_fadt(h);
	else if (!memcmp(h->signature, "HPET", 4) &&
		 acpi_parse_hpet(h, h->length, &acpi_info.hpet) != 0)
		log_warn("acpi: HPET table not understood");
	else if (!memcmp(h->signature, "MCFG", 4) &&
		 acpi_parse_mcfg(h, h->length, &acpi_info.ecam, &acpi_info.ecam_first_bus,
				 &acpi_info.ecam_last_bus) != 0)
		log_warn("acpi: MCFG table not understood");
}

void acpi_init(void)
{
	const struct acpi_rsdp *rsdp = rsdp_find();
	const struct acpi_header *root;
	bool wide;
	size_t n;

	if (!rsdp) {
		log_warn("acpi: no tables");
		return;
	}
	wide = rsdp->revision >= 2 && rsdp->xsdt;
	root = table_map(wide ? rsdp->xsdt : rsdp->rsdt);
	if (!root) {
		log_warn("acpi: no root table");
		return;
	}
	acpi_info.present = true;
	n = (root->length - sizeof(*root)) / (wide ? 8 : 4);
	for (size_t i = 0; i < n; i++) {
		const char *entry = (const char *)(root + 1) + i * (wide ? 8 : 4);
		u64 pa = 0;

		memcpy(&pa, entry, wide ? 8 : 4);
		use_table(pa);
	}
}

bool acpi_device(const char *hid, unsigned i, struct acpi_device_resources *out)
{
	return dsdt && acpi_find_device(dsdt + 1, dsdt->length - sizeof(*dsdt), hid, i, out) == 0;
}
