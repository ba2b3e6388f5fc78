/*
 * Draws a screen that the tests know, then reads keys: a line in canonical mode, then bytes in raw mode up to
 * 'q'. What is done is said in strings that a terminal does not show (OSC), for who listens on the serial line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static void say(const char *what)
{
	printf("\033]0;%s\007", what);
	fflush(stdout);
}

static void draw(void)
{
	struct winsize w;

	printf("\033[2J\033[H");
	if (!ioctl(0, TIOCGWINSZ, &w))
		printf("%u rows, %u columns, %ux%u\n", w.ws_row, w.ws_col, w.ws_xpixel,
		       w.ws_ypixel);
	for (int i = 0; i < 8; i++)
		printf("\033[3%dm%d\033[9%dm%d\033[4%d;30m \033[49m", i, i, i, i, i);
	printf("\033[m\n\033[1mbold\033[m \033[4mline\033[m \033[7mreverse\033[m \033[2mdim\033[m "
	       "\033[38;5;208morange\033[48;2;0;0;255mblue\033[m\n");
	printf("caf\303\251 \303\234ber \342\224\214\342\224\200\342\224\220 \033(0lqk\033(B "
	       "\344\270\255\346\226\207 \342\202\254\n");
	/* Six lines in a region of three: the last three stay. */
	printf("\033[10;12r\033[10;1H");
	for (int i = 1; i <= 6; i++)
		printf("%sscrolled %d", i > 1 ? "\r\n" : "", i);
	printf("\033[r\033[14;1Habcdefgh\033[14;3H\033[2P\033[14;1H\033[@>\033[15;1H");
	printf("erased\033[4D\033[K\033[16;1H");
}

static void read_line(void)
{
	char line[256] = "";

	say("drawn");
	if (!fgets(line, sizeof(line), stdin))
		exit(1);
	printf("line: %s", line);
	say("line read");
}

static void read_raw(void)
{
	struct termios saved, raw;
	unsigned char c;

	if (tcgetattr(0, &saved))
		exit(1);
	raw = saved;
	cfmakeraw(&raw);
	tcsetattr(0, TCSANOW, &raw);
	say("raw");
	while (read(0, &c, 1) == 1 && c != 'q') {
		char text[8];
		int n = snprintf(text, sizeof(text), "%02x ", c);

		if (write(1, text, (size_t)n) != n)
			exit(1);
	}
	tcsetattr(0, TCSANOW, &saved);
	printf("\033[17;2H");
	say("done");
}

int main(void)
{
	draw();
	read_line();
	read_raw();
	/* Until the test has looked. */
	return getchar() == EOF;
}
