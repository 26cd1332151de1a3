/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_exact_kills.c - writers are killed, and no count is lost: see kills.h. The long version of
 * this is long_kills.c.
 */
#include "kills.h"

#define SOME_KILLS 400

int main(void)
{
	segment_init("kills");
	run_kills(SOME_KILLS, 40);
	return 0;
}
