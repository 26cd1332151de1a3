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
	const char *name;		/* as told by --segment: the value of a label `segment` */
	struct source_reading reading;	/* and its status; .n is 0 without a segment */
};

struct collection {
	uint64_t began_ns, took_ns;	/* CLOCK_MONOTONIC */
	size_t nsegments;		/* at least 1 */
	const struct collection_segment *segment;
	struct recorder_stats recorder;
};

struct collector;

/* collector_create - of n segments, named as in sm_options. Sources are the collector's own.
 * 0, -EINVAL with *ret_bad the name that is none, -EEXIST (two names of one file), -ENOMEM. */
int collector_create(const char *const *segments, size_t n, struct recorder *recorder,
	struct collector **ret_collector, const char **ret_bad);
void collector_free(struct collector *k);

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

/* collector_look - attach and re-attach without reading values; called once a second, so that a file
 * that is made and removed between two scrapes is not missed. Logs what has changed. */
void collector_look(struct collector *k);

#endif /* EXPORTER_COLLECTION_H */
