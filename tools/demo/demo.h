/* SPDX-License-Identifier: Apache-2.0 */
/* demo.h - the parts of shardmeter-demo. */
#ifndef DEMO_H
#define DEMO_H

#include <stdbool.h>
#include <stdint.h>

/* random.c: numbers that look like a bot's day. One generator a process. */
void random_seed(uint64_t seed);
double random_unit(void);			/* [0, 1) */
double random_exponential(double mean);
double random_lognormal(double median, double sigma);
unsigned random_weighted(const double *weights, unsigned n);

/* bot.c: one shard. Runs until SIGTERM, or, with burn > 0, handles that many commands as fast as it
 * can, with some real work in each, and returns. Exit status. */
int bot_run(unsigned shard, unsigned shards, uint64_t burn);

/* supervise.c: the exporter, the shards, the shell job, a shard that is killed and comes back, a line
 * of status; until SIGINT or SIGTERM. Exit status. */
struct supervise_options {
	const char *exporter;		/* programs to start */
	const char *shardmeter;
	const char *self;
	const char *address;		/* of the exporter, host:port */
	const char *storage;		/* directory of the history */
	unsigned shards;
	unsigned kill_every_s;		/* 0: never */
	unsigned seconds;		/* end by itself; 0: run on */
};
int supervise(const struct supervise_options *o);

#endif
