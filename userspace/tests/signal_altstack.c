/* The alternate stack's corners: SS_AUTODISARM, several frames on it, and frames that fit barely or not. */
#include "port.h"
#include "stagetest.h"
#include <ucontext.h>

#define AUTODISARM ((int)SS_AUTODISARM)
#define ROOM (16 * PAGE)

/* What a handler saw, in the order in which they began. */
static struct seen {
	int sig;
	char *frame; /* where its frame begins */
	uintptr_t interrupted; /* the stack pointer in the frame */
	stack_t uc, now; /* uc_stack, and what sigaltstack() said */
} seen[4];
static volatile int nr_seen;
static void (*volatile then)(void); /* done by a handler once it has looked */

static void look(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;
	struct seen *s = &seen[nr_seen++];
	void (*next)(void) = then;

	s->sig = sig;
	s->frame = PORT_FRAME_START(si, uc);
	s->interrupted = (uintptr_t)PORT_SAVED_SP(uc);
	s->uc = uc->uc_stack;
	sigaltstack(NULL, &s->now);
	then = NULL;
	if (next)
		next();
}

/* Room for alternate stacks, all of it mapped. */
static char *map_room(void)
{
	char *p = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static void set_stack(char *base, char *end, int flags)
{
	OK(sigaltstack(&(stack_t){ base, flags, (size_t)(end - base) }, NULL));
}

static void on_pair(void (*handler)(int, siginfo_t *, void *))
{
	on_siginfo(SIGUSR1, handler, SA_ONSTACK);
	on_siginfo(SIGUSR2, handler, SA_ONSTACK);
}

static int is_within(const void *p, const char *base, const char *end)
{
	return (const char *)p >= base && (const char *)p < end;
}

static stack_t now(void)
{
	stack_t s;

	OK(sigaltstack(NULL, &s));
	return s;
}

static char *room;

static void send_usr2(void)
{
	kill(getpid(), SIGUSR2);
}

static void set_lower_half(void)
{
	set_stack(room, room + ROOM / 2, AUTODISARM);
	send_usr2();
}

TEST(sigaltstack_autodisarm,
     "SS_AUTODISARM: no alternate stack while its handler runs, put back at its return")
{
	char *middle, *end;

	room = map_room();
	middle = room + ROOM / 2;
	end = room + ROOM;
	on_pair(look);
	set_stack(middle, end, AUTODISARM);
	CHECK_EQ(now().ss_flags, AUTODISARM);
	raise(SIGUSR1);
	CHECK(is_within(seen[0].frame, middle, end));
	CHECK(seen[0].uc.ss_sp == middle && seen[0].uc.ss_size == ROOM / 2);
	CHECK_EQ(seen[0].uc.ss_flags, AUTODISARM);
	CHECK_EQ(seen[0].now.ss_flags, SS_DISABLE);
	CHECK_EQ(seen[0].now.ss_size, 0);
	CHECK(now().ss_sp == middle && now().ss_flags == AUTODISARM);

	nr_seen = 0;
	then = send_usr2; /* its handler finds none: it goes on where the first one is */
	raise(SIGUSR1);
	CHECK_EQ(nr_seen, 2);
	CHECK(seen[1].frame < seen[0].frame);
	CHECK_EQ(seen[1].uc.ss_flags, SS_DISABLE);
	CHECK(now().ss_sp == middle && now().ss_flags == AUTODISARM);

	nr_seen = 0;
	then = set_lower_half; /* a handler may set another one, and signals use it */
	raise(SIGUSR1);
	CHECK_EQ(nr_seen, 2);
	CHECK(is_within(seen[0].frame, middle, end) && is_within(seen[1].frame, room, middle));
	CHECK(seen[1].uc.ss_sp == room);
	CHECK(now().ss_sp == middle && now().ss_size == ROOM / 2);

	nr_seen = 0;
	on_siginfo(SIGUSR1, look, 0); /* taken away by any handler, wherever that runs */
	raise(SIGUSR1);
	CHECK(!is_within(seen[0].frame, room, end));
	CHECK_EQ(seen[0].now.ss_flags, SS_DISABLE);
	CHECK_EQ(now().ss_flags, AUTODISARM);
}

/*
 * Two signals at once: SIGUSR1's frame, and below it SIGUSR2's. One frame alone is smaller than the smallest
 * alternate stack of some ports.
 */
static void send_pair(void)
{
	sigset_t both, old;

	sigemptyset(&both);
	sigaddset(&both, SIGUSR1);
	sigaddset(&both, SIGUSR2);
	OK(sigprocmask(SIG_BLOCK, &both, &old));
	raise(SIGUSR1);
	raise(SIGUSR2);
	OK(sigprocmask(SIG_SETMASK, &old, NULL));
}

/* Where the second frame begins on a stack with that end and room enough. */
static char *second_frame(char *end)
{
	on_pair(look);
	set_stack(room, end, 0);
	nr_seen = 0;
	send_pair();
	CHECK_EQ(nr_seen, 2);
	return seen[0].frame;
}

TEST(sigaltstack_nested, "frames of several signals stack up on the alternate stack")
{
	char *end;

	room = map_room();
	end = room + ROOM;
	second_frame(end);
	/* The lower number's frame is made first, and interrupted before its handler begins. */
	CHECK(seen[0].sig == SIGUSR2 && seen[1].sig == SIGUSR1);
	CHECK(is_within(seen[1].frame, room, end));
	CHECK(!is_within((void *)seen[1].interrupted, room, end));
	CHECK(is_within(seen[0].frame, room, seen[1].frame));
	CHECK_EQ(seen[0].interrupted, (uintptr_t)seen[1].frame);
	CHECK(seen[0].now.ss_flags == SS_ONSTACK && seen[1].now.ss_flags == SS_ONSTACK);
	CHECK_EQ(seen[0].uc.ss_flags, 0); /* as it was set, wherever the interrupted code was */
	CHECK_EQ(seen[1].uc.ss_flags, 0);

	nr_seen = 0;
	then = send_usr2; /* one inside the other */
	raise(SIGUSR1);
	CHECK(nr_seen == 2 && seen[1].sig == SIGUSR2);
	CHECK(is_within(seen[1].frame, room, seen[0].frame));
	CHECK(seen[1].interrupted > (uintptr_t)seen[1].frame &&
	      seen[1].interrupted <= (uintptr_t)seen[0].frame);
	CHECK_EQ(now().ss_flags, 0);
}

/* A handler that needs no stack. */
extern void bare_handler(int sig, siginfo_t *si, void *uc);
extern volatile int bare_hits;
volatile int bare_hits;
__asm__(".text\n.globl bare_handler\nbare_handler:\n\t" PORT_ADD_ONE("bare_hits") "\n\tret");

TEST(sigaltstack_tight, "a frame fits the alternate stack to the last bytes")
{
	char *base, *end;
	pid_t pid;

	room = map_room();
	base = room + PAGE;
	end = room + ROOM;
	end -= (second_frame(end) - base) & ~63; /* changes no alignment within the frames */
	on_pair(bare_handler);
	OK(mprotect(room, PAGE, PROT_NONE)); /* nothing below the base can be written */
	set_stack(base, end, 0);
	send_pair();
	CHECK_EQ(bare_hits, 2);
	set_stack(base, end - 192, 0); /* Linux on arm64 writes the lowest 128, siginfo, last */
	pid = xfork();
	if (!pid) {
		send_pair();
		_exit(0);
	}
	CHECK_KILLED(pid, SIGSEGV);
}

TEST(sigaltstack_overflow, "a frame larger than the alternate stack: as Linux does on the port")
{
	char *end, *frame;

	room = map_room();
	end = room + ROOM;
	frame = second_frame(end);
	for (int below = 24; below >= -24; below -= 8) { /* bytes between base and frame */
		pid_t pid;

		set_stack(frame - below, end, 0);
		pid = xfork();
		if (!pid) {
			nr_seen = 0;
			send_pair();
			_exit(nr_seen == 2 && seen[0].frame == frame ? 5 : 1);
		}
		if (below > 0 || !PORT_ALTSTACK_BOUND)
			CHECK_EXITS(pid, 5);
		else
			CHECK_KILLED(pid, SIGSEGV);
	}
}

static stack_t wanted;

static void change_stack(int sig, siginfo_t *si, void *uc)
{
	(void)sig, (void)si;
	((ucontext_t *)uc)->uc_stack = wanted;
}

TEST(sigaltstack_return,
     "what uc_stack says is set at a handler's return, by sigaltstack()'s rules")
{
	room = map_room();
	on_siginfo(SIGUSR1, change_stack, 0);
	wanted = (stack_t){ .ss_sp = room, .ss_size = ROOM };
	raise(SIGUSR1);
	CHECK(now().ss_sp == room && now().ss_size == ROOM && now().ss_flags == 0);
	wanted.ss_size = 1000; /* too small: stays */
	raise(SIGUSR1);
	CHECK_EQ(now().ss_size, ROOM);
	wanted.ss_flags = SS_DISABLE;
	raise(SIGUSR1);
	CHECK_EQ(now().ss_flags, SS_DISABLE);
}
