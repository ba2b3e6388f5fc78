/*
 * console=: which terminals get the kernel's log, and which is /dev/console. As on Linux the word may come
 * several times, the last one is /dev/console, and options of the line (",115200") are not for us.
 *
 * Locks: none; written while the command line is parsed, [I] afterwards.
 */
#include <debug/klog.h>
#include <debug/param.h>
#include <lib/string.h>

#define CONSOLES_MAX 4

static char names[CONSOLES_MAX][16];
static unsigned nr_names;

static int add_console(const char *value)
{
	const char *comma = strchr(value, ',');
	size_t n = comma ? (size_t)(comma - value) : strlen(value);

	if (!n || n >= sizeof(names[0]) || nr_names == CONSOLES_MAX)
		return -1;
	memcpy(names[nr_names++], value, n);
	return 0;
}
KPARAM(console, add_console);

bool console_wanted(const char *name)
{
	for (unsigned i = 0; i < nr_names; i++)
		if (!strcmp(names[i], name))
			return true;
	return !nr_names;
}

const char *console_preferred(void)
{
	return nr_names ? names[nr_names - 1] : NULL;
}
