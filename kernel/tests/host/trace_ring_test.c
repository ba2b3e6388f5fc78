/* The trace ring: order, loss counted exactly, whole records only, with a reader beside the writer. */
#include "harness.h"
#include <pthread.h>
#include <string.h>
#include "../../debug/trace_ring.c"

static struct trace_ring ring;

static void start(void)
{
	memset(&ring, 0, sizeof(ring));
	trace_ring_init(&ring);
}

static void put(u64 n)
{
	struct trace_record rec = { .ns = n, .type = 7, .cpu = 3, .pid = -1, .tid = (s32)n };

	for (unsigned i = 0; i < TRACE_ARGS; i++)
		rec.arg[i] = n * (i + 1);
	trace_ring_put(&ring, &rec);
}

static bool whole(const struct trace_record *rec, u64 n)
{
	bool ok = rec->seq == n + 1 && rec->ns == n && rec->tid == (s32)n && rec->type == 7;

	for (unsigned i = 0; i < TRACE_ARGS; i++)
		ok = ok && rec->arg[i] == n * (i + 1);
	return ok;
}

HTEST(trace_ring_in_order)
{
	struct trace_record rec;
	u64 at = 0, lost = 0;

	start();
	CHECK(!trace_ring_next(&ring, &at, &lost, &rec));
	for (u64 n = 0; n < 3 * TRACE_RECORDS; n++) {
		put(n);
		CHECK(trace_ring_next(&ring, &at, &lost, &rec));
		CHECK(whole(&rec, n));
		CHECK(!trace_ring_next(&ring, &at, &lost, &rec));
	}
	CHECK_EQ(lost, 0);
}

HTEST(trace_ring_counts_what_it_lost)
{
	u64 written = 0, at = 0, lost = 0, got = 0;
	struct trace_record rec;

	start();
	for (unsigned round = 0; round < 300; round++) {
		for (u64 n = h_below(2 * TRACE_RECORDS); n; n--)
			put(written++);
		for (u64 n = h_below(2 * TRACE_RECORDS); n; n--) {
			if (!trace_ring_next(&ring, &at, &lost, &rec))
				break;
			CHECK(whole(&rec, lost + got));
			got++;
		}
		CHECK_EQ(at, lost + got);
	}
	while (trace_ring_next(&ring, &at, &lost, &rec))
		got++;
	CHECK_EQ(lost + got, written);
	CHECK(lost > 0 && got > 0);
}

/* A writer that was interrupted before its record was whole: readers wait for it, or count it as lost. */
HTEST(trace_ring_half_written)
{
	struct trace_record rec;
	u64 at = 0, lost = 0;

	start();
	put(0);
	ring.head++; /* place 1 is reserved, its slot still empty */
	put(2);
	CHECK(trace_ring_next(&ring, &at, &lost, &rec));
	CHECK(!trace_ring_next(&ring, &at, &lost, &rec));
	CHECK_EQ(at, 1);
	for (u64 n = 3; n < TRACE_RECORDS + 2; n++)
		put(n);
	CHECK(trace_ring_next(&ring, &at, &lost, &rec));
	CHECK_EQ(lost, 1);
	CHECK(whole(&rec, 2));
	/* The late writer finishes where the ring has gone round: that place is lost, nothing is mixed. */
	ring.record[1].seq = 2;
	at = TRACE_RECORDS + 1;
	CHECK(!trace_ring_next(&ring, &at, &lost, &rec));
}

#define CONCURRENT 2000000ull

static void *writer(void *unused)
{
	(void)unused;
	for (u64 n = 0; n < CONCURRENT; n++)
		put(n);
	return NULL;
}

HTEST(trace_ring_reader_beside_writer)
{
	u64 at = 0, lost = 0, got = 0;
	struct trace_record rec;
	pthread_t thread;

	start();
	CHECK_EQ(pthread_create(&thread, NULL, writer, NULL), 0);
	while (at < CONCURRENT) {
		if (!trace_ring_next(&ring, &at, &lost, &rec))
			continue;
		if (!whole(&rec, at - 1)) /* no longjmp while the writer runs */
			break;
		got++;
	}
	pthread_join(thread, NULL);
	CHECK_EQ(at, CONCURRENT);
	CHECK_EQ(lost + got, CONCURRENT);
}
