/* Conversions that several files of system calls need. */
#pragma once
#include <core/time.h>
#include <lib/string.h>
#include <proc/proc.h>
#include <uapi/resource.h>

static inline void rusage_fill(struct rusage *ru, const struct proc_usage *u)
{
	memset(ru, 0, sizeof(*ru));
	ru->ru_utime_sec = (s64)(u->utime_ns / NSEC_PER_SEC);
	ru->ru_utime_usec = (s64)(u->utime_ns % NSEC_PER_SEC / NSEC_PER_USEC);
	ru->ru_stime_sec = (s64)(u->stime_ns / NSEC_PER_SEC);
	ru->ru_stime_usec = (s64)(u->stime_ns % NSEC_PER_SEC / NSEC_PER_USEC);
	ru->ru_maxrss = (s64)u->maxrss;
	ru->ru_minflt = (s64)u->min_flt;
	ru->ru_majflt = (s64)u->maj_flt;
	ru->ru_nvcsw = (s64)u->nvcsw;
	ru->ru_nivcsw = (s64)u->nivcsw;
}
