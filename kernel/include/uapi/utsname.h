/* uname(2), sysinfo(2) and reboot(2) in the Linux ABI. */
#pragma once
#include <lib/types.h>

#define UTS_LEN 64
struct utsname {
	char sysname[UTS_LEN + 1], nodename[UTS_LEN + 1], release[UTS_LEN + 1];
	char version[UTS_LEN + 1], machine[UTS_LEN + 1], domainname[UTS_LEN + 1];
};
BUILD_ASSERT(sizeof(struct utsname) == 390);

struct sysinfo {
	s64 uptime; /* seconds */
	u64 loads[3]; /* fixed point << 16 */
	u64 totalram, freeram, sharedram, bufferram, totalswap, freeswap; /* mem_unit bytes */
	u16 procs;
	u16 pad_[3];
	u64 totalhigh, freehigh;
	u32 mem_unit;
	u32 pad2_;
};
BUILD_ASSERT(sizeof(struct sysinfo) == 112);

#define LINUX_REBOOT_MAGIC1 0xfee1deadu
#define LINUX_REBOOT_MAGIC2 672274793u
#define LINUX_REBOOT_MAGIC2A 85072278u
#define LINUX_REBOOT_MAGIC2B 369367448u
#define LINUX_REBOOT_MAGIC2C 537993216u
#define LINUX_REBOOT_CMD_RESTART 0x01234567u
#define LINUX_REBOOT_CMD_HALT 0xcdef0123u
#define LINUX_REBOOT_CMD_CAD_ON 0x89abcdefu
#define LINUX_REBOOT_CMD_CAD_OFF 0x00000000u
#define LINUX_REBOOT_CMD_POWER_OFF 0x4321fedcu
#define LINUX_REBOOT_CMD_RESTART2 0xa1b2c3d4u
#define LINUX_REBOOT_CMD_SW_SUSPEND 0xd000fce2u
#define LINUX_REBOOT_CMD_KEXEC 0x45584543u

#define GRND_NONBLOCK 0x0001u
#define GRND_RANDOM 0x0002u
#define GRND_INSECURE 0x0004u
