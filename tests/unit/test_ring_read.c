/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libshm/ring_read.c: slow operations, whole or not at all. */
#include "segment_builder.h"

static struct sm_slow seen[64];
static int nseen, stop_at;

static int collect(void *ctx, const struct sm_slow *slow)
{
	(void)ctx;
	assert_true(nseen < 64);
	seen[nseen++] = *slow;
	return nseen == stop_at;
}

static int read_all(struct builder *b)
{
	struct sm_reader *r = builder_reader(b);
	int rc;

	nseen = 0;
	rc = sm_reader_slow(r, collect, NULL);
	sm_reader_close(r);
	return rc;
}

static struct sm_ring_entry *put(struct builder *b, uint32_t slot, uint64_t number,
				 const char *operation)
{
	struct sm_ring_entry *e =
		builder_ring(b, slot, (unsigned)(number & (b->h->ring_entries - 1)));

	memset(e, 0, sizeof(*e));
	e->seq = 2 * (number + 1);
	e->incarnation = 1;
	e->start_real_ns = 1000 + number;
	e->duration_ns = 5;
	strcpy(e->operation, operation);
	strcpy(e->status, "ok");
	if (builder_slot(b, slot)->ring_head <= number)
		builder_slot(b, slot)->ring_head = number + 1;
	return e;
}

static void slow__whole_entry__every_part(void **state)
{
	struct sm_ring_entry *e;
	struct builder b;
	uint32_t w;

	stop_at = 0;
	builder_new(&b);
	w = builder_writer(&b, "shard-1", true);
	e = put(&b, w, 0, "play");
	e->threshold_ns = 3;
	memset(e->trace_id, 1, 16);
	memset(e->span_id, 2, 8);
	memset(e->parent_id, 3, 8);
	e->ncheckpoints = 2;
	strcpy(e->checkpoint[0].name, "load");
	e->checkpoint[0].duration_ns = 11;
	memset(e->checkpoint[1].name, 'n', 24);		/* fills its field */
	e->checkpoint[1].duration_ns = 12;
	memcpy(e->attributes, "guild=42\0note=a=b", 18);
	e->attributes_len = 18;
	e->parts_refused = 4;
	assert_int_equal(read_all(&b), 1);
	assert_int_equal(seen[0].slot, w);
	assert_int_equal(seen[0].number, 0);
	assert_string_equal(seen[0].writer, "shard-1");
	assert_string_equal(seen[0].operation, "play");
	assert_string_equal(seen[0].status, "ok");
	assert_int_equal(seen[0].start_real_ns, 1000);
	assert_int_equal(seen[0].duration_ns, 5);
	assert_int_equal(seen[0].threshold_ns, 3);
	assert_int_equal(seen[0].trace_id[15], 1);
	assert_int_equal(seen[0].span_id[7], 2);
	assert_int_equal(seen[0].parent_id[7], 3);
	assert_int_equal(seen[0].ncheckpoints, 2);
	assert_string_equal(seen[0].checkpoint[0].name, "load");
	assert_int_equal(strlen(seen[0].checkpoint[1].name), 24);
	assert_int_equal(seen[0].checkpoint[1].duration_ns, 12);
	assert_int_equal(seen[0].nattributes, 2);
	assert_int_equal(seen[0].attributes[1].len, 2);
	assert_int_equal(seen[0].attributes[3].len, 3);
	assert_int_equal(seen[0].parts_refused, 4);
	builder_free(&b);
}

static void slow__ring_came_round__oldest_first(void **state)
{
	struct builder b;
	uint32_t one, two, i;

	stop_at = 0;
	builder_new(&b);
	one = builder_writer(&b, "a", true);
	two = builder_writer(&b, "b", false);
	for (i = 0; i < 21; i++)
		put(&b, one, i, "x");
	put(&b, two, 0, "y");
	assert_int_equal(read_all(&b), 9);		/* 8 places in a ring */
	for (i = 0; i < 8; i++)
		assert_int_equal(seen[i].number, 13 + i);
	assert_string_equal(seen[8].writer, "b");	/* dead, but not folded */
	stop_at = 3;
	assert_int_equal(read_all(&b), 3);
	builder_free(&b);
}

static void slow__not_whole__passed_over(void **state)
{
	struct sm_slot *slot;
	struct builder b;
	uint32_t w;

	stop_at = 0;
	builder_new(&b);
	w = builder_writer(&b, "a", true);
	slot = builder_slot(&b, w);
	put(&b, w, 0, "odd")->seq = 1;
	put(&b, w, 1, "older")->seq = 2 * (1 + 1) - 16;
	put(&b, w, 2, "newer")->seq += 16;
	put(&b, w, 3, "fine");
	slot->ring_head = 6;				/* two numbers taken, not written yet */
	assert_int_equal(read_all(&b), 1);
	assert_string_equal(seen[0].operation, "fine");
	builder_free(&b);
}

static void slow__earlier_writer_of_the_slot__not_shown(void **state)
{
	struct sm_slot *slot;
	struct builder b;
	uint32_t w;

	stop_at = 0;
	builder_new(&b);
	w = builder_writer(&b, "a", true);
	slot = builder_slot(&b, w);
	slot->incarnation = 7;
	slot->restarts = 2;				/* claimed as 5, adopted as 6 and 7 */
	put(&b, w, 0, "other name")->incarnation = 4;
	put(&b, w, 1, "first life")->incarnation = 5;
	put(&b, w, 2, "this life")->incarnation = 7;
	put(&b, w, 3, "future")->incarnation = 8;
	assert_int_equal(read_all(&b), 2);
	assert_string_equal(seen[0].operation, "first life");
	slot->state = SM_SLOT_FREE;
	assert_int_equal(read_all(&b), 0);
	builder_free(&b);
}

static void slow__hostile_bytes__clean_and_bounded(void **state)
{
	struct sm_ring_entry *e;
	struct builder b;
	uint32_t w, i;

	stop_at = 0;
	builder_new(&b);
	w = builder_writer(&b, "a", true);
	memset(builder_slot(&b, w)->name, 0xff, 64);
	e = put(&b, w, 0, "");
	memset((char *)e + offsetof(struct sm_ring_entry, ncheckpoints), 0x9b,
	       sizeof(*e) - offsetof(struct sm_ring_entry, ncheckpoints));
	e = put(&b, w, 1, "\x1b]0;owned\a");
	e->attributes_len = UINT32_MAX;
	memset(e->attributes, '=', sizeof(e->attributes));
	e = put(&b, w, 2, "many");
	for (i = 0; i + 4 <= 512; i += 4)
		memcpy(e->attributes + i, "k=v", 4);
	e->attributes_len = 512;
	assert_int_equal(read_all(&b), 3);
	assert_int_equal(strlen(seen[0].writer), 63);
	assert_int_equal(seen[0].writer[0], '?');
	assert_int_equal(seen[0].ncheckpoints, 16);
	assert_int_equal(strlen(seen[0].operation), 64);
	assert_int_equal(seen[0].operation[5], '?');
	assert_int_equal(seen[0].nattributes, 0);
	assert_string_equal(seen[1].operation, "?]0;owned?");
	assert_int_equal(seen[1].nattributes, 0);
	assert_int_equal(seen[2].nattributes, 32);
	builder_slot(&b, w)->ring_head = UINT64_MAX;
	assert_int_equal(read_all(&b), 0);
	builder_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slow__whole_entry__every_part),
		cmocka_unit_test(slow__ring_came_round__oldest_first),
		cmocka_unit_test(slow__not_whole__passed_over),
		cmocka_unit_test(slow__earlier_writer_of_the_slot__not_shown),
		cmocka_unit_test(slow__hostile_bytes__clean_and_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
