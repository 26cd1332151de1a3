/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bot.c - one shard of a chat bot that does nothing but behave like one.
 *
 * A single-threaded event loop, as bots are. Commands arrive at random; each is a flow with three
 * stages (load_preferences, database, respond) whose lengths are drawn from log-normal or bimodal
 * distributions, and many are under way at once. Around them: a gateway, a cache, a database pool, a
 * music queue, cooldowns and errors. Everything is real time: what shmtop shows is what a real bot of
 * this kind would show.
 */
#include <errno.h>
#include <math.h>
#include <shardmeter.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "demo.h"

#define COMMANDS	12
#define IN_FLIGHT_MAX	512
#define RATE		12.0	/* commands a second and shard */

struct command {
	const char *name;
	double weight;
	double median_s;	/* of its slowest stage */
	double sigma;
	double second_median_s;	/* bimodal: the other hump; 0 if there is none */
	double second_share;
	double error_share;
	const char *table;	/* that it asks the database for */
};

static const struct command commands[COMMANDS] = {
	{ "play",	24, .060, .6, .900, .06, .008, "tracks" },
	{ "search",	14, .080, .5, 0, 0, .004, "tracks" },
	{ "queue",	13, .006, .4, 0, 0, .001, "queues" },
	{ "skip",	11, .004, .4, 0, 0, .002, "queues" },
	{ "rank",	 9, .015, .5, .180, .10, .002, "ranks" },
	{ "leaderboard", 6, .070, .4, .350, .15, .003, "ranks" },
	{ "profile",	 6, .025, .5, 0, 0, .002, "players" },
	{ "help",	 5, .002, .3, 0, 0, 0, NULL },
	{ "settings",	 4, .012, .5, 0, 0, .004, "preferences" },
	{ "ban",	 3, .040, .4, 0, 0, .030, "members" },
	{ "lyrics",	 3, .250, .7, 1.800, .08, .020, NULL },
	{ "ping",	 2, .0008, .3, 0, 0, 0, NULL },
};

static const char *const gateway_events[] = { "message_create", "interaction_create", "voice_state_update",
					      "guild_member_update", "presence_update" };
static const double gateway_weights[] = { 60, 10, 8, 12, 110 };

struct in_flight {
	struct sm_flow flow;
	double due;		/* monotonic seconds of its next step */
	double stage_s[3];
	unsigned stage;
	unsigned command;
	bool active, fails;
	int next_free;
};

static struct {
	struct sm *m;
	bool off;		/* counting into nothing */
	struct sm_flow_type *command;
	struct sm_family *commands_total, *cooldown_hits, *events, *cache, *query, *rest;
	struct sm_updown *in_flight, *players;
	struct sm_gauge *guilds, *latency, *pool_in_use, *pool_size, *queue_length, *cooldowns;
	struct sm_counter *cpu_seconds, *sent, *nulled;
	struct sm_stateset *state;
	struct sm_histogram *lag;
} bot;

static struct in_flight flights[IN_FLIGHT_MAX];
static int first_free;
static volatile sig_atomic_t stopping;

static void on_signal(int sig)
{
	(void)sig;
	stopping = 1;
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct sm_family *declare(enum sm_kind kind, const char *name, const char *help, const char *unit,
				 const char *label1, const char *label2)
{
	struct sm_family_options o = { .kind = kind, .name = name, .help = help, .unit = unit,
				       .labels = { label1, label2 } };
	struct sm_diag diag;
	struct sm_family *f = sm_declare(bot.m, &o, &diag);

	/* With metrics off that has been said, once. */
	if (diag.error && !bot.off)
		fprintf(stderr, "demo: %s\n", diag.message);
	return f;
}

static void declare_all(void)
{
	static const double bounds[] = { .001, .01, .05, .1, .25, .5, 1, 2, 5 };
	static const char *const states[] = { "connecting", "ready", "resuming" };
	struct sm_family_options state = { .kind = SM_STATESET, .name = "bot_shard_state", .states = states,
					   .nstates = 3, .help = "State of the shard's gateway connection." };
	struct sm_family_options cpu = { .kind = SM_COUNTER, .name = "bot_voice_encode_seconds_total",
					 .unit = SM_SECONDS, .number = SM_NUMBER_FIXED,
					 .help = "Time spent encoding voice frames." };
	struct sm_flow_options command = {
		.name = "bot_command", .help = "From the interaction to the response.",
		.labels = { "command" }, .bounds = bounds, .nbounds = 9, .slo = .5, .slow_ns = 1000000000,
	};
	struct sm_family *f;

	bot.command = sm_flow_declare(bot.m, &command, NULL);
	bot.commands_total = declare(SM_COUNTER, "bot_commands_total", "Commands handled.", NULL, "command", "status");
	bot.cooldown_hits = declare(SM_COUNTER, "bot_cooldown_hits_total", "Commands refused because of a cooldown.",
				    NULL, "command", NULL);
	bot.events = declare(SM_COUNTER, "bot_gateway_events_total", "Events from the gateway.", NULL, "event", NULL);
	bot.cache = declare(SM_COUNTER, "bot_cache_requests_total", "Look-ups in the cache.", NULL, "cache", "result");
	bot.query = declare(SM_HISTOGRAM, "bot_database_query_duration_seconds", "Time of database queries.",
			    SM_SECONDS, "table", NULL);
	bot.rest = declare(SM_COUNTER, "bot_rest_requests_total", "Requests to the chat service.", NULL, "route",
			   "status");
	bot.in_flight = sm_updown(declare(SM_UPDOWN, "bot_commands_in_flight", "Commands being handled.", NULL, NULL,
					  NULL), SM_NO_LABELS);
	bot.players = sm_updown(declare(SM_UPDOWN, "bot_voice_players", "Voice channels with music.", NULL, NULL, NULL),
				SM_NO_LABELS);
	bot.guilds = sm_gauge(declare(SM_GAUGE, "bot_guilds", "Communities served.", NULL, NULL, NULL), SM_NO_LABELS);
	f = sm_declare(bot.m, &(struct sm_family_options){ .kind = SM_GAUGE, .name = "bot_gateway_latency_seconds",
		       .help = "Round trip of the gateway's heartbeat.", .unit = SM_SECONDS, .mode = SM_MODE_ALL }, NULL);
	bot.latency = sm_gauge(f, SM_NO_LABELS);
	bot.pool_in_use = sm_gauge(declare(SM_GAUGE, "bot_database_pool_in_use", "Database connections in use.", NULL,
					   NULL, NULL), SM_NO_LABELS);
	bot.pool_size = sm_gauge(declare(SM_GAUGE, "bot_database_pool_size", "Database connections.", NULL, NULL, NULL),
				 SM_NO_LABELS);
	bot.queue_length = sm_gauge(declare(SM_GAUGE, "bot_music_queue_length", "Tracks waiting.", NULL, NULL, NULL),
				    SM_NO_LABELS);
	bot.cooldowns = sm_gauge(declare(SM_GAUGE, "bot_cooldowns_active", "Cooldowns running.", NULL, NULL, NULL),
				 SM_NO_LABELS);
	bot.cpu_seconds = sm_counter(sm_declare(bot.m, &cpu, NULL), SM_NO_LABELS);
	f = declare(SM_COUNTER, "bot_voice_frames_total", "Voice frames.", NULL, "kind", NULL);
	bot.sent = sm_counter(f, SM_LABELS("sent"));
	bot.nulled = sm_counter(f, SM_LABELS("nulled"));
	bot.state = sm_stateset(sm_declare(bot.m, &state, NULL), SM_NO_LABELS);
	bot.lag = sm_histogram(declare(SM_HISTOGRAM, "bot_event_loop_lag_seconds", "How late the event loop is.",
				       SM_SECONDS, NULL, NULL), SM_NO_LABELS);
}

/* ---- a command ---------------------------------------------------------------------------- */

static void draw_stages(struct in_flight *f)
{
	const struct command *c = &commands[f->command];
	double main_s = c->second_median_s > 0 && random_unit() < c->second_share ?
			random_lognormal(c->second_median_s, c->sigma) : random_lognormal(c->median_s, c->sigma);

	f->stage_s[0] = random_lognormal(.0008, .4);
	f->stage_s[1] = c->table ? main_s * .7 : random_lognormal(.0005, .3);
	f->stage_s[2] = c->table ? main_s * .3 : main_s;
	f->fails = random_unit() < c->error_share;
}

static void start_command(double now)
{
	static double weights[COMMANDS];
	struct in_flight *f;
	struct sm_str label;
	unsigned i;
	char who[32];

	if (weights[0] == 0)
		for (i = 0; i < COMMANDS; i++)
			weights[i] = commands[i].weight;
	i = random_weighted(weights, COMMANDS);
	label = (struct sm_str){ commands[i].name, strlen(commands[i].name) };
	if (first_free < 0 || random_unit() < .01) {
		sm_counter_add(sm_counter(bot.cooldown_hits, &label, 1), 1);
		return;
	}
	f = &flights[first_free];
	first_free = f->next_free;
	f->command = i;
	f->active = true;
	f->stage = 0;
	draw_stages(f);
	f->due = now + f->stage_s[0];
	sm_flow_start(&f->flow, bot.command, &label, 1, NULL);
	snprintf(who, sizeof(who), "%u", (unsigned)(random_unit() * 400));
	sm_flow_attribute(&f->flow, "guild", who);
	sm_updown_add(bot.in_flight, 1);
}

static void end_command(struct in_flight *f)
{
	const struct command *c = &commands[f->command];
	const char *status = f->fails ? "error" : "success";

	sm_flow_end(&f->flow, status);
	sm_counter_add(sm_counter(bot.commands_total, SM_LABELS(c->name, status)), 1);
	sm_counter_add(sm_counter(bot.rest, SM_LABELS("interactions/callback", random_unit() < .004 ? "429" : "200")), 1);
	sm_updown_add(bot.in_flight, -1);
	if (f->command == 0 && !f->fails && random_unit() < .2)
		sm_updown_add(bot.players, 1);
	f->active = false;
	f->next_free = first_free;
	first_free = (int)(f - flights);
}

static void step_command(struct in_flight *f, double now)
{
	static const char *const stages[] = { "load_preferences", "database", "respond" };
	const struct command *c = &commands[f->command];
	bool hit = random_unit() < .92;

	sm_flow_checkpoint(&f->flow, stages[f->stage]);
	if (f->stage == 0)
		sm_counter_add(sm_counter(bot.cache, SM_LABELS("preferences", hit ? "hit" : "miss")), 1);
	if (f->stage == 1 && c->table)
		sm_histogram_observe(sm_histogram(bot.query, SM_LABELS(c->table)), f->stage_s[1]);
	if (++f->stage == 3)
		end_command(f);
	else
		f->due = now + f->stage_s[f->stage];
}

/* ---- everything around -------------------------------------------------------------------- */

static void every_second(unsigned shard)
{
	static int64_t players;
	double wave = sin(now_s() / 300 + shard);
	unsigned i, frames = 50 * 20;

	for (i = 0; i < 40; i++)
		sm_counter_add(sm_counter(bot.events, SM_LABELS(gateway_events[random_weighted(gateway_weights, 5)])), 1);
	sm_gauge_set(bot.guilds, 612 + shard * 7 + floor(wave * 3));
	sm_gauge_set(bot.latency, random_lognormal(.042, .12));
	sm_gauge_set(bot.pool_size, 10);
	sm_gauge_set(bot.pool_in_use, floor(2 + random_unit() * 4 + 2 * wave));
	sm_gauge_set(bot.queue_length, floor(14 + 6 * wave + random_unit() * 5));
	sm_gauge_set(bot.cooldowns, floor(30 + 12 * wave));
	sm_counter_add(bot.sent, frames);
	sm_counter_add(bot.nulled, random_unit() < .1 ? 3 : 0);
	sm_counter_add_double(bot.cpu_seconds, frames * 41e-6);
	/* Half of the channels go quiet in ten minutes. */
	if (random_unit() < .04 && players-- > -1000)
		sm_updown_add(bot.players, -1);
	sm_stateset_set(bot.state, random_unit() < .002 ? 2 : 1);
	sm_health_set(bot.m, "database", random_unit() < .01 ? SM_HEALTH_DEGRADED : SM_HEALTH_OK, 1);
	sm_health_set(bot.m, "voice", SM_HEALTH_OK, 0);
	sm_heartbeat(bot.m);
}

static double earliest(double limit)
{
	int i;

	for (i = 0; i < IN_FLIGHT_MAX; i++)
		if (flights[i].active && flights[i].due < limit)
			limit = flights[i].due;
	return limit;
}

static void sleep_until(double when)
{
	struct timespec ts;
	double late;

	ts.tv_sec = (time_t)when;
	ts.tv_nsec = (long)((when - (double)ts.tv_sec) * 1e9);
	if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) != 0)
		return;
	late = now_s() - when;
	sm_histogram_observe(bot.lag, late > 0 ? late : 0);
}

static void serve(unsigned shard)
{
	double next_arrival = now_s() + random_exponential(1 / RATE), next_second = now_s();
	double now;
	int i;

	while (!stopping) {
		sleep_until(earliest(next_arrival < next_second ? next_arrival : next_second));
		now = now_s();
		for (i = 0; i < IN_FLIGHT_MAX; i++)
			if (flights[i].active && flights[i].due <= now)
				step_command(&flights[i], now);
		if (now >= next_arrival) {
			start_command(now);
			next_arrival += random_exponential(1 / (RATE * (1 + .3 * sin(now / 600 + shard))));
		}
		if (now >= next_second) {
			every_second(shard);
			next_second = now + 1;
		}
	}
}

/* What a command costs a bot beside waiting: parsing an event, building a reply. About 150 us, which is
 * little: bots in scripting languages take ten times that. */
static void work(void)
{
	static volatile uint64_t sink;
	uint64_t h = sink;
	unsigned i;

	for (i = 0; i < 130000; i++)
		h = (h ^ i) * UINT64_C(0x100000001b3);
	sink = h;
}

static void burn_commands(uint64_t n)
{
	uint64_t i;
	unsigned k;

	for (i = 0; i < n; i++) {
		start_command(0);
		work();
		for (k = 0; k < IN_FLIGHT_MAX && !flights[k].active; k++)
			;
		while (k < IN_FLIGHT_MAX && flights[k].active)
			step_command(&flights[k], 0);
	}
}

int bot_run(unsigned shard, unsigned shards, uint64_t burn)
{
	struct sigaction sa = { .sa_handler = on_signal };
	char writer[32], meta_shard[32], meta_shards[32];
	struct sm_options o = { .writer = writer, .app_version = getenv("SHARDMETER_APP_VERSION") ? NULL : "2.14.0",
				.metadata = { meta_shard, meta_shards } };
	struct sm_diag diag;
	int i;

	snprintf(writer, sizeof(writer), "shard-%u", shard);
	snprintf(meta_shard, sizeof(meta_shard), "shard=%u", shard);
	snprintf(meta_shards, sizeof(meta_shards), "shards=%u", shards);
	sigaction(SIGTERM, &sa, NULL);
	signal(SIGINT, SIG_IGN);	/* the supervisor ends us */
	random_seed(burn ? 1 : (uint64_t)getpid() * 2654435761u + shard);
	for (i = 0; i < IN_FLIGHT_MAX; i++)
		flights[i].next_free = i + 1 < IN_FLIGHT_MAX ? i + 1 : -1;
	bot.m = sm_open(&o, &diag);
	bot.off = diag.error != 0;
	if (bot.off)
		fprintf(stderr, "demo: metrics are off: %s\n", diag.message);
	declare_all();
	sm_stateset_set(bot.state, 0);
	if (burn)
		burn_commands(burn);
	else
		serve(shard);
	sm_close(bot.m);
	return 0;
}
