/* SPDX-License-Identifier: Apache-2.0 */
/* own_store.c - metrics about the history of each segment. */
#include "exporter/exposition/own.h"

static void rows(struct extra *x, const struct recorder_stats *r)
{
	extra_one(x, "shardmeter_history_last_tick", "", MODEL_GAUGE,
		"Number of the last row of history: what it says is on disk, whatever ends the exporter.",
		r->last_tick, 0);
	if (r->last_tick_ms)
		extra_one(x, "shardmeter_history_last_tick_timestamp_seconds", "seconds",
			MODEL_GAUGE, "Time of the last row of history, since 1970.",
			r->last_tick_ms, 3);
	extra_one(x, "shardmeter_history_synced_tick", "", MODEL_GAUGE,
		"Number of the last row of history that a power failure cannot take.",
		r->synced_tick, 0);
	extra_one(x, "shardmeter_history_clock_steps_total", "", MODEL_COUNTER,
		"Times that the wall clock was set by more than an interval.", r->clock_steps, 0);
}

static void missed(struct extra *x, const struct recorder_stats *r)
{
	const char *label[2] = { "reason" };
	unsigned i;

	if (!extra_family(x, "shardmeter_history_missed_ticks_total", "", MODEL_COUNTER,
		"Intervals without a row of history, by reason."))
		return;
	for (i = 0; i < RECORDER_MISSES; i++) {
		label[1] = recorder_miss_name((enum recorder_miss)i);
		extra_add_units(x, label, 1, r->missed[i], 0);
	}
}

static void store(struct extra *x, const struct recorder_stats *r)
{
	extra_one(x, "shardmeter_store_bytes", "bytes", MODEL_GAUGE,
		"Size of the history in use.", r->store.used_bytes, 0);
	extra_one(x, "shardmeter_store_commit_seconds", "seconds", MODEL_GAUGE,
		"Time that the last row of history took until it was on disk.",
		r->store.commit_ns, 9);
	extra_one(x, "shardmeter_store_commit_time_seconds_total", "seconds", MODEL_COUNTER,
		"Time that all rows of history took until they were on disk.",
		r->commit_ns_total, 9);
	extra_one(x, "shardmeter_store_commits_total", "", MODEL_COUNTER,
		"Rows of history that were written.", r->commits, 0);
	extra_one(x, "shardmeter_store_deferred_series", "", MODEL_GAUGE,
		"New series left out of the last row, because there were too many at once.",
		r->store.deferred_series, 0);
	extra_one(x, "shardmeter_store_errors_total", "", MODEL_COUNTER,
		"Rows of history that could not be written, and files set aside.", r->errors, 0);
	extra_one(x, "shardmeter_store_evicted_rows_total", "", MODEL_COUNTER,
		"Rows deleted before their time, because the history reached its size limit.",
		r->evicted_rows, 0);
	extra_one(x, "shardmeter_store_file_bytes", "bytes", MODEL_GAUGE,
		"Size of the history's file: its high-water mark.", r->store.file_bytes, 0);
	extra_one(x, "shardmeter_store_free_bytes", "bytes", MODEL_GAUGE,
		"Part of the history's file that waits for new rows.", r->store.free_bytes, 0);
	extra_one(x, "shardmeter_store_map_bytes", "bytes", MODEL_GAUGE,
		"Address space for the history's file: the most that LMDB would let it grow to.",
		r->store.map_bytes, 0);
	extra_one(x, "shardmeter_store_oldest_reader_lag_rows", "", MODEL_GAUGE,
		"Rows written since the oldest foreign reader of the file began.",
		r->store.oldest_reader_lag, 0);
	extra_one(x, "shardmeter_store_readers", "", MODEL_GAUGE,
		"Foreign readers, such as mdb_copy, that keep pages from being used again.",
		r->store.readers, 0);
	extra_one(x, "shardmeter_store_rows", "", MODEL_GAUGE, "Rows of history.", r->store.rows,
		0);
	extra_one(x, "shardmeter_store_series", "", MODEL_GAUGE,
		"Series that rows of history are about.", r->store.series, 0);
	extra_one(x, "shardmeter_store_set_aside_total", "", MODEL_COUNTER,
		"Damaged or foreign files of history that were set aside.", r->set_aside, 0);
	extra_one(x, "shardmeter_store_stale_readers_total", "", MODEL_COUNTER,
		"Readers of the history that died and were cleared away.", r->stale_readers, 0);
	extra_one(x, "shardmeter_store_up", "", MODEL_GAUGE, "1 if history is being written.",
		r->up != 0, 0);
}

void own_store(struct extra *x, const struct collection *c)
{
	size_t s;

	for (s = 0; s < c->nsegments; s++) {
		if (!c->segment[s].recorder.enabled)
			continue;
		x->segment = c->nsegments > 1 ? c->segment[s].name : NULL;
		rows(x, &c->segment[s].recorder);
		missed(x, &c->segment[s].recorder);
		store(x, &c->segment[s].recorder);
	}
	x->segment = NULL;
}
