/* Starting the drivers of the linker set, in its order. Boot only. */
#include <debug/klog.h>
#include <dev/dev.h>
#include <dev/driver.h>

extern const struct driver __drivers_start[], __drivers_end[];

void dev_init(void)
{
	for (const struct driver *d = __drivers_start; d < __drivers_end; d++) {
		int error = d->start();

		if (error)
			log_err("dev: %s did not start (%d)", d->name, error);
	}
}
