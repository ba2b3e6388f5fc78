/*
 * Checks of kernel objects: the consistency of slabs in every build (slab_check_all), and in debug builds
 * red zones around objects, poison in free ones, and who allocated or freed an object last.
 *
 * A slot of a debug build: struct slab_mark, the object, a red zone and a place. A free object is filled
 * with OBJECT_FREE but for its first word, which links it to the next.
 */
#include "slab_internal.h"
#include <debug/symbols.h>

static bool in_slab(const struct kcache *c, const struct page *slab, const void *obj)
{
	uintptr_t off = (uintptr_t)obj - (uintptr_t)page_to_virt(slab) - c->head;

	return off < (size_t)c->per_slab * c->slot_size && off % c->slot_size == 0;
}

#ifdef CONFIG_DEBUG

#define STATE_USED 0x7573656455534544ull
#define STATE_FREE 0x6672656546524545ull
#define REDZONE 0xcccccccccccccccdull
#define OBJECT_FREE 0x6b
#define OBJECT_NEW 0x5a

static struct slab_mark *mark_of(const void *obj)
{
	return (struct slab_mark *)((uintptr_t)obj - sizeof(struct slab_mark));
}

static struct slab_tail *tail_of(const struct kcache *c, const void *obj)
{
	return (struct slab_tail *)((uintptr_t)obj + ALIGN_UP(c->object_size, 8));
}

void slab_debug_init_object(struct kcache *c, void *obj)
{
	mark_of(obj)->state = STATE_FREE;
	tail_of(c, obj)->redzone = REDZONE;
	tail_of(c, obj)->place = 0;
	memset(obj, OBJECT_FREE, ALIGN_UP(c->object_size, 8));
}

/* What is wrong with an object in the given state, or NULL. */
static const char *object_wrong(const struct kcache *c, const void *obj, bool used)
{
	const u8 *bytes = obj;

	if (mark_of(obj)->state != (used ? STATE_USED : STATE_FREE)) {
		if (mark_of(obj)->state == (used ? STATE_FREE : STATE_USED))
			return used ? "freed twice" : "in use, but on a free list";
		return "bytes before it overwritten";
	}
	if (tail_of(c, obj)->redzone != REDZONE)
		return "bytes after it overwritten";
	for (size_t i = sizeof(void *); !used && i < c->object_size; i++)
		if (bytes[i] != OBJECT_FREE)
			return "written to after it was freed";
	return NULL;
}

static __noreturn void object_panic(struct kcache *c, const void *obj, const char *what,
				    uintptr_t place)
{
	char last[64], here[64];

	panic("slab %s: object %p: %s (last touched by %s, found by %s)", c->name, obj, what,
	      symbol_format(tail_of(c, obj)->place, last, sizeof(last)),
	      symbol_format(place, here, sizeof(here)));
}

void slab_debug_alloc(struct kcache *c, void *obj, uintptr_t place)
{
	const char *wrong = object_wrong(c, obj, false);

	if (wrong)
		object_panic(c, obj, wrong, place);
	mark_of(obj)->state = STATE_USED;
	tail_of(c, obj)->place = place;
	memset(obj, OBJECT_NEW, c->object_size);
}

void slab_debug_free(struct kcache *c, void *obj, uintptr_t place)
{
	const char *wrong;

	if (!in_slab(c, slab_of(obj), obj))
		panic("slab %s: %p freed is not the start of an object", c->name, obj);
	wrong = object_wrong(c, obj, true);
	if (wrong)
		object_panic(c, obj, wrong, place);
	mark_of(obj)->state = STATE_FREE;
	tail_of(c, obj)->place = place;
	memset(obj, OBJECT_FREE, ALIGN_UP(c->object_size, 8));
}

static const char *slots_wrong(const struct kcache *c, const struct page *slab)
{
	for (unsigned i = 0; i < c->per_slab; i++) {
		const char *obj = (char *)page_to_virt(slab) + (size_t)i * c->slot_size + c->head;

		if (tail_of(c, obj)->redzone != REDZONE)
			return "an object's end was overwritten";
	}
	for (void *obj = slab->freelist; obj; obj = *(void **)obj) {
		const char *wrong = object_wrong(c, obj, false);

		if (wrong)
			return wrong;
	}
	return NULL;
}
#else
static const char *slots_wrong(const struct kcache *c, const struct page *slab)
{
	(void)c, (void)slab;
	return NULL;
}
#endif

static const char *slab_wrong(const struct kcache *c, const struct page *slab)
{
	unsigned unused = 0;

	if (!(slab->flags & PG_SLAB) || slab->cache != c)
		return "a page in its lists is not its slab";
	for (void *obj = slab->freelist; obj; obj = *(void **)obj) {
		if (!in_slab(c, slab, obj))
			return "a free list leads out of its slab";
		if (++unused > c->per_slab)
			return "a free list has a loop";
	}
	if (unused + slab->slab_objects != c->per_slab)
		return "free and used objects do not add up";
	return slots_wrong(c, slab);
}

static const char *cache_wrong(struct kcache *c)
{
	struct page *slab;
	u64 slabs = 0;
	u32 empty = 0;

	list_for_each_entry(slab, &c->partial, link) {
		const char *wrong = slab_wrong(c, slab);

		if (wrong)
			return wrong;
		if (slab->slab_objects == c->per_slab)
			return "a full slab is among the partial ones";
		empty += !slab->slab_objects;
		slabs++;
	}
	list_for_each_entry(slab, &c->full, link) {
		const char *wrong = slab_wrong(c, slab);

		if (wrong)
			return wrong;
		if (slab->slab_objects != c->per_slab)
			return "a slab with free objects is among the full ones";
		slabs++;
	}
	return slabs == c->nr_slabs && empty == c->nr_empty ? NULL : "slabs are miscounted";
}

int slab_check_all(char *why, size_t size)
{
	for (unsigned i = 0; i < READ_ONCE(slab_cache_count); i++) {
		struct kcache *c = &slab_caches[i];
		const char *wrong;

		spin_lock(&c->lock);
		wrong = cache_wrong(c);
		spin_unlock(&c->lock);
		if (wrong) {
			snprintf(why, size, "slab %s: %s", c->name, wrong);
			return -EINVAL;
		}
	}
	return 0;
}
