/* Kernel command line: words `name` or `name=value`, each handled by one KPARAM. */
#pragma once
#include <lib/types.h>

struct kparam {
	const char *name;
	/* value is "" for a bare word. 0, or -EINVAL: reported on the log by the caller. */
	int (*set)(const char *value);
};

#define KPARAM(pname, handler)                                                                     \
	static const struct kparam __used __section(".kparams") __aligned(8)                       \
		kparam_##pname = { #pname, handler }

/* Parses the command line; later words win. Boot CPU, before anything that has parameters. */
void kparam_parse(const char *cmdline);
/* What /proc/cmdline shows: secrets (nonce=) blanked. */
const char *kparam_public_cmdline(void);
