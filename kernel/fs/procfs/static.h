/* The entries of /proc that need no processes. */
#pragma once

void procfs_register_static(void);
