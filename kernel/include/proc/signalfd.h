/* signalfd: signals read from a descriptor. Manual: signalfd(2). */
#pragma once
#include <lib/types.h>

struct file;
int signalfd_create(u64 mask, unsigned flags, struct file **out);
int signalfd_set(struct file *f, u64 mask); /* -EINVAL: not a signalfd */
