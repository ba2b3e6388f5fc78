/* Fault injection: which names are on, from inject=NAME,NAME on the command line (VARIANT=inject). */
#include <debug/inject.h>
#include <debug/param.h>
#include <lib/string.h>

#ifdef CONFIG_INJECT
static const char *enabled = ""; /* [I] after the command line was parsed */

bool inject_enabled(const char *name)
{
	size_t n = strlen(name);

	for (const char *p = enabled; *p;) {
		const char *end = strchr(p, ',');
		size_t len = end ? (size_t)(end - p) : strlen(p);

		if (len == n && !memcmp(p, name, n))
			return true;
		p += len + !!end;
	}
	return false;
}

static int set_inject(const char *value)
{
	enabled = value;
	return 0;
}
KPARAM(inject, set_inject);
#endif
