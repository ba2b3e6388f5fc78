/*
 * The registry of character devices.
 *
 * A list in order of registration; devices are never removed, so a pointer found stays good and iteration
 * needs no reference. Locks: registry_lock for additions and lookups.
 */
#include <core/spinlock.h>
#include <dev/chardev.h>

static DEFINE_LIST(devices); /* [x] registry_lock */
static struct spinlock registry_lock = SPINLOCK_INIT("chardevs", RANK_DRIVER);
void (*chardev_added)(struct chardev *d);

void chardev_register(struct chardev *d)
{
	void (*added)(struct chardev *);

	if (!d->count)
		d->count = 1;
	spin_lock(&registry_lock);
	list_add_tail(&d->all_link, &devices);
	added = READ_ONCE(chardev_added);
	spin_unlock(&registry_lock);
	if (added && d->name)
		added(d);
}

static bool owns(const struct chardev *d, dev_t devno)
{
	unsigned minor = DEV_MINOR(devno), first = DEV_MINOR(d->devno);

	return DEV_MAJOR(d->devno) == DEV_MAJOR(devno) && minor >= first &&
	       minor - first < d->count;
}

struct chardev *chardev_find(dev_t devno)
{
	struct chardev *d, *found = NULL;

	spin_lock(&registry_lock);
	list_for_each_entry(d, &devices, all_link)
		if (owns(d, devno)) {
			found = d;
			break;
		}
	spin_unlock(&registry_lock);
	return found;
}

struct chardev *chardev_next(struct chardev *prev)
{
	struct list *next;

	spin_lock(&registry_lock);
	next = prev ? prev->all_link.next : devices.next;
	spin_unlock(&registry_lock);
	return next == &devices ? NULL : list_entry(next, struct chardev, all_link);
}
