/*
 * The kernel command line: words are handed to the KPARAM of their name.
 *
 * Runs before there is an allocator: everything is in static buffers. The public copy, for
 * /proc/cmdline, has the value of nonce= blanked, which only kernel and runner may know.
 *
 * Locks: none; boot CPU only, [I] afterwards. Leaves out: quoting.
 */
#include <arch/mmu.h>
#include <core/param.h>
#include <debug/inject.h>
#include <debug/klog.h>
#include <lib/string.h>

#define CMDLINE_MAX 2048

extern const struct kparam __kparams_start[], __kparams_end[];

static char words[CMDLINE_MAX];
static char public_cmdline[CMDLINE_MAX];

static void set_one(char *word)
{
	char *value = strchr(word, '=');

	if (value)
		*value++ = '\0';
	for (const struct kparam *p = __kparams_start; p < __kparams_end; p++) {
		if (strcmp(p->name, word) != 0)
			continue;
		if (p->set(value ? value : "") != 0)
			log_warn("command line: bad value for %s: '%s'", word, value ? value : "");
		return;
	}
	log_warn("command line: '%s' is not known", word);
}

static void copy_public(const char *cmdline)
{
	char *s = public_cmdline;

	strscpy(public_cmdline, cmdline, sizeof(public_cmdline));
	for (bool at_start = true; *s; s++) {
		if (at_start && strncmp(s, "nonce=", 6) == 0)
			for (s += 6; *s && *s != ' '; s++)
				*s = '*';
		if (!*s)
			break;
		at_start = *s == ' ';
	}
}

void kparam_parse(const char *cmdline)
{
	char *s = words;

	copy_public(cmdline);
	if (strscpy(words, cmdline, sizeof(words)) < 0)
		log_warn("command line cut at %d bytes", CMDLINE_MAX - 1);
	while (*s) {
		char *word = s;

		while (*s && *s != ' ' && *s != '\t' && *s != '\n')
			s++;
		if (*s)
			*s++ = '\0';
		if (*word)
			set_one(word);
	}
}

const char *kparam_public_cmdline(void)
{
	return INJECT("cmdline_shows_nonce") ? boot_info.cmdline : public_cmdline;
}
