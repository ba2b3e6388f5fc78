/*
 * kcount: a QEMU plugin (API version 1) that counts the guest's instructions between places in the kernel.
 *
 *   span=FROM+...-TO+...[-VIA+...]   from an execution of any FROM to the next of any TO, both included; with
 *                                    VIA only the stretches in which one of those was executed (hex addresses)
 *   mark=ADDR                        counting goes on at its first execution and off at its second
 *   out=FILE                         written when counting goes off: a line `HITS MIN MEDIAN MAX` for each span
 *
 * QEMU's header is not packaged everywhere, so the few functions used are declared here; the emulators export
 * them. Counters are plain: for one CPU (-icount), not for MTTCG.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*trans_cb)(plugin_id, struct qemu_plugin_tb *);
typedef void (*exec_cb)(unsigned vcpu, void *data);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, trans_cb);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, exec_cb, int flags, void *);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *, int op, void *counter,
						uint64_t add);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);

EXPORT int qemu_plugin_version = 1;

#define MAX_SPANS 16
#define MAX_PLACES 16
#define MAX_SAMPLES (1 << 20)

struct places {
	uint64_t at[MAX_PLACES];
	unsigned n;
};

struct span {
	struct places from, to, via;
	uint64_t start;
	bool open, passed;
	uint64_t *samples;
	size_t hits;
};

static struct span spans[MAX_SPANS];
static unsigned nspans;
static uint64_t total; /* instructions executed, this one included */
static uint64_t mark;
static bool counting, over;
static const char *out;

static void on_from(unsigned cpu, void *data)
{
	struct span *s = data;

	s->start = total;
	s->open = true;
	s->passed = !s->via.n;
}

static void on_via(unsigned cpu, void *data)
{
	((struct span *)data)->passed = true;
}

static void on_to(unsigned cpu, void *data)
{
	struct span *s = data;

	if (s->open && s->passed && counting && s->hits < MAX_SAMPLES)
		s->samples[s->hits++] = total - s->start + 1;
	s->open = false;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void write_out(void)
{
	FILE *f = fopen(out, "w");

	if (!f)
		return;
	for (unsigned i = 0; i < nspans; i++) {
		struct span *s = &spans[i];

		qsort(s->samples, s->hits, sizeof(*s->samples), compare);
		fprintf(f, "%zu %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", s->hits,
			s->hits ? s->samples[0] : 0, s->hits ? s->samples[s->hits / 2] : 0,
			s->hits ? s->samples[s->hits - 1] : 0);
	}
	fclose(f);
}

static void on_mark(unsigned cpu, void *data)
{
	if (over)
		return;
	if (counting) {
		write_out();
		over = true;
	}
	counting = !counting;
}

static void watch(struct qemu_plugin_insn *insn, const struct places *places, exec_cb fn,
		  struct span *s)
{
	for (unsigned i = 0; i < places->n; i++)
		if (places->at[i] == qemu_plugin_insn_vaddr(insn))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, fn, 0, s);
}

static void on_trans(plugin_id id, struct qemu_plugin_tb *tb)
{
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		qemu_plugin_register_vcpu_insn_exec_inline(insn, 0, &total, 1);
		if (qemu_plugin_insn_vaddr(insn) == mark)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, 0, NULL);
		for (unsigned k = 0; k < nspans; k++) {
			watch(insn, &spans[k].to, on_to, &spans[k]);
			watch(insn, &spans[k].from, on_from, &spans[k]);
			watch(insn, &spans[k].via, on_via, &spans[k]);
		}
	}
}

/* HEX+HEX+..., up to the first character that is neither; false when there are none or too many. */
static bool parse_places(char **text, struct places *places)
{
	char *end;

	do {
		if (places->n == MAX_PLACES)
			return false;
		places->at[places->n++] = strtoull(*text, &end, 16);
		if (end == *text)
			return false;
		*text = end + 1;
	} while (*end == '+');
	*text = end;
	return true;
}

static bool parse_span(char *text)
{
	struct span *s = &spans[nspans];

	if (nspans == MAX_SPANS)
		return false;
	s->samples = malloc(MAX_SAMPLES * sizeof(*s->samples));
	if (!s->samples || !parse_places(&text, &s->from) || *text++ != '-' ||
	    !parse_places(&text, &s->to))
		return false;
	if (*text == '-' && (text++, !parse_places(&text, &s->via)))
		return false;
	nspans++;
	return !*text;
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		bool good = true;

		if (!strncmp(argv[i], "span=", 5))
			good = parse_span(argv[i] + 5);
		else if (!strncmp(argv[i], "mark=", 5))
			mark = strtoull(argv[i] + 5, NULL, 16);
		else if (!strncmp(argv[i], "out=", 4))
			out = strdup(argv[i] + 4);
		else
			good = false;
		if (!good) {
			fprintf(stderr, "kcount: bad argument %s\n", argv[i]);
			return 1;
		}
	}
	if (!mark || !out || !nspans) {
		fprintf(stderr, "kcount: mark, out and a span are needed\n");
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_trans);
	return 0;
}
