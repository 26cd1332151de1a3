/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - shardmeter-demo: a bot to look at. `make run` calls it through scripts/run-demo.
 *
 *	shardmeter-demo --shard 2 --shards 4		one shard (bot.c)
 *	shardmeter-demo --supervise ...			all of it (supervise.c)
 *	shardmeter-demo --probe				can the segment be used?
 */
#include <errno.h>
#include <getopt.h>
#include <shardmeter_reader.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo.h"

enum { OPT_SHARD = 256, OPT_SHARDS, OPT_BURN, OPT_SUPERVISE, OPT_EXPORTER, OPT_CLI, OPT_ADDRESS, OPT_STORAGE,
       OPT_KILL_EVERY, OPT_SECONDS, OPT_PROBE, OPT_HELP };

static const struct option options[] = {
	{ "shard", required_argument, NULL, OPT_SHARD },
	{ "shards", required_argument, NULL, OPT_SHARDS },
	{ "burn", required_argument, NULL, OPT_BURN },
	{ "supervise", no_argument, NULL, OPT_SUPERVISE },
	{ "exporter", required_argument, NULL, OPT_EXPORTER },
	{ "shardmeter", required_argument, NULL, OPT_CLI },
	{ "address", required_argument, NULL, OPT_ADDRESS },
	{ "storage", required_argument, NULL, OPT_STORAGE },
	{ "kill-every", required_argument, NULL, OPT_KILL_EVERY },
	{ "seconds", required_argument, NULL, OPT_SECONDS },
	{ "probe", no_argument, NULL, OPT_PROBE },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
	"shardmeter-demo --shard N [--shards M] [--burn COMMANDS]\n"
	"    one shard of a simulated chat bot; --burn: that many commands at full speed, then end\n"
	"shardmeter-demo --supervise --exporter PATH --shardmeter PATH --address HOST:PORT --storage DIRECTORY\n"
	"                [--shards 4] [--kill-every SECONDS] [--seconds N]\n"
	"    exporter, shards, a shell job, and a shard that is killed every 30 s and comes back\n"
	"shardmeter-demo --probe\n"
	"    say why the segment cannot be used, if there is one and it cannot; exit code 1 then\n"
	"The segment comes from SHARDMETER_SEGMENT.\n";

static uint64_t number(const char *option, const char *text, uint64_t max)
{
	char *end;
	unsigned long long v = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || v > max) {
		fprintf(stderr, "shardmeter-demo: --%s %s: must be a whole number up to %llu\n", option, text,
			(unsigned long long)max);
		exit(2);
	}
	return v;
}

/* Would a shard count? What another build or a crash left behind may be beyond use. */
static int probe(void)
{
	struct sm_options o = { .flags = SM_OPEN_COMMON | SM_OPEN_NO_CREATE };
	struct sm_diag diag = { 0 };
	char path[4096];

	sm_close(sm_open(&o, &diag));
	if (!diag.error || diag.error == -ENOENT)
		return 0;
	if (sm_segment_resolve(NULL, path, sizeof(path)) != 0)
		path[0] = '\0';
	/* Some messages name the command, some cannot know it. */
	if (strstr(diag.message, "shardmeter rm") || !path[0])
		printf("%s\n", diag.message);
	else
		printf("%s; to remove it: shardmeter rm --segment=%s --force\n", diag.message, path);
	return 1;
}

int main(int argc, char **argv)
{
	struct supervise_options s = { .self = argv[0], .shards = 4, .kill_every_s = 30 };
	bool supervised = false;
	uint64_t burn = 0;
	unsigned shard = 0;
	int c, at = 0;

	while ((c = getopt_long(argc, argv, "h", options, &at)) != -1) {
		const char *name = options[at].name;

		switch (c) {
		case OPT_SHARD: shard = (unsigned)number(name, optarg, 63); break;
		case OPT_SHARDS: s.shards = (unsigned)number(name, optarg, 64); break;
		case OPT_BURN: burn = number(name, optarg, 1000000000); break;
		case OPT_SUPERVISE: supervised = true; break;
		case OPT_EXPORTER: s.exporter = optarg; break;
		case OPT_CLI: s.shardmeter = optarg; break;
		case OPT_ADDRESS: s.address = optarg; break;
		case OPT_STORAGE: s.storage = optarg; break;
		case OPT_KILL_EVERY: s.kill_every_s = (unsigned)number(name, optarg, 86400); break;
		case OPT_SECONDS: s.seconds = (unsigned)number(name, optarg, 86400); break;
		case OPT_PROBE: return probe();
		case OPT_HELP:
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			return 2;
		}
	}
	if (!supervised)
		return bot_run(shard, s.shards, burn);
	if (!s.exporter || !s.shardmeter || !s.address || !s.storage || !s.shards) {
		fputs("shardmeter-demo: --supervise needs --exporter, --shardmeter, --address and --storage\n", stderr);
		return 2;
	}
	return supervise(&s);
}
