/* SPDX-License-Identifier: Apache-2.0 */
/* TIMEOUT: 600 */
/*
 * long_kills.c - KILLS (1000, if it is not set) writers are killed, and no count is lost: see
 * kills.h. `make soak KILLS=100000` runs this. SEED repeats what the random numbers of another run
 * chose.
 */
#include "kills.h"

int main(void)
{
	const char *kills = getenv("KILLS");

	segment_init("kills");
	run_kills(kills && strtoull(kills, NULL, 10) ? strtoull(kills, NULL, 10) : 1000, 50);
	return 0;
}
