/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - shardmeter-exporter: serve a segment to Prometheus and keep its history.
 *
 * Three threads: this one waits for signals and looks after the segments, libmicrohttpd's answers requests, the recorder's
 * writes history. Signals are blocked in all of them and taken by sigwaitinfo() here, so nothing
 * runs in a signal handler (but for guard.c's faults).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporter/address.h"
#include "exporter/collection.h"
#include "exporter/history/history.h"
#include "exporter/history/place.h"
#include "exporter/http.h"
#include "exporter/log.h"
#include "exporter/options.h"
#include "exporter/pages.h"

#define DRAIN_MS 5000

struct exporter {
	struct options o;
	struct collector *collector;
	struct recorder *recorder;
	struct http *http;
	char storage_dir[3072];
};

static int exit_code(const struct source_status *status)
{
	switch (status->state) {
	case SOURCE_NO_SEGMENT:
	case SOURCE_NOT_READY:
		return status->up ? 0 : EXIT_NO_SEGMENT;
	case SOURCE_NO_PERMISSION:
		return EXIT_NO_PERMISSION;
	case SOURCE_INCOMPATIBLE:
	case SOURCE_DAMAGED:
		return EXIT_DAMAGED;
	case SOURCE_ERROR:
		return EXIT_USAGE;
	case SOURCE_UP:
		break;
	}
	return 0;
}

/* --once: the exposition is printed whatever the segment's state, as a scrape would see it. */
static int run_once(struct exporter *x)
{
	const struct exposition_options exposition = EXPOSITION_DEFAULTS;
	struct pages pages = { .collector = x->collector };
	const struct request r = { .path = "/metrics" };
	const struct collection *c;
	struct page page = { 0 };
	int code = 0, rc;

	collector_set_quiet(x->collector);
	rc = exposition_create(&exposition, &pages.exposition);
	if (rc == 0)
		rc = collector_get(x->collector, 0, 0, &c);
	if (rc == 0) {
		code = exit_code(&c->segment[0].reading.status);
		rc = pages_metrics(&pages, c, &r, &page);
		collection_release(c);
	}
	if (rc == 0 && (fwrite(page.body.data, 1, page.body.len, stdout) != page.body.len ||
			fflush(stdout) != 0))
		rc = -errno;
	buf_free(&page.body);
	exposition_free(pages.exposition);
	if (rc < 0) {
		log_error("the exposition could not be written", "error", strerror(-rc));
		return EXIT_USAGE;
	}
	return code;
}

/*
 * Start recording. A store that another exporter has is the one mistake that ends the program: both
 * would be thought to keep a history that only one keeps. Anything else wrong with the store is
 * logged by the recorder, which tries again while /metrics is served.
 */
static int start_recorder(struct exporter *x)
{
	struct store_options opts = {
		.dir = x->storage_dir, .interval_ms = x->o.storage_interval_ms,
		.retention_ms = x->o.storage_retention_ms, .max_bytes = x->o.storage_max_bytes,
	};
	struct sm_diag diag = { 0 };
	int lock_fd = -1, rc = 0;

	if (x->o.no_storage)
		return 0;
	if (*x->o.storage_path)
		rc = (size_t)snprintf(x->storage_dir, sizeof(x->storage_dir), "%s",
			x->o.storage_path) >= sizeof(x->storage_dir) ? -ENAMETOOLONG : 0;
	else
		rc = history_default_dir(1, x->storage_dir, sizeof(x->storage_dir));
	if (rc < 0) {
		log_error("no place for history: give --storage.path or --no-storage", "error",
			strerror(-rc));
		return rc;
	}
	rc = place_lock(x->storage_dir, &lock_fd, &diag);
	if (rc == -EBUSY) {
		log_error("cannot start", "error", diag.message);
		return rc;
	}
	rc = recorder_start(x->o.segment, &opts, rc < 0 ? -1 : lock_fd, &x->recorder);
	if (rc < 0) {
		log_error("cannot start to record", "error", strerror(-rc));
		if (lock_fd >= 0)
			close(lock_fd);
	}
	return rc;
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

/* Look after the segments until a signal says stop. */
static void wait_for_stop(struct exporter *x, const sigset_t *set)
{
	const struct timespec second = { .tv_sec = 1 };
	int sig;

	for (;;) {
		collector_look(x->collector);
		sig = sigtimedwait(set, NULL, &second);
		if (sig == SIGTERM || sig == SIGINT) {
			log_info("stopping", "signal", sig == SIGTERM ? "SIGTERM" : "SIGINT");
			return;
		}
		if (sig == SIGHUP)
			log_info("SIGHUP: there is no configuration file to read again, ignoring");
	}
}

static int serve(struct exporter *x)
{
	char error[256], address[128];
	sigset_t set;
	int fd, rc;

	fd = address_listen(x->o.listen_address, error, sizeof(error));
	if (fd < 0) {
		log_error("cannot start", "error", error);
		return EXIT_USAGE;
	}
	address_of(fd, address, sizeof(address));
	block_signals(&set);
	if (start_recorder(x) < 0) {
		close(fd);
		return EXIT_USAGE;
	}
	collector_set_recorder(x->collector, 0, x->recorder);
	log_info("listening", "address", address, "version", SHARDMETER_VERSION, "segment",
		collector_path(x->collector, 0), "storage", x->storage_dir);
	rc = http_start(fd, &x->o, x->collector, &x->http);
	if (rc < 0) {
		log_error("cannot start the HTTP server", "error", strerror(-rc));
		close(fd);
		return EXIT_USAGE;
	}
	wait_for_stop(x, &set);
	if (http_drain(x->http, DRAIN_MS) < 0)
		log_warn("some requests took too long and were cut");
	return 0;
}

static int start(struct exporter *x)
{
	const char *unknown, *bad = "";
	size_t position = 0;
	int rc;

	while ((unknown = options_unknown(&position)) != NULL)
		log_warn("no setting has this environment variable, ignoring", "variable", unknown);
	rc = collector_create(&x->o.segment, 1, &x->collector, &bad);
	if (rc < 0) {
		log_error("not a segment's name or path", "segment", bad, "remedy",
			rc == -EINVAL ? "--segment takes 1 to 100 of A-Z a-z 0-9 _ . -, not starting "
					"with a dot, or a path with a /" : strerror(-rc));
		return EXIT_USAGE;
	}
	if (x->o.once)
		return run_once(x);
	if (geteuid() == 0)
		log_warn("root is not needed: any user that can read the segment is enough");
	return serve(x);
}

static void stop(struct exporter *x)
{
	http_free(x->http);
	if (recorder_stop(x->recorder, DRAIN_MS) < 0) {
		/* The disk hangs: its thread cannot be ended, but the process can. */
		log_error("the last row of history may be lost: the disk does not answer");
		_exit(EXIT_USAGE);
	}
	collector_free(x->collector);
}

int main(int argc, char **argv)
{
	struct exporter x = { 0 };
	char error[256];
	int code;

	if (options_parse(&x.o, argc, argv, error, sizeof(error)) < 0) {
		fprintf(stderr, "shardmeter-exporter: %s\n", error);
		return EXIT_USAGE;
	}
	if (x.o.help_man || x.o.help || x.o.version) {
		if (x.o.help_man)
			options_print_man(stdout);
		else if (x.o.help)
			options_print_help(stdout);
		else
			printf("shardmeter-exporter %s (layout %s)\n", SHARDMETER_VERSION,
				sm_layout_version());
		return fflush(stdout) == 0 ? 0 : EXIT_USAGE;
	}
	log_setup((enum log_level)x.o.log_level, (enum log_format)x.o.log_format);
	code = start(&x);
	stop(&x);
	if (code == 0 && !x.o.once)
		log_info("stopped");
	return code;
}
