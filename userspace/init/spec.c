/*
 * /.cairn/spec: NUL-terminated strings, key and value by turns. Keys: cwd, env, arg, tty. An unknown key
 * is an error: the runner and this program are of one build, so it is a mistake and not a new feature.
 */
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The whole file with one NUL more behind it; NULL with errno. */
static char *read_all(const char *path, size_t *size)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *buf = NULL;
	ssize_t n;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && (buf = malloc((size_t)st.st_size + 1)) != NULL) {
		for (*size = 0; *size < (size_t)st.st_size; *size += (size_t)n) {
			n = read(fd, buf + *size, (size_t)st.st_size - *size);
			if (n <= 0)
				break;
		}
		buf[*size] = '\0';
	}
	close(fd);
	return buf;
}

static int append(char ***list, size_t *n, char *value)
{
	char **grown = realloc(*list, (*n + 2) * sizeof(char *));

	if (!grown)
		return -1;
	grown[(*n)++] = value;
	grown[*n] = NULL;
	*list = grown;
	return 0;
}

int spec_read(const char *path, struct spec *out)
{
	struct spec s = { 0 };
	size_t size = 0, nargs = 0, nenv = 0;
	char *buf = read_all(path, &size);
	int err = 0;

	if (!buf) {
		if (errno == ENOENT)
			return 1;
		fprintf(stderr, "init: %s: %s\n", path, strerror(errno));
		return -1;
	}
	s.env = calloc(1, sizeof(char *));
	for (char *key = buf, *value; key < buf + size; key = value + strlen(value) + 1) {
		value = key + strlen(key) + 1;
		if (value > buf + size) {
			fprintf(stderr, "init: %s: key '%s' without a value\n", path, key);
			return -1;
		}
		if (strcmp(key, "arg") == 0) {
			err |= append(&s.argv, &nargs, value);
		} else if (strcmp(key, "env") == 0) {
			err |= append(&s.env, &nenv, value);
		} else if (strcmp(key, "cwd") == 0) {
			s.cwd = value;
		} else if (strcmp(key, "tty") == 0) {
			s.tty = strcmp(value, "1") == 0;
		} else {
			fprintf(stderr, "init: %s: unknown key '%s'\n", path, key);
			return -1;
		}
	}
	if (err || !s.env || nargs == 0) {
		fprintf(stderr, "init: %s: %s\n", path,
			nargs ? "out of memory" : "no program named");
		return -1;
	}
	*out = s;
	return 0;
}
