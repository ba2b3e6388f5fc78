/* The list of screens; filled by drivers, read by tty/ after them. No locks. */
#include <dev/video.h>

static struct video *first;

void video_register(struct video *v)
{
	struct video **last = &first;

	while (*last)
		last = &(*last)->next;
	v->next = NULL;
	*last = v;
}

struct video *video_first(void)
{
	return first;
}
