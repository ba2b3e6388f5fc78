/* Terminals, by way of a pseudo-terminal. */
#include "stagetest.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

static int master, slave;

static void open_pty(void)
{
	char path[32];
	int n, zero = 0;

	master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	if (master < 0)
		SKIP("no /dev/ptmx: %s", strerror(errno));
	OK(ioctl(master, TIOCSPTLCK, &zero));
	OK(ioctl(master, TIOCGPTN, &n));
	snprintf(path, sizeof(path), "/dev/pts/%d", n);
	slave = open(path, O_RDWR | O_NOCTTY);
	if (slave < 0)
		SKIP("%s: %s", path, strerror(errno));
}

static void put(const char *s)
{
	CHECK_EQ(write(master, s, strlen(s)), strlen(s));
}

/* What the slave's reader gets now. */
static char *take(int fd)
{
	static char buf[256];
	ssize_t n = OK(read(fd, buf, sizeof(buf) - 1));

	buf[n] = '\0';
	return buf;
}

/* The master's next bytes are these; they may come in pieces. */
static void expect(const char *want)
{
	char buf[64] = "";
	size_t got = 0;

	while (got < strlen(want))
		got += (size_t)OK(read(master, buf + got, strlen(want) - got));
	CHECK_STR(buf, want);
}

static int readable(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 0);
}

static void set_lflag(tcflag_t set, tcflag_t clear)
{
	struct termios t;

	OK(tcgetattr(slave, &t));
	t.c_lflag = (t.c_lflag | set) & ~clear;
	OK(tcsetattr(slave, TCSANOW, &t));
}

TEST(isatty, "isatty knows terminals from files and pipes")
{
	int fds[2];

	OK(pipe(fds));
	CHECK(!isatty(temp_fd()) && errno == ENOTTY);
	CHECK(!isatty(fds[0]) && errno == ENOTTY);
	CHECK(!isatty(999) && errno == EBADF);
	CHECK(!isatty(OK(open("/dev/null", O_RDWR))));
	open_pty();
	CHECK(isatty(slave));
}

TEST(tty_canonical, "canonical input comes by lines, with erase, kill and end of file")
{
	open_pty();
	set_lflag(0, ECHO);
	put("no newline");
	CHECK(!readable(slave));
	put("\n");
	CHECK_STR(take(slave), "no newline\n");
	put("abX\177cd\n");
	CHECK_STR(take(slave), "abcd\n");
	put("gone\025kept\n");
	CHECK_STR(take(slave), "kept\n");
	put("a\nb\n");
	CHECK_STR(take(slave), "a\n"); /* a line at a time */
	CHECK_STR(take(slave), "b\n");
	put("part\004");
	CHECK_STR(take(slave), "part");
	put("\004");
	CHECK_STR(take(slave), "");
	put("cr\r");
	CHECK_STR(take(slave), "cr\n");
}

TEST(tty_echo, "input is echoed, control characters as ^X; output gets carriage returns")
{
	open_pty();
	put("hi\n");
	expect("hi\r\n");
	CHECK_STR(take(slave), "hi\n");
	put("\001");
	expect("^A");
	CHECK_EQ(write(slave, "out\n", 4), 4);
	expect("out\r\n");
}

TEST(tty_raw, "raw input comes at once, MIN and TIME rule")
{
	struct termios t;

	open_pty();
	OK(tcgetattr(slave, &t));
	cfmakeraw(&t);
	t.c_cc[VMIN] = 3;
	t.c_cc[VTIME] = 0;
	OK(tcsetattr(slave, TCSANOW, &t));
	put("\003\177\r");
	CHECK_STR(take(slave), "\003\177\r"); /* nothing special */
	CHECK(!readable(master)); /* no echo */
	CHECK_EQ(write(slave, "a\n", 2), 2);
	expect("a\n");
	t.c_cc[VMIN] = 0;
	OK(tcsetattr(slave, TCSANOW, &t));
	CHECK_STR(take(slave), ""); /* does not wait */
	t.c_cc[VTIME] = 1;
	OK(tcsetattr(slave, TCSANOW, &t));
	uint64_t start = now_ns();

	CHECK_STR(take(slave), "");
	CHECK_GE(now_ns() - start, 80000000);
}

TEST(tty_winsize, "window size: both sides see it")
{
	struct winsize ws = { .ws_row = 33, .ws_col = 99 }, got;

	open_pty();
	OK(ioctl(master, TIOCSWINSZ, &ws));
	OK(ioctl(slave, TIOCGWINSZ, &got));
	CHECK(got.ws_row == 33 && got.ws_col == 99);
}

static volatile sig_atomic_t last;
static void keep(int sig)
{
	last = sig;
}

static void make_controlling(void)
{
	setsid();
	OK(ioctl(slave, TIOCSCTTY, 0));
}

TEST(tty_control_open, "a session leader's first terminal is its own, but not with O_NOCTTY")
{
	pid_t pid;
	int fd;

	open_pty();
	pid = xfork();
	if (pid == 0) {
		char *path = ptsname(master);

		setsid();
		fd = OK(open(path, O_RDWR | O_NOCTTY));
		CHECK_EQ(OK(fcntl(fd, F_GETFL)) & O_NOCTTY, 0);
		CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
		OK(open(path, O_RDWR));
		fd = OK(open("/dev/tty", O_RDWR));
		CHECK_EQ(tcgetsid(fd), getpid());
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
}

TEST(tty_signals, "^C, ^\\ and ^Z become signals for the foreground group")
{
	pid_t pid;

	open_pty();
	pid = xfork();
	if (pid == 0) {
		make_controlling();
		on_signal(SIGINT, keep, 0);
		on_signal(SIGQUIT, keep, 0);
		on_signal(SIGTSTP, keep, 0);
		CHECK_EQ(tcgetpgrp(slave), getpid());
		CHECK_EQ(tcgetsid(slave), getpid());
		close(OK(open("/dev/tty", O_RDWR)));
		put("\003");
		while (last != SIGINT)
			sleep_ms(1);
		put("\034");
		while (last != SIGQUIT)
			sleep_ms(1);
		put("\032");
		while (last != SIGTSTP)
			sleep_ms(1);
		set_lflag(0, ISIG | ECHO | ICANON);
		put("\003");
		CHECK_STR(take(slave), "\003");
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
}

TEST(tty_background, "a background group is stopped by SIGTTIN and SIGTTOU")
{
	pid_t pid, job;
	int status;

	open_pty();
	pid = xfork();
	if (pid == 0) {
		make_controlling();
		job = xfork();
		if (job == 0) {
			setpgid(0, 0);
			_exit(read(slave, &status, 1) == 1 ? 8 : 9);
		}
		CHECK_EQ(waitpid(job, &status, WUNTRACED), job);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN);
		OK(tcsetpgrp(slave, job)); /* fg */
		put("x\n");
		OK(kill(-job, SIGCONT));
		CHECK_EXITS(job, 8);
		signal(SIGTTOU, SIG_IGN);
		OK(tcsetpgrp(slave, getpid())); /* from the background: with SIGTTOU ignored */
		job = xfork();
		if (job == 0) {
			signal(SIGTTOU, SIG_DFL);
			setpgid(0, 0);
			tcsetpgrp(slave, getpid());
			_exit(0);
		}
		CHECK_EQ(waitpid(job, &status, WUNTRACED), job);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU);
		kill(job, SIGKILL);
		CHECK_KILLED(job, SIGKILL);
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
}

TEST(tty_hangup, "closing the master hangs up: SIGHUP for the leader, end of file for readers")
{
	char c;
	struct gate g;
	pid_t pid;

	open_pty();
	gate_init(&g);
	pid = xfork();
	if (pid == 0) {
		close(master);
		make_controlling();
		on_signal(SIGHUP, keep, 0);
		gate_open(&g);
		while (last != SIGHUP)
			sleep_ms(1);
		CHECK_EQ(read(slave, &c, 1), 0);
		CHECK_ERRNO(write(slave, &c, 1), EIO);
		_exit(0);
	}
	gate_wait(&g);
	close(slave);
	close(master);
	CHECK_EXITS(pid, 0);
}
