/*
 * The path walk on symlinks.
 *
 * A link that is followed is pushed: what of the name comes after it, and a reference on the link, which
 * keeps its text. When the text is walked, the walk pops it and goes on with the rest. The stack begins
 * inside of struct walk and moves to the heap when links nest deeper; at most 40 are followed in one walk.
 * Magic links (/proc/PID/fd/N) have no text that counts: the file system says where they lead.
 *
 * All of it holds references; the walk leaves rcu before. Manual: symlink(7), path_resolution(7).
 */
#include <uapi/statfs.h>
#include "internal.h"

void walk_pop_link(struct walk *w)
{
	struct walk_link *l = &w->links[--w->depth];

	kfree(l->buf);
	path_put(&l->link);
}

static int push_link(struct walk *w, const char *rest, char *buf)
{
	struct walk_link *l;

	if (w->depth == WALK_LINKS_INLINE && w->links == w->inline_links) {
		w->links = kmalloc(WALK_LINKS_MAX * sizeof(*w->links), 0);
		if (!w->links) {
			w->links = w->inline_links;
			return -ENOMEM;
		}
		memcpy(w->links, w->inline_links, sizeof(w->inline_links));
	}
	l = &w->links[w->depth++];
	l->rest = rest;
	l->buf = buf;
	l->link = w->path; /* the link's references go along */
	return 0;
}

static int follow_magic(struct walk *w)
{
	struct path to;
	int err;

	if (w->flags & (LOOKUP_NO_MAGICLINKS | LOOKUP_BENEATH | LOOKUP_IN_ROOT))
		return w->flags & LOOKUP_NO_MAGICLINKS ? -ELOOP : -EXDEV;
	err = w->inode->ops->follow(w->path.dentry, &to);
	if (err)
		return err;
	if (w->flags & LOOKUP_NO_XDEV && to.mount != w->path.mount) {
		path_put(&to);
		return -EXDEV;
	}
	path_put(&w->path);
	return walk_stand_on(w, &to);
}

static int read_link(struct walk *w, char **buf)
{
	ssize_t n;

	*buf = kmalloc(PATH_MAX, 0);
	if (!*buf)
		return -ENOMEM;
	n = w->inode->ops->readlink(w->path.dentry, *buf, PATH_MAX - 1);
	if (n < 0) {
		kfree(*buf);
		return (int)n;
	}
	(*buf)[n] = '\0';
	return 0;
}

/* The walk stands on a symlink, with references: goes on with its text. */
int walk_follow_link(struct walk *w)
{
	const char *text = w->inode->link;
	struct path from;
	char *buf = NULL;
	int err;

	if (w->flags & LOOKUP_NO_SYMLINKS || w->total_links++ >= WALK_LINKS_MAX ||
	    w->path.mount->flags & MS_NOSYMFOLLOW)
		return -ELOOP;
	if (w->inode->ops && w->inode->ops->follow)
		return follow_magic(w);
	if (!text) {
		if (!w->inode->ops || !w->inode->ops->readlink)
			return -EIO;
		err = read_link(w, &buf);
		if (err)
			return err;
		text = buf;
	}
	if (!*text) {
		kfree(buf);
		return -ENOENT;
	}
	err = push_link(w, w->name, buf);
	if (err) {
		kfree(buf);
		return err;
	}
	from.mount = w->path.mount;
	from.dentry = dentry_get_parent(w->path.dentry);
	mount_get(from.mount);
	w->name = text;
	walk_stand_on(w, &from);
	return *text == '/' ? walk_jump_to_root(w) : 0;
}

bool walk_links_ended(const struct walk *w)
{
	for (unsigned i = 0; i < w->depth; i++) {
		const char *rest = w->links[i].rest;

		while (*rest == '/')
			rest++;
		if (*rest)
			return false;
	}
	return true;
}
