/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.c - the time of timers and flows.
 *
 * CLOCK_MONOTONIC costs about 22 ns a read, half of it for reading the time-stamp counter behind
 * a barrier. With SM_OPEN_TSC we read the counter ourselves and multiply. Conditions: the
 * processor says that the counter runs at one rate in all states (CPUID), and the kernel takes
 * its own time from it or from the hypervisor's clock made of it (else the counters of several
 * processors may disagree), and the counter is faster than 1 GHz.
 *
 * The rate is measured against CLOCK_MONOTONIC over 5 ms. Each end is known to about 25 ns, so
 * the rate is right to 10^-5; it does not follow later slewing of CLOCK_MONOTONIC (at most 5 *
 * 10^-4). Both clocks have the same origin, so a timer may run across the switch.
 *
 * The read has no barrier (6 ns more): the processor may do it before a load that stands above
 * it. So a time that another thread has stored just now may be a little later than ours
 * (measured: with a barrier never). Differences are taken by sm_since_ns_(), which makes 0 of
 * that.
 */
#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "writer.h"

#define SECOND_NS UINT64_C(1000000000)

#if defined(__x86_64__)

#include <cpuid.h>

#define CALIBRATE_NS 5000000
#define CALIBRATE_TRIES 5
#define PAIR_TRIES 16
#define PAIR_WIDTH_MAX 20000		/* ticks; wider: we were interrupted each time */
#define RATE_MIN (UINT64_C(1) << 60)	/* ns per tick << 64, of 16 GHz; of 1 GHz is 2^64 */

#define READ_TICKS (UINT64_C(1) << 63)	/* in a reading of sm_clock_(): not ns */

enum { TSC_OFF, TSC_PUBLISHING, TSC_ON };

/* Written once, before state becomes TSC_ON. */
static struct {
	uint32_t state;
	uint64_t rate;		/* ns per tick << 64 */
	uint64_t offset_ns;	/* CLOCK_MONOTONIC at tick 0 of the counter; may be below 0 */
} tsc;

struct pair {
	uint64_t ticks, ns;
};

static inline uint64_t ticks_now(void)
{
	return __builtin_ia32_rdtsc();
}

/* Whole ns: the upper half of the product, so that it takes no shift. */
static inline uint64_t ticks_ns(uint64_t ticks, uint64_t rate)
{
	__extension__ unsigned __int128 product = (unsigned __int128)ticks * rate;

	return (uint64_t)(product >> 64);
}

static bool tsc_is_invariant(void)
{
	unsigned a, b, c, d;

	return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d >> 8 & 1);
}

/* The clocks of Linux that are the counter. A system without this file is believed. */
static bool tsc_is_trusted(void)
{
	static const char *const names[] = {
		"tsc\n", "kvm-clock\n", "hyperv_clocksource_tsc_page\n",
	};
	char text[64];
	ssize_t n;
	size_t i;
	int fd;

	fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
		  O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return true;
	text[n] = '\0';
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(text, names[i]))
			return true;
	return false;
}

/* Read both clocks at one instant, as near as can be. */
static bool read_pair(struct pair *ret)
{
	uint64_t before, ns, after, width, best = UINT64_MAX;
	struct pair pair = { 0, 0 };
	unsigned i;

	for (i = 0; i < PAIR_TRIES; i++) {
		before = ticks_now();
		ns = clock_ns(CLOCK_MONOTONIC);
		after = ticks_now();
		width = after - before;
		if (width < best) {
			best = width;
			pair.ticks = before + width / 2;
			pair.ns = ns;
		}
	}
	if (best > PAIR_WIDTH_MAX)
		return false;
	*ret = pair;
	return true;
}

static bool calibrate(uint64_t *ret_rate, struct pair *ret_origin)
{
	struct timespec pause = { 0, CALIBRATE_NS };
	struct pair first, last;
	__extension__ unsigned __int128 ns, rate;

	if (!read_pair(&first))
		return false;
	nanosleep(&pause, NULL);	/* a signal may cut it short: then we try again */
	if (!read_pair(&last) || last.ticks <= first.ticks)
		return false;
	ns = last.ns - first.ns;
	if (ns < CALIBRATE_NS / 2 || ns > SECOND_NS)
		return false;
	rate = (ns << 64) / (last.ticks - first.ticks);
	if (rate < RATE_MIN || rate > UINT64_MAX)
		return false;
	*ret_rate = (uint64_t)rate;
	*ret_origin = last;
	return true;
}

int clock_use_tsc(void)
{
	uint32_t off = TSC_OFF;
	struct pair origin;
	uint64_t rate;
	unsigned i;

	if (load_acquire(&tsc.state) != TSC_OFF)
		return 0;
	if (!tsc_is_invariant() || !tsc_is_trusted())
		return -EOPNOTSUPP;
	for (i = 0; !calibrate(&rate, &origin); i++)
		if (i == CALIBRATE_TRIES)
			return -EOPNOTSUPP;
	/* Two threads may have come this far: the first one publishes. */
	if (!cas_acq_rel(&tsc.state, &off, TSC_PUBLISHING))
		return 0;
	tsc.rate = rate;
	tsc.offset_ns = origin.ns - ticks_ns(origin.ticks, rate);
	store_release(&tsc.state, TSC_ON);	/* pairs with sm_now_ns() */
	return 0;
}

/* Out of the way, with its stack frame. */
static __attribute__((noinline)) uint64_t monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static __attribute__((noinline)) uint64_t monotonic_since_ns(uint64_t start)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	/* A branch, which is foreseen; a conditional move would wait for the clock once more. */
	if (__builtin_expect_with_probability(now < start, 0, 1.0))
		return 0;
	return now - start;
}

uint64_t sm_now_ns(void)
{
	if (load_acquire(&tsc.state) != TSC_ON)		/* pairs with clock_use_tsc() */
		return monotonic_ns();
	return ticks_ns(ticks_now(), tsc.rate) + tsc.offset_ns;
}

/* The highest bit tells the clocks apart, for the counter may be taken into use meanwhile. */
uint64_t sm_clock_(void)
{
	if (load_acquire(&tsc.state) != TSC_ON)
		return monotonic_ns();
	return ticks_now() | READ_TICKS;
}

uint64_t sm_clock_since_(uint64_t reading)
{
	uint64_t ticks;

	if (!(reading & READ_TICKS))
		return monotonic_since_ns(reading);
	ticks = ticks_now() - (reading ^ READ_TICKS);
	return (int64_t)ticks < 0 ? 0 : ticks_ns(ticks, tsc.rate);
}

#else

int clock_use_tsc(void)
{
	return -EOPNOTSUPP;
}

uint64_t sm_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t sm_clock_(void)
{
	return sm_now_ns();
}

uint64_t sm_clock_since_(uint64_t reading)
{
	return sm_since_ns_(reading);
}

#endif

/* How far CLOCK_BOOTTIME is ahead: the time slept. */
static uint64_t boot_difference_ns(void)
{
	uint64_t before, boot, after;
	unsigned tries = 3;

	do {
		before = clock_ns(CLOCK_MONOTONIC);
		boot = clock_ns(CLOCK_BOOTTIME);
		after = clock_ns(CLOCK_MONOTONIC);
	} while (after - before > SECOND_NS / 1000 && --tries);
	return boot - before;
}

uint64_t clock_boot_coarse_ns(void)
{
	static uint64_t difference, looked;
	uint64_t now = clock_ns(CLOCK_MONOTONIC_COARSE);

	/* It changes by suspends only: a look a second is enough. Whoever sees the time of a look
	 * (acquire) sees its result (release below). */
	if (now - load_acquire(&looked) >= SECOND_NS) {
		store_relaxed(&difference, boot_difference_ns());
		store_release(&looked, now);
	}
	return now + load_relaxed(&difference);
}
