/*
 * The line discipline against the host's: random settings and random typing go to a pseudo-terminal of the
 * host and to ours; what is echoed and what is read must be the same bytes.
 */
#include "harness.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../../tty/ldisc.c"
#define is_control out_is_control
#include "../../tty/ldisc_out.c"

struct host_termios {
	u32 iflag, oflag, cflag, lflag;
	u8 line, cc[TERMIOS_NCCS];
};
#define HOST_TCGETS 0x5401ul
#define HOST_TCSETS 0x5402ul

static struct {
	struct ldisc l;
	u8 echo[65536];
	size_t nr_echo;
} us;

static void us_output(struct ldisc *l, const u8 *s, size_t n)
{
	(void)l;
	CHECK(us.nr_echo + n <= sizeof(us.echo));
	memcpy(us.echo + us.nr_echo, s, n);
	us.nr_echo += n;
}
static void us_signal(struct ldisc *l, int sig, bool flush)
{
	(void)l, (void)sig;
	if (flush)
		us.nr_echo = 0;
}
static void us_flow(struct ldisc *l, bool stopped)
{
	(void)l, (void)stopped;
}
static const struct ldisc_hooks us_hooks = { us_output, us_signal, us_flow };

static int master = -1, slave = -1;

static void host_open(void)
{
	int zero = 0, n;
	char path[32];

	master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (master < 0)
		return;
	CHECK(ioctl(master, TIOCSPTLCK, &zero) == 0);
	CHECK(ioctl(master, TIOCGPTN, &n) == 0);
	snprintf(path, sizeof(path), "/dev/pts/%d", n);
	slave = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
	CHECK(slave >= 0);
}

static void host_close(void)
{
	close(slave);
	close(master);
}

static void set_both(u32 iflag, u32 oflag, u32 lflag)
{
	struct host_termios h;
	struct ktermios t = us.l.t;

	CHECK(ioctl(slave, HOST_TCGETS, &h) == 0);
	h.iflag = t.c_iflag = iflag;
	h.oflag = t.c_oflag = oflag;
	h.lflag = t.c_lflag = lflag;
	memcpy(t.c_cc, h.cc, sizeof(h.cc));
	t.c_cc[K_VEOL] = h.cc[K_VEOL] = '|';
	t.c_cc[K_VMIN] = h.cc[K_VMIN] = 1;
	CHECK(ioctl(slave, HOST_TCSETS, &h) == 0);
	ldisc_set_termios(&us.l, &t);
}

/* Reads what the host echoes until it has as much as we, and then a moment longer if it is not the same. */
static size_t host_echo(u8 *buf, size_t size, size_t want)
{
	size_t n = 0;

	for (int waits = 0; waits < 100;) {
		ssize_t r = read(master, buf + n, size - n);

		if (r > 0) {
			n += (size_t)r;
			continue;
		}
		if (n >= want)
			break;
		usleep(500);
		waits++;
	}
	return n;
}

static size_t random_typing(u8 *s, size_t max)
{
	static const u8 special[] = { 3,  4,    4,    127,  127,  21,  23,  18,
				      22, '\n', '\n', '\r', '\t', '|', 'a', ' ',
				      1,  0xc3, 0xa9, 27,   8,    28,  0xff };
	size_t n = 1 + h_below(max);

	for (size_t i = 0; i < n; i++)
		s[i] = h_below(3) ? special[h_below(sizeof(special))] : (u8)('a' + h_below(26));
	return n;
}

static void show(const char *what, const u8 *s, size_t n)
{
	fprintf(stderr, "  %s:", what);
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, s[i] >= 32 && s[i] < 127 ? " %c" : " \\%02x", s[i]);
	fprintf(stderr, "\n");
}

static void compare_echo(const u8 *typed, size_t n)
{
	static u8 host[65536];
	size_t nr = host_echo(host, sizeof(host), us.nr_echo);

	if (nr != us.nr_echo || memcmp(host, us.echo, nr)) {
		show("typed", typed, n);
		show("host", host, nr);
		show("ours", us.echo, us.nr_echo);
		h_fail(__FILE__, __LINE__, "echo differs: iflag %o oflag %o lflag %o",
		       us.l.t.c_iflag, us.l.t.c_oflag, us.l.t.c_lflag);
	}
	us.nr_echo = 0;
}

static void compare_reads(const u8 *typed, size_t n)
{
	u8 host[300], ours[300];

	for (int i = 0; i < 100; i++) {
		size_t size = 1 + h_below(64), mine;
		ssize_t got;
		int pending;

		CHECK(ioctl(slave, FIONREAD, &pending) == 0);
		if ((size_t)pending != ldisc_pending(&us.l)) {
			show("typed", typed, n);
			h_fail(__FILE__, __LINE__, "pending: host %d ours %zu, lflag %o", pending,
			       ldisc_pending(&us.l), us.l.t.c_lflag);
		}
		if (!ldisc_readable(&us.l, 1)) {
			CHECK(read(slave, host, size) == -1 && errno == EAGAIN);
			return;
		}
		got = read(slave, host, size);
		mine = ldisc_read(&us.l, ours, size);
		if (got != (ssize_t)mine || memcmp(host, ours, mine)) {
			show("typed", typed, n);
			show("host", host, got < 0 ? 0 : (size_t)got);
			show("ours", ours, mine);
			h_fail(__FILE__, __LINE__,
			       "read(%zu): host %zd ours %zu, lflag %o iflag %o", size, got, mine,
			       us.l.t.c_lflag, us.l.t.c_iflag);
		}
	}
}

static void type_both(const u8 *s, size_t n)
{
	CHECK(write(master, s, n) == (ssize_t)n);
	ldisc_receive(&us.l, s, n);
	if (!us.nr_echo)
		usleep(4000); /* a signal's flush has no other sign */
	compare_echo(s, n);
	/* Without echo nothing says when the host has worked it off. */
	for (int i = 0; i < 200; i++) {
		int pending;

		CHECK(ioctl(slave, FIONREAD, &pending) == 0);
		if ((size_t)pending == ldisc_pending(&us.l))
			break;
		usleep(500);
	}
}

static u32 random_subset(u32 of)
{
	return of & (u32)h_rand();
}

static void random_session(void)
{
	/* Not ECHOPRT: erasing tabs on printing terminals, hosts are found to get wrong themselves. */
	u32 lflags = K_ISIG | K_ECHO | K_ECHOE | K_ECHOK | K_ECHONL | K_NOFLSH | K_ECHOCTL |
		     K_ECHOKE | K_IEXTEN;
	u8 typed[50], written[80], out[80 * 8];

	ldisc_init(&us.l, &us_hooks);
	us.nr_echo = 0;
	host_open();
	for (int round = 0; round < 6; round++) {
		u32 l = h_below(3) ? lflags & ~K_NOFLSH : random_subset(lflags);
		size_t n, produced;

		set_both(random_subset(K_ISTRIP | K_INLCR | K_IGNCR) * !h_below(4) |
				 random_subset(K_ICRNL | K_IUTF8),
			 random_subset(K_OPOST | K_ONLCR | K_OCRNL | K_ONOCR | K_ONLRET | K_XTABS) |
				 (h_below(3) ? K_OPOST | K_ONLCR : 0),
			 l | (h_below(4) ? K_ICANON : 0));
		n = random_typing(typed, sizeof(typed));
		type_both(typed, n);
		if (h_below(2))
			compare_reads(typed, n);
		n = random_typing(written, sizeof(written));
		CHECK(write(slave, written, n) == (ssize_t)n);
		CHECK_EQ(ldisc_process_output(&us.l, written, n, out, sizeof(out), &produced), n);
		us_output(&us.l, out, produced);
		compare_echo(written, n);
	}
	compare_reads(typed, 0);
	host_close();
}

HTEST(ldisc_like_the_host)
{
	host_open();
	if (master < 0) {
		printf("(no pseudo-terminals here) ");
		return;
	}
	host_close();
	for (int i = 0; i < 200; i++)
		random_session();
}

/* A line longer than the buffer: the tail is dropped, the newline still ends it. */
HTEST(ldisc_long_line)
{
	static u8 line[5000], got[5000];

	ldisc_init(&us.l, &us_hooks);
	us.l.t.c_lflag &= ~K_ECHO;
	memset(line, 'x', sizeof(line));
	for (size_t i = 0; i < sizeof(line); i++) {
		CHECK(ldisc_room(&us.l) > 0);
		ldisc_receive(&us.l, &line[i], 1);
	}
	CHECK(!ldisc_readable(&us.l, 1));
	ldisc_receive(&us.l, (const u8 *)"\n", 1);
	CHECK_EQ(ldisc_read(&us.l, got, sizeof(got)), 4096);
	CHECK_EQ(got[4095], '\n');
}

HTEST(ldisc_raw_room)
{
	static u8 data[8192];

	ldisc_init(&us.l, &us_hooks);
	us.l.t.c_lflag = 0;
	CHECK_EQ(ldisc_room(&us.l), LDISC_BUF - 1);
	ldisc_receive(&us.l, data, ldisc_room(&us.l));
	CHECK_EQ(ldisc_room(&us.l), 0);
	CHECK(ldisc_readable(&us.l, LDISC_BUF - 1));
	CHECK_EQ(ldisc_read(&us.l, data, 100), 100);
	CHECK_EQ(ldisc_room(&us.l), 100);
}
