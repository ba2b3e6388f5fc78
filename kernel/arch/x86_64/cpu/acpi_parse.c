/*
 * ACPI table parsers. No state, no locks; every length is checked against the table's before use.
 *
 * AML is not interpreted: \_S5_ is found by its encoded name and the package read in place, which is how
 * firmware writes it. Manual: ACPI 6.4, 5.2 (tables), 7.4.2 (_S5_), 20.2.4 (package length).
 */
#include <lib/errno.h>
#include <lib/string.h>
#include "acpi_parse.h"

static u16 get16(const u8 *p)
{
	return (u16)(p[0] | p[1] << 8);
}
static u32 get32(const u8 *p)
{
	return get16(p) | (u32)get16(p + 2) << 16;
}
static u64 get64(const u8 *p)
{
	return get32(p) | (u64)get32(p + 4) << 32;
}

bool acpi_checksum_ok(const void *data, size_t n)
{
	const u8 *p = data;
	u8 sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = (u8)(sum + p[i]);
	return sum == 0;
}

enum {
	MADT_LAPIC = 0,
	MADT_IOAPIC = 1,
	MADT_OVERRIDE = 2,
	MADT_LAPIC_ADDRESS = 5,
	MADT_X2APIC = 9
};
#define MADT_CPU_ENABLED 1

static void madt_add_cpu(struct acpi_madt *out, u32 id, u32 flags)
{
	if (flags & MADT_CPU_ENABLED && out->nr_cpus < ACPI_MAX_CPUS)
		out->apic_ids[out->nr_cpus++] = id;
}

static void madt_override(struct acpi_madt *out, const u8 *e)
{
	u8 source = e[3];
	u16 flags = get16(e + 8);

	if (source >= ACPI_ISA_IRQS)
		return;
	out->isa[source].gsi = get32(e + 4);
	out->isa[source].overridden = true;
	out->isa[source].active_low = (flags & 3) == 3;
	out->isa[source].level = (flags >> 2 & 3) == 3;
}

static void madt_entry(struct acpi_madt *out, const u8 *e, u8 len)
{
	if (e[0] == MADT_LAPIC && len >= 8) {
		madt_add_cpu(out, e[3], get32(e + 4));
	} else if (e[0] == MADT_X2APIC && len >= 16) {
		madt_add_cpu(out, get32(e + 4), get32(e + 8));
	} else if (e[0] == MADT_IOAPIC && len >= 12) {
		if (out->nr_ioapics < ACPI_MAX_IOAPICS) {
			out->ioapics[out->nr_ioapics].base = get32(e + 4);
			out->ioapics[out->nr_ioapics++].gsi_base = get32(e + 8);
		}
	} else if (e[0] == MADT_OVERRIDE && len >= 10) {
		madt_override(out, e);
	} else if (e[0] == MADT_LAPIC_ADDRESS && len >= 12) {
		out->lapic_base = get64(e + 4);
	}
}

int acpi_parse_madt(const void *table, size_t size, struct acpi_madt *out)
{
	const u8 *p = table;
	size_t pos = 44;

	if (size < 44)
		return -EINVAL;
	memset(out, 0, sizeof(*out));
	out->lapic_base = get32(p + 36);
	out->has_8259 = get32(p + 40) & 1;
	for (unsigned i = 0; i < ACPI_ISA_IRQS; i++)
		out->isa[i].gsi = i;
	while (pos + 2 <= size) {
		u8 len = p[pos + 1];

		if (len < 2 || pos + len > size)
			return -EINVAL;
		madt_entry(out, p + pos, len);
		pos += len;
	}
	return 0;
}

#define FADT_RESET_SUPPORTED BIT(10)
#define FADT_TIMER_32BIT BIT(8)
#define FADT_HW_REDUCED BIT(20)

static void get_gas(const u8 *p, size_t size, size_t offset, struct acpi_gas *out)
{
	if (offset + sizeof(*out) <= size)
		memcpy(out, p + offset, sizeof(*out));
}

int acpi_parse_fadt(const void *table, size_t size, struct acpi_fadt *out)
{
	const u8 *p = table;
	u32 flags;

	if (size < 116)
		return -EINVAL;
	memset(out, 0, sizeof(*out));
	flags = get32(p + 112);
	out->dsdt = get32(p + 40);
	if (size >= 148 && get64(p + 140))
		out->dsdt = get64(p + 140);
	out->pm1a_control = get32(p + 64);
	out->pm1b_control = get32(p + 68);
	out->pm_timer = get32(p + 76);
	out->pm_timer_32bit = flags & FADT_TIMER_32BIT;
	out->century = p[108];
	out->hw_reduced = flags & FADT_HW_REDUCED;
	if (flags & FADT_RESET_SUPPORTED && size >= 129) {
		get_gas(p, size, 116, &out->reset);
		out->reset_value = p[128];
		out->has_reset = out->reset.address != 0;
	}
	get_gas(p, size, 244, &out->sleep_control);
	return 0;
}

int acpi_parse_mcfg(const void *table, size_t size, u64 *base, u8 *first_bus, u8 *last_bus)
{
	const u8 *p = table;

	if (size < 60)
		return -EINVAL;
	*base = get64(p + 44);
	*first_bus = p[54];
	*last_bus = p[55];
	return 0;
}

int acpi_parse_hpet(const void *table, size_t size, u64 *base)
{
	const u8 *p = table;

	if (size < 56 || p[40] != 0)
		return -EINVAL;
	*base = get64(p + 44);
	return 0;
}

enum {
	AML_ZERO = 0,
	AML_ONE = 1,
	AML_NAME = 8,
	AML_BYTE = 0xa,
	AML_WORD = 0xb,
	AML_PACKAGE = 0x12
};

/* A small integer at *pos, which moves behind it. */
static bool aml_integer(const u8 *p, size_t size, size_t *pos, u8 *out)
{
	size_t i = *pos;

	if (i >= size)
		return false;
	if (p[i] == AML_ZERO || p[i] == AML_ONE) {
		*out = p[i];
		*pos = i + 1;
		return true;
	}
	if ((p[i] == AML_BYTE && i + 1 < size) || (p[i] == AML_WORD && i + 2 < size)) {
		*out = p[i + 1];
		*pos = i + (p[i] == AML_BYTE ? 2 : 3);
		return true;
	}
	return false;
}

int acpi_find_s5(const void *aml, size_t size, u8 *slp_typ_a, u8 *slp_typ_b)
{
	const u8 *p = aml;
	u8 a, b;

	for (size_t i = 1; i + 8 < size; i++) {
		bool named = p[i - 1] == AML_NAME ||
			     (i >= 2 && p[i - 1] == '\\' && p[i - 2] == AML_NAME);
		size_t pos = i + 4;

		if (memcmp(p + i, "_S5_", 4) || !named || p[pos] != AML_PACKAGE)
			continue;
		pos += 2 + (p[pos + 1] >> 6); /* package length: 1 to 4 bytes */
		pos++; /* number of elements */
		if (!aml_integer(p, size, &pos, &a))
			continue;
		if (!aml_integer(p, size, &pos, &b))
			b = a;
		*slp_typ_a = a;
		*slp_typ_b = b;
		return 0;
	}
	return -ENOENT;
}

#define AML_SEARCH_SPAN 192 /* from a hardware ID to its resources */
enum { RES_MEMORY32_FIXED = 0x86, RES_INTERRUPT = 0x89 };

static bool read_resources(const u8 *p, size_t n, struct acpi_device_resources *out)
{
	bool memory = false;

	for (size_t i = 0; i + 12 <= n; i++) {
		if (!memory && p[i] == RES_MEMORY32_FIXED && get16(p + i + 1) == 9) {
			out->base = get32(p + i + 4);
			out->size = get32(p + i + 8);
			memory = true;
			i += 11;
		} else if (memory && p[i] == RES_INTERRUPT && get16(p + i + 1) == 6 &&
			   p[i + 4] == 1) {
			out->level = !(p[i + 3] & 2);
			out->active_low = p[i + 3] & 4;
			out->irq = get32(p + i + 5);
			return true;
		}
	}
	return false;
}

int acpi_find_device(const void *aml, size_t size, const char *hid, unsigned index,
		     struct acpi_device_resources *out)
{
	const u8 *p = aml;
	size_t len = strlen(hid) + 1;

	for (size_t i = 0; i + len <= size; i++) {
		if (memcmp(p + i, hid, len))
			continue;
		if (index--)
			continue;
		i += len;
		return read_resources(p + i, min_t(size_t, size - i, AML_SEARCH_SPAN), out)
			       ? 0
			       : -ENOENT;
	}
	return -ENOENT;
}
