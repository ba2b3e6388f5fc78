/*
 * Split virtqueues.
 *
 * One contiguous piece of memory holds descriptors, available ring and, from a page boundary on (which old
 * devices demand), the used ring. Free descriptors are a list through `next`. Entries are published by a
 * release store of the index; the device is told only if it asked to be (flags, or the event index).
 * The driver's lock covers everything. Manual: virtio 1.2, 2.7.
 */
#include <arch/mmu.h>
#include <dev/virtio.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/page.h>
#include <mm/slab.h>

#define DESC_NEXT 1
#define DESC_WRITE 2
#define AVAIL_NO_INTERRUPT 1
#define USED_NO_NOTIFY 1
#define QUEUE_END 0xffff

static size_t avail_offset(u16 size)
{
	return sizeof(struct virtq_desc) * size;
}
static size_t used_offset(u16 size)
{
	return ALIGN_UP(avail_offset(size) + sizeof(u16) * (3u + size), PAGE_SIZE);
}
static size_t total_size(u16 size)
{
	return used_offset(size) + sizeof(u16) * 3 + sizeof(struct virtq_used_elem) * size;
}

/* The words behind the rings: where the other side wants the next event. */
static u16 *used_event(struct virtq *q)
{
	return &q->avail->ring[q->size];
}
static u16 *avail_event(struct virtq *q)
{
	return (u16 *)&q->used->ring[q->size];
}

static void init_free_list(struct virtq *q)
{
	for (u16 i = 0; i < q->size; i++)
		q->desc[i].next = (u16)(i + 1);
	q->desc[q->size - 1].next = QUEUE_END;
	q->nr_free = q->size;
}

static int alloc_rings(struct virtq *q)
{
	struct page *p =
		page_alloc(ilog2_up(div_round_up(total_size(q->size), PAGE_SIZE)), ALLOC_ZERO);
	char *mem;

	if (!p)
		return -ENOMEM;
	mem = page_to_virt(p);
	q->desc = (void *)mem;
	q->avail = (void *)(mem + avail_offset(q->size));
	q->used = (void *)(mem + used_offset(q->size));
	init_free_list(q);
	return 0;
}

int virtio_queue_create(struct virtio_device *d, u16 index, u16 max_size, struct virtq **out)
{
	u16 size = d->transport->queue_max(d, index);
	struct virtq *q;
	int error;

	if (!size)
		return -ENOENT;
	if (!d->legacy) /* old devices fix the size */
		size = min(size, max_size);
	q = kzalloc(sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->dev = d;
	q->index = index;
	q->size = size;
	q->event_idx = d->features & VIRTIO_F_EVENT_IDX;
	q->tokens = kzalloc(sizeof(void *) * size);
	error = q->tokens ? alloc_rings(q) : -ENOMEM;
	if (!error)
		error = d->transport->queue_start(d, q);
	if (error) { /* the rings stay: the device may know them */
		kfree(q->tokens);
		kfree(q);
		return error;
	}
	*out = q;
	return 0;
}

int virtq_add(struct virtq *q, const struct virtq_buf *bufs, unsigned out, unsigned in, void *token)
{
	unsigned n = out + in;
	u16 head = q->free_head, at = head, last = head;

	if (n > q->nr_free || !n)
		return -ENOSPC;
	for (unsigned i = 0; i < n; i++) {
		struct virtq_desc *d = &q->desc[at];

		d->addr = bufs[i].pa;
		d->len = bufs[i].len;
		d->flags = (u16)((i < out ? 0 : DESC_WRITE) | (i + 1 < n ? DESC_NEXT : 0));
		last = at;
		at = d->next;
	}
	q->free_head = q->desc[last].next;
	q->nr_free = (u16)(q->nr_free - n);
	q->tokens[head] = token;
	q->avail->ring[q->avail_idx & (q->size - 1)] = head;
	q->avail_idx++;
	__atomic_store_n(&q->avail->idx, q->avail_idx, __ATOMIC_RELEASE);
	return 0;
}

void virtq_kick(struct virtq *q)
{
	u16 old = q->kicked_idx, new = q->avail_idx;
	bool wanted;

	if (old == new)
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* our index before its wish */
	if (q->event_idx)
		wanted = (u16)(new - READ_ONCE(*avail_event(q)) - 1) < (u16)(new - old);
	else
		wanted = !(READ_ONCE(q->used->flags) & USED_NO_NOTIFY);
	q->kicked_idx = new;
	if (wanted)
		q->dev->transport->queue_notify(q);
}

void *virtq_get(struct virtq *q, u32 *len)
{
	const struct virtq_used_elem *e;
	u16 head, at, freed = 1;
	void *token;

	if (!virtq_has_used(q))
		return NULL;
	e = &q->used->ring[q->last_used & (q->size - 1)];
	head = (u16)e->id;
	if (len)
		*len = e->len;
	q->last_used++;
	if (head >= q->size)
		return NULL;
	for (at = head; q->desc[at].flags & DESC_NEXT; at = q->desc[at].next)
		freed++;
	q->desc[at].next = q->free_head;
	q->free_head = head;
	q->nr_free = (u16)(q->nr_free + freed);
	token = q->tokens[head];
	q->tokens[head] = NULL;
	return token;
}

bool virtq_enable_interrupts(struct virtq *q)
{
	if (q->event_idx)
		WRITE_ONCE(*used_event(q), q->last_used);
	else
		WRITE_ONCE(q->avail->flags, 0);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* our wish before its index */
	return virtq_has_used(q);
}

void virtq_disable_interrupts(struct virtq *q)
{
	if (q->event_idx)
		WRITE_ONCE(*used_event(q), (u16)(q->last_used - 1));
	else
		WRITE_ONCE(q->avail->flags, AVAIL_NO_INTERRUPT);
}

paddr_t virtq_desc_pa(const struct virtq *q)
{
	return virt_to_phys(q->desc);
}
paddr_t virtq_avail_pa(const struct virtq *q)
{
	return virt_to_phys(q->avail);
}
paddr_t virtq_used_pa(const struct virtq *q)
{
	return virt_to_phys(q->used);
}
