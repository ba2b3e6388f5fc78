/*
 * stagetest ID [-v]      runs one test in this process: 0 pass, 1 fail, 4 skip
 * stagetest --list       ids and titles
 * stagetest --all        every test in a process of its own with a time limit (--timeout SECONDS)
 * stagetest --child ...  the programs that tests execute
 */
#include "stagetest.h"
#include <dirent.h>
#include <libgen.h>
#include <sys/mount.h>

extern const struct stage_test *const __start_stagetests[], *const __stop_stagetests[];
extern const struct stage_child *const __start_stagechildren[], *const __stop_stagechildren[];

int verbose;
static pid_t main_pid;
static char work_dir[128];

/* Removes a tree; nothing it meets is an error. */
static void remove_tree(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	char sub[1024];

	while (d && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name);
		if (unlink(sub) < 0)
			remove_tree(sub);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

static void leave_work_dir(void)
{
	if (getpid() == main_pid && work_dir[0] && chdir("/") == 0)
		remove_tree(work_dir);
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
	char buf[600];
	va_list ap;
	int n = snprintf(buf, sizeof(buf), "%s:%d: ", file, line);

	va_start(ap, fmt);
	n += vsnprintf(buf + n, sizeof(buf) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(buf) - 2)
		n = sizeof(buf) - 2;
	buf[n++] = '\n';
	if (write(2, buf, (size_t)n) < 0)
		_exit(2);
	leave_work_dir();
	_exit(1);
}

void test_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	leave_work_dir();
	_exit(4);
}

/* As a boot stage this is the first program to run: then it mounts what it needs itself. */
static void prepare_machine(void)
{
	static const char *const dirs[] = { "/proc", "/dev", "/tmp" };
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		mkdir(dirs[i], 0755);
	if (stat("/proc/self", &st) < 0)
		mount("proc", "/proc", "proc", 0, NULL);
	if (stat("/dev/null", &st) < 0)
		mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mkdir("/dev/pts", 0755);
	if (stat("/dev/pts/ptmx", &st) < 0)
		mount("devpts", "/dev/pts", "devpts", 0, NULL);
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", O_RDWR);
	}
}

static void enter_work_dir(void)
{
	const char *base = getenv("STAGETEST_TMP");

	snprintf(work_dir, sizeof(work_dir), "%s/stage-XXXXXX", base ? base : "/tmp");
	if (!mkdtemp(work_dir)) {
		fprintf(stderr, "cannot make %s: %s\n", work_dir, strerror(errno));
		exit(1);
	}
	if (chmod(work_dir, 0755) < 0 || chdir(work_dir) < 0)
		exit(1);
}

static const struct stage_test *find_test(const char *id)
{
	for (const struct stage_test *const *t = __start_stagetests; t < __stop_stagetests; t++) {
		if (strcmp((*t)->id, id) == 0)
			return *t;
	}
	return NULL;
}

static int run_one(const char *id)
{
	const struct stage_test *t = find_test(id);

	if (!t) {
		fprintf(stderr, "no test '%s'\n", id);
		return 2;
	}
	main_pid = getpid();
	prepare_machine();
	enter_work_dir();
	t->fn();
	leave_work_dir();
	return 0;
}

/* Waits for pid until the time is up, then kills its process group; the status, or -1 on a timeout. */
static int wait_limited(pid_t pid, unsigned seconds)
{
	uint64_t end = now_ns() + seconds * 1000000000ull;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (now_ns() > end) {
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		usleep(1000);
	}
	kill(-pid, SIGKILL); /* what it left behind */
	return status;
}

static int run_all(char *self, unsigned seconds)
{
	unsigned passed = 0, failed = 0, skipped = 0;

	enter_work_dir(); /* the tests' directories are made in it: what a killed one leaves goes with it */
	setenv("STAGETEST_TMP", work_dir, 1);
	main_pid = getpid();
	for (const struct stage_test *const *t = __start_stagetests; t < __stop_stagetests; t++) {
		uint64_t start = now_ns();
		const char *verdict = "FAIL";
		pid_t pid;
		int status;

		fflush(stdout);
		pid = fork();
		if (pid == 0) {
			setpgid(0, 0);
			execl("/proc/self/exe", self, (*t)->id, NULL);
			_exit(127);
		}
		if (pid < 0) {
			perror("fork");
			return 3;
		}
		setpgid(pid, pid);
		status = wait_limited(pid, seconds);
		if (status == -1) {
			verdict = "TIMEOUT";
			failed++;
		} else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
			verdict = "PASS";
			passed++;
		} else if (WIFEXITED(status) && WEXITSTATUS(status) == 4) {
			verdict = "SKIP";
			skipped++;
		} else {
			failed++;
			if (WIFSIGNALED(status))
				printf("%s was killed by signal %d\n", (*t)->id, WTERMSIG(status));
		}
		printf("%-7s %-28s %5llu ms  %s\n", verdict, (*t)->id,
		       (unsigned long long)(now_ns() - start) / 1000000, (*t)->title);
	}
	leave_work_dir();
	printf("stagetest: %u passed, %u failed, %u skipped\n", passed, failed, skipped);
	return failed || !passed;
}

static int run_child(int argc, char **argv)
{
	const char *name = argc > 2 ? basename(argv[2]) : "";

	for (const struct stage_child *const *c = __start_stagechildren; c < __stop_stagechildren;
	     c++) {
		if (strcmp((*c)->name, name) == 0)
			return (*c)->fn(argc - 2, argv + 2);
	}
	fprintf(stderr, "no child program '%s'\n", name);
	return 2;
}

/* Whatever ignored or blocked signals we were started with (nohup, a shell's background job). */
static void reset_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int main(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "--child"))
		reset_signals();
	if (argc > 1 && strcmp(argv[1], "--child") == 0)
		return run_child(argc, argv);
	if (argc > 2 && strcmp(argv[2], "-v") == 0)
		verbose = 1;
	if (argc > 1 && strcmp(argv[1], "--list") == 0) {
		for (const struct stage_test *const *t = __start_stagetests; t < __stop_stagetests;
		     t++)
			printf("%s\t%s\n", (*t)->id, (*t)->title);
		return 0;
	}
	if (argc > 1 && strcmp(argv[1], "--all") == 0) {
		prepare_machine();
		return run_all(argv[0], argc > 3 ? (unsigned)atoi(argv[3]) : 30);
	}
	if (argc < 2 || argv[1][0] == '-') {
		fprintf(stderr, "usage: stagetest ID [-v] | --list | --all [--timeout SECONDS]\n");
		return 2;
	}
	return run_one(argv[1]);
}
