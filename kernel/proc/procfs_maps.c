/* /proc/PID/maps, smaps, mem; mounts and mountinfo. Manual: proc(5). */
#include <uapi/statfs.h>
#include "internal.h"
#include "procfs_pid.h"

/* --- address spaces --- */

const char *proc_vma_name(const struct vma *v, const struct mm *mm)
{
	if (v->ops && v->ops->name)
		return v->ops->name;
	if (v->file)
		return NULL;
	if (v->start <= mm->brk && v->end > mm->brk_start && v->end > v->start &&
	    mm->brk > mm->brk_start)
		return "[heap]";
	if (v->start <= mm->stack_start && v->end >= mm->stack_start)
		return "[stack]";
	return NULL;
}

static void show_vma(struct seq *s, const struct vma *v, const struct mm *mm, char *buf)
{
	const struct inode *inode = v->file ? v->file->inode : NULL;
	u64 dev = inode && inode->super ? inode->super->dev : 0;
	const char *name = proc_vma_name(v, mm);
	size_t start = s->len;

	seq_printf(s, "%08lx-%08lx %c%c%c%c %08llx %02x:%02x %llu ", v->start, v->end,
		   v->flags & VM_READ ? 'r' : '-', v->flags & VM_WRITE ? 'w' : '-',
		   v->flags & VM_EXEC ? 'x' : '-', v->flags & VM_SHARED ? 's' : 'p',
		   v->file ? v->pgoff << 12 : 0, MAJOR(dev), MINOR(dev), inode ? inode->ino : 0);
	if (v->file)
		name = file_path(v->file, buf, PATH_MAX);
	if (name) {
		while (s->len - start < 73 && !s->failed)
			seq_putc(s, ' ');
		seq_escape(s, name, "\n");
	}
	seq_putc(s, '\n');
}

static int show_vmas(struct seq *s, const struct pid_view *v, bool details)
{
	struct mm *mm = proc_get_mm(v->p);
	char *buf = kmalloc(PATH_MAX, 0);
	int err = pid_may_look(v);

	if (!mm || !buf || err) {
		kfree(buf);
		if (mm)
			mm_put(mm);
		return err ? err : mm ? -ENOMEM : 0;
	}
	rwsem_read_lock(&mm->lock);
	for (struct vma *vma = vma_find(mm, 0); vma; vma = vma_next(vma)) {
		show_vma(s, vma, mm, buf);
		if (details)
			seq_printf(s,
				   "Size:           %8llu kB\nKernelPageSize:        4 kB\n"
				   "MMUPageSize:           4 kB\nLocked:         %8llu kB\n",
				   vma_pages(vma) * 4,
				   vma->flags & VM_LOCKED ? vma_pages(vma) * 4 : 0);
	}
	rwsem_read_unlock(&mm->lock);
	mm_put(mm);
	kfree(buf);
	return 0;
}

int pid_show_maps(struct seq *s, const struct pid_view *v)
{
	return show_vmas(s, v, false);
}
int pid_show_smaps(struct seq *s, const struct pid_view *v)
{
	return show_vmas(s, v, true);
}

/* --- mem --- */

static ssize_t mem_rw(struct file *f, struct uio *u, loff_t *pos, bool write)
{
	char *page = kmalloc(PAGE_SIZE, 0);
	struct pid_view v;
	struct mm *mm = NULL;
	ssize_t done = pid_view_get(pid_node_of(f->inode), &v);

	if (!done) {
		done = pid_may_look(&v);
		mm = done ? NULL : proc_get_mm(v.p);
		pid_view_put(&v);
	}
	if (done || !mm || !page)
		goto out;
	while (u->resid) {
		size_t n = min(u->resid, PAGE_SIZE), got;

		if (write) {
			n = uio_copy_from(u, page, n);
			got = mm_access(mm, (uptr_t)*pos, page, n, true);
		} else {
			got = mm_access(mm, (uptr_t)*pos, page, n, false);
			got = uio_copy_to(u, page, got);
		}
		*pos += (loff_t)got;
		done += (ssize_t)got;
		if (got < n || !n)
			break;
	}
	if (!done && u->resid)
		done = -EIO;
out:
	if (mm)
		mm_put(mm);
	kfree(page);
	return done;
}

static ssize_t mem_read(struct file *f, struct uio *to, loff_t *pos)
{
	return mem_rw(f, to, pos, false);
}
static ssize_t mem_write(struct file *f, struct uio *from, loff_t *pos)
{
	return mem_rw(f, from, pos, true);
}
static loff_t mem_seek(struct file *f, loff_t off, int whence)
{
	if (whence == SEEK_CUR)
		off += f->pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	return f->pos = off;
}
const struct file_ops pid_mem_fops = { .read = mem_read, .write = mem_write, .seek = mem_seek };

/* --- mounts --- */

static void show_options(struct seq *s, const struct mount *m, char *buf, size_t size)
{
	unsigned long f = m->flags;

	seq_puts(s, (f | m->super->flags) & MS_RDONLY ? "ro" : "rw");
	seq_puts(s, f & MS_NOSUID ? ",nosuid" : "");
	seq_puts(s, f & MS_NODEV ? ",nodev" : "");
	seq_puts(s, f & MS_NOEXEC ? ",noexec" : "");
	seq_puts(s, f & MS_NOATIME ? ",noatime" : ",relatime");
	if (size && m->super->ops->show_options) {
		m->super->ops->show_options(m->super, buf, size);
		seq_puts(s, buf);
	}
}

static const char space[] = " \t\n\\";

static void show_mount(struct seq *s, struct mount *m, const char *at, bool info, char *buf,
		       size_t size)
{
	if (info) {
		seq_printf(s, "%u %u %u:%u / ", m->id, m->parent->id, MAJOR(m->super->dev),
			   MINOR(m->super->dev));
		seq_escape(s, at, space);
		seq_putc(s, ' ');
		show_options(s, m, buf, 0);
		seq_printf(s, " - %s ", m->super->type->name);
		seq_escape(s, m->source, space);
		seq_putc(s, ' ');
		show_options(s, m, buf, size);
	} else {
		seq_escape(s, m->source, space);
		seq_putc(s, ' ');
		seq_escape(s, at, space);
		seq_printf(s, " %s ", m->super->type->name);
		show_options(s, m, buf, size);
		seq_puts(s, " 0 0");
	}
	seq_putc(s, '\n');
}

static int show_mounts(struct seq *s, bool info)
{
	char *buf = kmalloc(PATH_MAX, 0), options[256];
	unsigned i = 0;

	if (!buf)
		return -ENOMEM;
	for (struct mount *m; (m = mount_nth(i)); i++) {
		struct path p = { m, m->root };
		bool deleted;
		char *at;

		options[0] = '\0';
		if (path_format(&p, buf, PATH_MAX, &at, &deleted) == 0 && !deleted)
			show_mount(s, m, at, info, options, sizeof(options));
		mount_release(m);
	}
	kfree(buf);
	return 0;
}

int pid_show_mounts(struct seq *s, const struct pid_view *v)
{
	(void)v;
	return show_mounts(s, false);
}
int pid_show_mountinfo(struct seq *s, const struct pid_view *v)
{
	(void)v;
	return show_mounts(s, true);
}
