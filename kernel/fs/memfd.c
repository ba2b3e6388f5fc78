/*
 * memfd: files of a hidden tmpfs that no directory names, with seals. Manual: memfd_create(2), fcntl(2).
 */
#include <debug/panic.h>
#include <fs/events.h>
#include <lib/format.h>
#include <mm/mm.h>
#include <uapi/statfs.h>
#include "internal.h"
#include "tmpfs/tmpfs.h"

static struct mount *memfd_mount;
static struct mutex make_lock;
static const struct fs_type memfd_type = { .name = "tmpfs" };

void memfd_init(void)
{
	mutex_init(&make_lock, "memfd", RANK_RENAME);
}

static int make_mount(void)
{
	struct super *s;
	int err = 0;

	mutex_lock(&make_lock);
	if (!memfd_mount) {
		err = tmpfs_mount_new(&memfd_type, NULL, 0755, 0, &s);
		if (!err) {
			memfd_mount = mount_internal(s);
			err = memfd_mount ? 0 : -ENOMEM;
		}
	}
	mutex_unlock(&make_lock);
	return err;
}

int memfd_create_file(const char *name, unsigned flags, struct file **out)
{
	char full[NAME_MAX + 8];
	struct inode *inode;
	struct path p;
	int err = make_mount();

	if (err)
		return err;
	inode = tmpfs_inode(memfd_mount->super, NULL, S_IFREG | 0777, 0);
	if (!inode)
		return -ENOMEM;
	inode->nlink = 0;
	if (flags & MFD_NOEXEC_SEAL)
		inode->mode &= ~0111u;
	inode->seals = flags & MFD_NOEXEC_SEAL     ? F_SEAL_EXEC
		       : flags & MFD_ALLOW_SEALING ? 0
						   : F_SEAL_SEAL;
	snprintf(full, sizeof(full), "memfd:%s", name);
	p.dentry = dentry_create(memfd_mount->root, full, strlen(full));
	if (!p.dentry) {
		inode_put(inode);
		return -ENOMEM;
	}
	p.dentry->inode = inode;
	p.dentry->flags |= DENTRY_UNLINKED;
	p.mount = memfd_mount;
	err = vfs_open_path(&p, O_RDWR, out);
	dentry_put(p.dentry);
	return err;
}

/* Does somebody have the file mapped so that it can be written through that? */
static bool has_writable_maps(struct mapping *m)
{
	struct vma *v;
	bool found = false;

	spin_lock(&m->lock);
	list_for_each_entry(v, &m->vmas, mapping_link) {
		if ((v->flags & (VM_SHARED | VM_MAYWRITE)) == (VM_SHARED | VM_MAYWRITE))
			found = true;
	}
	spin_unlock(&m->lock);
	return found;
}

static long add_seals(struct file *f, u32 seals)
{
	struct inode *inode = f->inode;
	long ret = 0;

	if (!(f->mode & FMODE_WRITE))
		return -EPERM;
	if (seals & ~(u32)(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
			   F_SEAL_FUTURE_WRITE | F_SEAL_EXEC))
		return -EINVAL;
	rwsem_write_lock(&inode->lock);
	if (inode->seals & F_SEAL_SEAL) {
		ret = -EPERM;
	} else if (seals & F_SEAL_WRITE && !(inode->seals & F_SEAL_WRITE) &&
		   has_writable_maps(&inode->mapping)) {
		ret = -EBUSY;
	} else {
		if (seals & F_SEAL_EXEC && inode->mode & 0111)
			seals |= F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
		inode->seals |= seals;
	}
	rwsem_write_unlock(&inode->lock);
	return ret;
}

long memfd_fcntl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct inode *inode = f->inode;

	if (!inode || !S_ISREG(inode->mode) || inode->super->magic != TMPFS_MAGIC)
		return -EINVAL;
	if (cmd == F_GET_SEALS)
		return READ_ONCE(inode->seals);
	return add_seals(f, (u32)arg);
}
