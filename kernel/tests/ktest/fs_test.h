/* What the stages of files share. */
#pragma once
#include <debug/stage.h>
#include <fs/vfs.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <sched/thread.h>
#include <stages_gen.h>

#define FS_TEST_DIR "/.fs-test"

/* An empty directory FS_TEST_DIR to work in. 0 or -EXXX. */
int fs_test_begin(void);
/* Removes it and all below. 0, or -EXXX when something is still in use. */
int fs_test_end(void);
int fs_test_write(const char *path, const char *text); /* makes or replaces a file */
ssize_t fs_test_read(const char *path, char *buf, size_t size); /* whole, NUL-terminated */
int fs_test_exists(const char *path); /* 0, -ENOENT... */
/* The calling kernel thread gets a descriptor table, or gives it up. */
int fs_test_files_begin(void);
void fs_test_files_end(void);
unsigned fs_test_count(const char *dir); /* names but . and .. */
