/*
 * Formatted output: %d i u x X o c s p %%, flags - 0 + space #, width and precision (also *), lengths
 * hh h l ll z t j. An unknown conversion is copied as it stands.
 */
#pragma once
#include <lib/types.h>

#if __STDC_HOSTED__ && !defined(LIB_FORMAT_OWN)
#include <stdio.h>
#else
/* The length the text would have without a limit; NUL-terminated when size > 0. */
__printf(3, 0) int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
__printf(3, 4) int snprintf(char *buf, size_t size, const char *fmt, ...);
#endif
/* As above, but the length actually in buf: for appending. */
__printf(3, 0) int vscnprintf(char *buf, size_t size, const char *fmt, va_list ap);
__printf(3, 4) int scnprintf(char *buf, size_t size, const char *fmt, ...);
