/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - shardmeter-exporter: serve segments to Prometheus and keep their history.
 *
 * This thread waits for signals, looks after the segments once a second and tells systemd that all is
 * well; others serve (http.h), and one a segment writes its history (recorder.h). Signals are blocked
 * in all of them and taken by sigtimedwait() here, so nothing runs in a signal handler (but for guard.c's
 * faults).
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exporter/api/api.h"
#include "exporter/clock.h"
#include "exporter/collection.h"
#include "exporter/history/history.h"
#include "exporter/history/place.h"
#include "exporter/http.h"
#include "exporter/listen.h"
#include "exporter/log.h"
#include "exporter/once.h"
#include "exporter/options.h"
#include "exporter/pages.h"
#include "exporter/sd.h"

#define DRAIN_MS	5000u
#define LOOK_MS		1000u
#define LISTENERS_MAX	32

/* Who writes a segment's history, and where. */
struct history {
	struct recorder *recorder;
	char *dir;
};

struct exporter {
	int argc;
	char **argv;
	struct options o;
	struct collector *collector;
	struct history *history;	/* one a segment */
	struct api api;
	struct http *http;
	struct pages pages;
	struct listener listeners[LISTENERS_MAX];
	size_t nlisteners;
	char storage_dir[3072];
	uint64_t watchdog_ms;		/* 0: systemd does not expect signs of life */
	atomic_int config_ok;
	_Atomic double config_loaded;
};

/* ---- settings ------------------------------------------------------------------------------- */

/* One line for each thing that is wrong. */
static void log_errors(const struct buf *errors, const char *message)
{
	const char *line = errors->data, *end;
	char text[512];

	for (; line && *line; line = end + 1) {
		end = strchr(line, '\n');
		if (!end)
			return;
		snprintf(text, sizeof(text), "%.*s", (int)(end - line), line);
		log_error(message, "error", text);
	}
}

static void print_errors(const struct buf *errors)
{
	const char *line = errors->data, *end;

	for (; line && (end = strchr(line, '\n')) != NULL; line = end + 1)
		fprintf(stderr, "shardmeter-exporter: %.*s\n", (int)(end - line), line);
}

/* Variables with our prefix that set nothing. Not an error: Kubernetes makes such for a service of our
 * name. Returns how many. */
static unsigned warn_unknown(void)
{
	const char *variable;
	size_t position = 0;
	unsigned n = 0;
	char name[256];

	for (; (variable = options_unknown(&position)) != NULL; n++) {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(variable, "="), variable);
		log_warn("no setting has this environment variable, ignoring", "variable", name);
	}
	return n;
}

static double now_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void take_log_settings(const struct options *o)
{
	log_setup((enum log_level)o->log_level, (enum log_format)o->log_format);
}

/* SIGHUP: read all settings again. What is wrong, or cannot change now, leaves things as they are. */
static void reload(struct exporter *x)
{
	struct buf errors = { 0 };
	struct options next;
	const char *fixed;
	size_t position = 0;
	int rc;

	sd_notify_reloading();
	rc = options_parse(&next, x->argc, x->argv, &errors);
	if (rc == 0 && http_configure(x->http, &next) < 0)
		rc = -ENOMEM;
	atomic_store(&x->config_ok, rc == 0);
	if (rc == 0) {
		take_log_settings(&next);
		while ((fixed = options_fixed(&x->o, &next, &position)) != NULL)
			log_warn("this setting changes with a restart only, ignoring", "setting", fixed);
		atomic_store(&x->config_loaded, now_seconds());
		log_info("settings reloaded");
	} else {
		log_errors(&errors, "settings not reloaded, the last good ones stay");
	}
	buf_free(&errors);
	options_release(&next);
	sd_notify("READY=1");
}

static void describe(void *ctx, struct collection_exporter *ret_exporter)
{
	struct exporter *x = ctx;

	ret_exporter->has_config = x->o.has_config;
	ret_exporter->config_ok = atomic_load(&x->config_ok);
	ret_exporter->config_loaded_seconds = atomic_load(&x->config_loaded);
	http_describe(x->http, ret_exporter);
}

/* ---- history -------------------------------------------------------------------------------- */

static int find_storage(struct exporter *x)
{
	int rc;

	if (*x->o.storage_path)
		rc = (size_t)snprintf(x->storage_dir, sizeof(x->storage_dir), "%s",
			x->o.storage_path) >= sizeof(x->storage_dir) ? -ENAMETOOLONG : 0;
	else
		rc = history_default_dir(1, x->storage_dir, sizeof(x->storage_dir));
	if (rc < 0)
		log_error("no place for history: give --storage.path or --no-storage", "error",
			strerror(-rc));
	return rc;
}

/*
 * Record one segment. A store that another exporter has is the one mistake that ends the program: both
 * would be thought to keep a history that only one keeps. Anything else wrong with the store is
 * logged by the recorder, which tries again while /metrics is served.
 */
static int start_recorder(struct exporter *x, size_t i)
{
	const char *segment = x->o.segments.item[i];
	char dir[4096];
	struct store_options opts = {
		.dir = dir, .interval_ms = x->o.storage_interval_ms,
		.retention_ms = x->o.storage_retention_ms, .max_bytes = x->o.storage_max_bytes,
	};
	struct sm_diag diag = { 0 };
	int lock_fd = -1, rc = place_segment_dir(x->storage_dir, segment, dir, sizeof(dir));

	if (rc == 0) {
		rc = place_lock(dir, &lock_fd, &diag);
		if (rc == -EBUSY) {
			log_error("cannot start", "error", diag.message);
			return rc;
		}
		rc = recorder_start(segment, &opts, rc < 0 ? -1 : lock_fd, &x->history[i].recorder);
	}
	if (rc < 0) {
		log_error("cannot start to record", "segment", segment, "error", strerror(-rc));
		if (lock_fd >= 0)
			close(lock_fd);
		return rc;
	}
	collector_set_recorder(x->collector, i, x->history[i].recorder);
	x->history[i].dir = strdup(dir);
	return x->history[i].dir ? 0 : -ENOMEM;
}

static int start_recorders(struct exporter *x)
{
	size_t i;
	int rc;

	x->history = calloc(x->o.segments.n, sizeof(*x->history));
	if (!x->history)
		return -ENOMEM;
	rc = x->o.no_storage ? 0 : find_storage(x);
	for (i = 0; i < x->o.segments.n && rc == 0 && !x->o.no_storage; i++)
		rc = start_recorder(x, i);
	return rc;
}

/* Where the API finds what a recorder writes. */
static const char *history_dir(void *ctx, const char *segment)
{
	const struct exporter *x = ctx;
	size_t i;

	for (i = 0; i < collector_segments(x->collector); i++)
		if (x->history[i].dir && strcmp(collector_name(x->collector, i), segment) == 0)
			return x->history[i].dir;
	return "";
}

static int answer_slow(void *ctx, const struct request *r, struct page *ret_page)
{
	const struct exporter *x = ctx;

	return api_answer(&x->api, r, ret_page);
}

/* ---- serving -------------------------------------------------------------------------------- */

static int open_listeners(struct exporter *x)
{
	int inherited = sd_listen_fds(), rc = 0;
	char error[256] = "";
	size_t i, n = x->o.systemd_socket ? (size_t)inherited : x->o.listen_addresses.n;

	if (x->o.systemd_socket && !inherited)
		snprintf(error, sizeof(error), "--web.systemd-socket: systemd handed over no socket");
	if (n > LISTENERS_MAX)
		snprintf(error, sizeof(error), "at most %d addresses", LISTENERS_MAX);
	for (i = 0; i < n && rc == 0 && !*error; i++) {
		if (x->o.systemd_socket)
			rc = listen_adopt(SD_FIRST_FD + (int)i, &x->listeners[i], error,
				sizeof(error));
		else
			rc = listen_open(x->o.listen_addresses.item[i], (mode_t)x->o.socket_mode,
				&x->listeners[i], error, sizeof(error));
		if (rc == 0)
			x->nlisteners++;
	}
	if (rc == 0 && !*error)
		return 0;
	log_error("cannot start", "error", *error ? error : strerror(-rc), "remedy",
		x->o.systemd_socket && !inherited ? "start it by its .socket unit, or without "
		"--web.systemd-socket" : NULL);
	return -EINVAL;
}

static void block_hangup(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(how, &set, NULL);
}

static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* A sign of life, if all serving threads give one. */
static void feed_watchdog(struct exporter *x)
{
	if (http_probe(x->http, x->watchdog_ms / 4) == 0)
		sd_notify("WATCHDOG=1");
	else
		log_error("a serving thread does not answer; systemd is not told that all is well");
}

/* Look after things until a signal says stop. */
static void run(struct exporter *x, const sigset_t *set)
{
	uint64_t now, look_at = 0, feed_at = 0, next, wait;
	struct timespec ts;
	int sig;

	for (;;) {
		now = clock_now();
		if (now >= look_at) {
			collector_look(x->collector);
			look_at = now + LOOK_MS * CLOCK_MS;
		}
		if (x->watchdog_ms && now >= feed_at) {
			feed_watchdog(x);
			feed_at = now + x->watchdog_ms * CLOCK_MS / 3;
		}
		next = x->watchdog_ms && feed_at < look_at ? feed_at : look_at;
		now = clock_now();
		wait = next > now ? next - now : 0;
		ts = clock_timespec(wait);
		sig = sigtimedwait(set, NULL, &ts);
		if (sig == SIGTERM || sig == SIGINT) {
			log_info("stopping", "signal", sig == SIGTERM ? "SIGTERM" : "SIGINT");
			return;
		}
		if (sig == SIGHUP)
			reload(x);
	}
}

static int serve(struct exporter *x)
{
	sigset_t set;
	size_t i;
	int rc;

	x->watchdog_ms = sd_watchdog_ms();
	block_signals(&set);
	if (open_listeners(x) < 0)
		return EXIT_USAGE;
	if (start_recorders(x) < 0)
		return EXIT_USAGE;
	atomic_store(&x->config_ok, 1);
	atomic_store(&x->config_loaded, now_seconds());
	/* A request may come at once, and asks x->http for its part of a collection. */
	rc = http_create(&x->o, &x->pages, &x->http);
	if (rc == 0)
		rc = http_open(x->http, x->listeners, x->nlisteners);
	if (rc < 0) {
		log_error("cannot start the HTTP server", "error", strerror(-rc));
		return EXIT_USAGE;
	}
	for (i = 0; i < x->nlisteners; i++)
		log_info("listening", "address", x->listeners[i].text, "version",
			SHARDMETER_VERSION, "storage", x->storage_dir);
	sd_notify("READY=1");
	run(x, &set);
	sd_notify("STOPPING=1");
	http_stop_accepting(x->http);
	/* The next process may have the address now. */
	for (i = 0; i < x->nlisteners; i++)
		listen_close(&x->listeners[i]);
	if (http_drain(x->http, DRAIN_MS) < 0)
		log_warn("some requests took too long and were cut");
	return 0;
}

/* ---- start and end -------------------------------------------------------------------------- */

static int create_collector(struct exporter *x)
{
	const char *bad = "";
	int rc = collector_create((const char *const *)x->o.segments.item, x->o.segments.n,
		&x->collector, &bad);

	if (rc < 0)
		log_error("cannot start", "segment", bad, "error", rc == -EEXIST ?
			"two of the segments are the same file" : strerror(-rc));
	x->pages.collector = x->collector;
	x->api = (struct api){ .collector = x->collector, .history_dir = history_dir, .ctx = x };
	x->pages.slow = answer_slow;
	x->pages.slow_ctx = x;
	x->pages.telemetry_path = x->o.telemetry_path;
	return rc;
}

static int create_exposition(struct exporter *x)
{
	struct exposition_options opts = EXPOSITION_DEFAULTS;
	int rc;

	opts.created = x->o.openmetrics_created;
	opts.allowed_labels = x->o.allowed_labels;
	opts.own_metrics = !x->o.disable_exporter_metrics;
	rc = exposition_create(&opts, &x->pages.exposition);
	if (rc < 0)
		log_error("cannot start", "error", strerror(-rc));
	return rc;
}

static int start(struct exporter *x)
{
	warn_unknown();
	if (create_collector(x) < 0 || create_exposition(x) < 0)
		return EXIT_USAGE;
	if (x->o.once) {
		block_hangup(SIG_UNBLOCK);
		return once(&x->pages, x->o.output);
	}
	if (geteuid() == 0 && !x->o.allow_root) {
		log_error("cannot start as root: any user that can read the segment is enough; "
			"--allow-root serves all the same");
		return EXIT_USAGE;
	}
	collector_describe(x->collector, describe, x);
	return serve(x);
}

static void stop(struct exporter *x)
{
	int hangs = http_free(x->http) < 0;
	size_t i;

	for (i = 0; x->history && i < x->o.segments.n; i++) {
		if (recorder_stop(x->history[i].recorder, DRAIN_MS) < 0) {
			/* The disk hangs: its thread cannot be ended, but the process can. */
			log_error("the last row of history may be lost: the disk does not answer");
			_exit(EXIT_USAGE);
		}
	}
	if (hangs)
		_exit(0);
	for (i = 0; x->history && i < x->o.segments.n; i++)
		free(x->history[i].dir);
	free(x->history);
	for (i = 0; i < x->nlisteners; i++)
		listen_close(&x->listeners[i]);
	exposition_free(x->pages.exposition);
	collector_free(x->collector);
}

/* What is wrong with the settings only together. */
static int check_config(struct exporter *x)
{
	unsigned unknown = warn_unknown();

	if (create_collector(x) < 0)
		return EXIT_USAGE;
	collector_free(x->collector);
	puts(unknown ? "settings are in order, but for variables that set nothing" :
		"settings are in order");
	return 0;
}

/* What is done without starting anything; -1 if there is more to do. */
static int print_only(struct exporter *x)
{
	const struct options *o = &x->o;
	int code = 0;

	if (o->help_man)
		options_print_man(stdout);
	else if (o->help)
		options_print_help(stdout);
	else if (o->version)
		printf("shardmeter-exporter %s (layout %s)\n", SHARDMETER_VERSION,
			sm_layout_version());
	else if (o->config_check)
		code = check_config(x);
	else
		return -1;
	return fflush(stdout) == 0 ? code : EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct exporter x = { .argc = argc, .argv = argv };
	struct buf errors = { 0 };
	int code = EXIT_USAGE;

	/* A terminal's or systemd's SIGHUP may come before all is set up. */
	block_hangup(SIG_BLOCK);
	/* A limit of file sizes is an error of write()'s. */
	signal(SIGXFSZ, SIG_IGN);

	/* Six threads with arenas of their own would keep six times the memory of one scrape. */
	mallopt(M_ARENA_MAX, 2);
	if (options_parse(&x.o, argc, argv, &errors) < 0 && !x.o.help && !x.o.version) {
		print_errors(&errors);
	} else {
		code = print_only(&x);
		if (code < 0) {
			take_log_settings(&x.o);
			code = start(&x);
			stop(&x);
			if (code == 0 && !x.o.once)
				log_info("stopped");
		}
	}
	buf_free(&errors);
	options_release(&x.o);
	return code;
}
