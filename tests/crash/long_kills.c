/* SPDX-License-Identifier: Apache-2.0 */
/*
 * long_kills.c - a thousand kills (KILLS: how many), see kills.h.
 * TIMEOUT: 600
 */
#include "kills.h"

int main(void)
{
	const char *text = getenv("KILLS");
	char *end;
	unsigned long long n = text ? strtoull(text, &end, 10) : 1000;

	if (text && (!*text || *end || n < 1)) {
		fprintf(stderr, "KILLS=%s: must be a whole number\n", text);
		return 2;
	}
	steps_init();
	segment_init("kills");
	ledger = shared_memory(sizeof(*ledger));
	run_kills(n);
	return 0;
}
