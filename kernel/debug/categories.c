/*
 * debug=CATEGORY,...: which events are wanted. Categories are those of debug/event.h; a build may have its
 * own choice to begin with (make DEBUG_EVENTS=...), which debug=none takes back. A name that does not exist
 * is remembered, and ends the start of the kernel with the list (init/main.c): a run that traces less than
 * it was asked to is worse than none.
 */
#include <debug/event.h>
#include <debug/param.h>
#include <debug/trace.h>
#include <lib/format.h>
#include <lib/string.h>

#ifndef DEBUG_EVENTS
#define DEBUG_EVENTS ""
#endif

/* Always in the ring, for the report of a panic: signals between processes are rare, and tell much. */
#define ALWAYS_RECORDED BIT(EVC_SIGNAL)

#define NAME(upper, lower) [EVC_##upper] = #lower,
static const char *const names[EVC_COUNT] = { EVENT_CATEGORIES(NAME) };
static char refused[128]; /* [I] after the command line was read */

u32 event_mask;
u32 trace_mask = ALWAYS_RECORDED;

static int category_find(const char *word, size_t n)
{
	for (int i = 0; i < EVC_COUNT; i++)
		if (strlen(names[i]) == n && !strncmp(names[i], word, n))
			return i;
	return -1;
}

static size_t word_length(const char *words)
{
	size_t n = 0;

	while (words[n] && words[n] != ',')
		n++;
	return n;
}

static void refuse(const char *word, size_t n)
{
	if (!*refused)
		snprintf(refused, sizeof(refused), "%.*s", (int)min(n, (size_t)64), word);
}

static void turn_on(const char *words)
{
	while (*words) {
		size_t n = word_length(words);
		int category = category_find(words, n);

		if (n == 4 && !strncmp(words, "none", n))
			event_set_mask(0);
		else if (n == 3 && !strncmp(words, "all", n))
			event_set_mask(BIT(EVC_COUNT) - 1);
		else if (category >= 0)
			event_set_mask(event_mask | BIT(category));
		else
			refuse(words, n);
		words += n + (words[n] == ',');
	}
}

void event_set_mask(u32 mask)
{
	WRITE_ONCE(event_mask, mask);
	WRITE_ONCE(trace_mask, mask | ALWAYS_RECORDED);
}

void event_categories_init(void)
{
	trace_init();
	turn_on(DEBUG_EVENTS);
}

static int set_debug(const char *value)
{
	turn_on(value);
	return *refused ? -1 : 0;
}
KPARAM(debug, set_debug);

const char *event_refused(char *list, size_t size)
{
	int n = 0;

	if (!*refused)
		return NULL;
	for (int i = 0; i < EVC_COUNT; i++)
		n += scnprintf(list + n, size - (size_t)n, "%s%s", i ? " " : "", names[i]);
	return refused;
}
