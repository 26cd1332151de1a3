/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - the clock of deadlines: CLOCK_MONOTONIC in ns. Depends on nothing. */
#ifndef EXPORTER_CLOCK_H
#define EXPORTER_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_MS	UINT64_C(1000000)
#define CLOCK_S		UINT64_C(1000000000)

static inline uint64_t clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * CLOCK_S + (uint64_t)ts.tv_nsec;
}

static inline struct timespec clock_timespec(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / CLOCK_S), .tv_nsec = (long)(ns % CLOCK_S) };
}

#endif /* EXPORTER_CLOCK_H */
