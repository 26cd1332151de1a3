/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - clocks beyond clock_ns() of writer.h. sm_now_ns() is public. */
#ifndef SM_CLOCK_H
#define SM_CLOCK_H

#include <stdint.h>

/*
 * clock_use_tsc - from now on sm_now_ns() reads the processor's time-stamp counter, in the whole
 * process. Takes about 5 ms (calibration), once. 0, also when it does already, or -EOPNOTSUPP:
 * the processor has no invariant counter, or the kernel does not trust it, or it could not be
 * calibrated; then sm_now_ns() goes on with CLOCK_MONOTONIC. Thread: safe. Signal: unsafe. Fork:
 * the child keeps it.
 */
int clock_use_tsc(void);

/* CLOCK_BOOTTIME to a few milliseconds, in 5 ns: for up to a second after a suspend it lacks the
 * time slept. Signal: safe. */
uint64_t clock_boot_coarse_ns(void);

#endif
