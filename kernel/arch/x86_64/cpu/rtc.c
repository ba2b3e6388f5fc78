/*
 * Calendar time at boot from the CMOS clock.
 *
 * The clock is read until two readings agree, so that none is torn by its update. UTC is assumed.
 * Manual: MC146818.
 */
#include <arch/cpu.h>
#include <asm/cpu.h>
#include <lib/string.h>

#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71

struct rtc_time {
	u8 sec, min, hour, day, month, year, century, status_b;
};

static u8 cmos_read(u8 reg)
{
	outb(CMOS_INDEX, reg);
	return inb(CMOS_DATA);
}

static struct rtc_time rtc_sample(void)
{
	for (unsigned i = 0; i < 100000 && cmos_read(0x0a) & 0x80; i++)
		cpu_relax();
	return (struct rtc_time){
		.sec = cmos_read(0x00),
		.min = cmos_read(0x02),
		.hour = cmos_read(0x04),
		.day = cmos_read(0x07),
		.month = cmos_read(0x08),
		.year = cmos_read(0x09),
		.century = cmos_read(0x32),
		.status_b = cmos_read(0x0b),
	};
}

static unsigned from_bcd(u8 v, bool bcd)
{
	return bcd ? (v >> 4) * 10u + (v & 0xf) : v;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static u64 days_since_epoch(unsigned year, unsigned month, unsigned day)
{
	u64 y = month <= 2 ? year - 1 : year;
	u64 shifted = (month + 9) % 12; /* March is 0 */

	return y * 365 + y / 4 - y / 100 + y / 400 + (shifted * 306 + 5) / 10 + day - 1 - 719468;
}

u64 arch_rtc_read(void)
{
	struct rtc_time a = rtc_sample(), b;
	unsigned year, century, hour;
	bool bcd, pm;

	for (unsigned tries = 0; tries < 10; tries++) {
		b = a;
		a = rtc_sample();
		if (!memcmp(&a, &b, sizeof(a)))
			break;
	}
	bcd = !(a.status_b & 4);
	pm = !(a.status_b & 2) && a.hour & 0x80;
	hour = from_bcd(a.hour & 0x7f, bcd);
	if (!(a.status_b & 2))
		hour = hour % 12 + (pm ? 12 : 0);
	century = from_bcd(a.century, bcd);
	if (century < 19 || century > 29)
		century = 20;
	year = century * 100 + from_bcd(a.year, bcd);
	return days_since_epoch(year, from_bcd(a.month, bcd), from_bcd(a.day, bcd)) * 86400ull +
	       hour * 3600ull + from_bcd(a.min, bcd) * 60ull + from_bcd(a.sec, bcd);
}
