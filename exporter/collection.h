/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collection.h - one look at everything that the exporter answers from.
 *
 * Depends on source.h and recorder.h. A collection is immutable and counted: requests that arrive
 * while one is being made share it, so that ten scrapers cost one reading. Whoever has one may
 * read it from any thread until it is released.
 *
 *	const struct collection *c;
 *	int rc = collector_get(k, 0, deadline_ns, &c);
 *	if (rc == 0) {
 *		for (i = 0; i < c->nsegments; i++)
 *			... c->segment[i].reading.snapshot[0]
 *		collection_release(c);
 *	}
 */
#ifndef EXPORTER_COLLECTION_H
#define EXPORTER_COLLECTION_H

#include "exporter/recorder.h"
#include "exporter/source.h"

/* One segment that is served. */
struct collection_segment {
	const char *name;		/* as told by --segment, or the name of the default: the value
					   of a label `segment` when there are several */
	struct source_reading reading;	/* and its status; .n is 0 without a segment */
	struct recorder_stats recorder;	/* of its history */
};

/* What the exporter knows about itself. */
struct collection_exporter {
	int has_config;			/* there is a configuration file, and what follows is of it */
	int config_ok;			/* the last reload took it */
	double config_loaded_seconds;	/* since 1970, when it was taken last */
	uint64_t connections;		/* open now */
	uint64_t connections_cut;	/* by a deadline, or to make room */
	uint64_t requests_rejected;	/* answered 503: too many at once, or no time left */
};

struct collection {
	uint64_t began_ns, took_ns;	/* CLOCK_MONOTONIC */
	size_t nsegments;		/* at least 1 */
	const struct collection_segment *segment;
	struct recorder_stats recorder;	/* of the first segment */
	struct collection_exporter exporter;
};

struct collector;

/*
 * collector_create - of n segments, named as in sm_options ("" is the default, too). Sources are the
 * collector's own. 0, -EINVAL with *ret_bad the name that is none, -EEXIST (two names of one file; *ret_bad is the
 * second), -ENOMEM.
 */
int collector_create(const char *const *segments, size_t n, struct collector **ret_collector,
	const char **ret_bad);
void collector_free(struct collector *k);

/* collector_set_recorder - who writes the history of a segment; it must outlive the collector.
 * collector_set_quiet - do not log that a segment is read, only what is wrong. Before threads. */
void collector_set_recorder(struct collector *k, size_t segment, struct recorder *recorder);
void collector_set_quiet(struct collector *k);

/* collector_describe - who fills collection_exporter; called with no lock held. Before threads. */
void collector_describe(struct collector *k,
	void (*fill)(void *ctx, struct collection_exporter *ret_exporter), void *ctx);

/* collector_segments - how many; collector_name, collector_path - of one, valid with the collector. */
size_t collector_segments(const struct collector *k);
const char *collector_name(const struct collector *k, size_t i);
const char *collector_path(const struct collector *k, size_t i);

/*
 * collector_get - a collection, made now or just being made by another thread.
 *
 * flags        of sm_snapshot_take(); one that has more is shared, too
 * deadline_ns  CLOCK_MONOTONIC; 0: none
 *
 * 0, -ETIMEDOUT (it would not be ready in time), -ENOMEM. Segments that cannot be read are no
 * error: their status says why. Thread: safe.
 */
int collector_get(struct collector *k, unsigned flags, uint64_t deadline_ns,
	const struct collection **ret_collection);
void collection_release(const struct collection *c);

/*
 * collector_slow - call fn for each slow operation in the rings of segment i's files (source_slow()),
 * from this thread; others wait meanwhile. What fn is given is valid during the call. 0, what fn
 * returned, or -ETIMEDOUT, -ENOMEM. Thread: safe.
 */
int collector_slow(struct collector *k, size_t i, uint64_t deadline_ns,
	int (*fn)(void *ctx, const struct sm_slow *slow), void *ctx);

/* collector_look - attach and re-attach without reading values; called once a second, so that a file
 * that is made and removed between two scrapes is not missed. Logs what has changed. */
void collector_look(struct collector *k);

#endif /* EXPORTER_COLLECTION_H */
