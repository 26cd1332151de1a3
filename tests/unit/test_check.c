/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of libshm/check.c, check_catalog.c, check_lanes.c: each seeded corruption is found, by
 * name, and a sound segment has none. Also that a change which is under way is not called damage.
 */
#include "segment_builder.h"

struct fixture {
	struct builder b;
	uint32_t counter, histogram, state, info, gauge;	/* families */
	uint32_t play, stop, wait, mode, build, heat;		/* series */
	uint32_t a, dead;					/* slots */
};

static char findings[64][512];
static int nfindings;

static void collect(void *ctx, const char *finding)
{
	(void)ctx;
	if (nfindings < 64)
		snprintf(findings[nfindings++], sizeof(findings[0]), "%s", finding);
}

static int check(struct fixture *x)
{
	struct sm_diag diag;
	int rc, warnings = 0, i;

	nfindings = 0;
	rc = sm_check(x->b.path, collect, NULL, &diag);
	if (rc < 0)
		fail_msg("sm_check: %s", diag.message);
	for (i = 0; i < nfindings; i++)
		warnings += strncmp(findings[i], "warning: ", 9) == 0;
	assert_int_equal(rc, nfindings - warnings);
	return rc;
}

static void set_up(struct fixture *x)
{
	static const double bounds[] = { 0.1, 1 };
	struct sm_ring_entry *e;
	struct sm_exemplar_rec *ex;

	memset(x, 0, sizeof(*x));
	builder_new(&x->b);
	x->counter = builder_family(&x->b, SM_COUNTER, "commands_total", .help = "C.",
				    .labels = { "command" }, .flags = SM_FF_EXEMPLARS);
	x->histogram = builder_family(&x->b, SM_HISTOGRAM, "wait_seconds", .bounds = bounds,
				      .nbounds = 2, .grid_lo = -3, .grid_hi = 3);
	x->state = builder_family(&x->b, SM_STATESET, "mode", .states = { "idle", "busy" });
	x->info = builder_family(&x->b, SM_INFO, "build_info", .labels = { "v" });
	x->gauge = builder_family(&x->b, SM_GAUGE, "heat", );
	x->play = builder_series(&x->b, x->counter, "play", NULL);
	x->stop = builder_series(&x->b, x->counter, "stop", NULL);
	x->wait = builder_series(&x->b, x->histogram, NULL);
	x->mode = builder_series(&x->b, x->state, NULL);
	x->build = builder_series(&x->b, x->info, "1", NULL);
	x->heat = builder_series(&x->b, x->gauge, NULL);
	x->a = builder_writer(&x->b, "a", true);
	x->dead = builder_writer(&x->b, "dead", false);
	*builder_cell(&x->b, x->a, 1, builder_rec(&x->b, x->play)->cell[0]) = 7;
	*builder_cell(&x->b, x->dead, 2, builder_rec(&x->b, x->wait)->cell[0] + 3) = 9;
	*builder_cell(&x->b, x->a, 0, builder_rec(&x->b, x->mode)->cell[0]) = 2;
	*builder_cell(&x->b, x->a, 0, builder_rec(&x->b, x->build)->cell[0]) = 1;
	builder_gauge(&x->b, x->a, x->heat, 20);
	builder_hold(&x->b, x->a, x->play);
	memcpy(builder_slot(&x->b, x->a)->metadata, "shard=1", 8);
	builder_slot(&x->b, x->a)->metadata_len = 8;
	e = builder_ring(&x->b, x->a, 0);
	e->seq = 2;
	e->incarnation = 1;
	strcpy(e->operation, "play");
	builder_slot(&x->b, x->a)->ring_head = 1;
	ex = builder_exemplar(&x->b, 0);
	ex->seq = UINT64_C(1) << 17;
	ex->text_len = 4;
	memcpy(ex->labels, "a\0b", 4);
}

static struct sm_family_rec *fam(struct fixture *x, uint32_t i)
{
	return builder_frec(&x->b, i);
}

static struct sm_series_rec *record(struct fixture *x, uint32_t i)
{
	return builder_rec(&x->b, i);
}

static struct sm_slot *slot(struct fixture *x)
{
	return builder_slot(&x->b, x->a);
}

/* ---- corruptions --------------------------------------------------------------------------- */

static void c_magic(struct fixture *x) { x->b.h->magic++; }
static void c_fingerprint(struct fixture *x) { x->b.h->fingerprint ^= 4; }
static void c_geometry(struct fixture *x) { x->b.h->cells += 512; }
static void c_header_state(struct fixture *x) { x->b.h->state = 9; }
static void c_superseded(struct fixture *x) { x->b.h->superseded_by = 2; }
static void c_segment_id(struct fixture *x) { memset(x->b.h->segment_id, 0, 16); }
static void c_boot_id(struct fixture *x) { memset(x->b.h->boot_id, 'z', 40); }
static void c_boot_text(struct fixture *x) { x->b.h->boot_id[3] = '\x1b'; }
static void c_created(struct fixture *x) { x->b.h->created_real_ns = 0; }
static void c_op(struct fixture *x) { x->b.h->op = SM_OP_FOLD; }
static void c_op_unknown(struct fixture *x) { x->b.h->op = 99; }
static void c_index_dirty(struct fixture *x) { x->b.h->index_dirty = 1; }
static void c_families_used(struct fixture *x) { x->b.h->families_used = 100000; }
static void c_series_used(struct fixture *x) { x->b.h->series_used = 100000; }
static void c_strings_used(struct fixture *x) { x->b.h->strings_used = 4; }
static void c_cells_used(struct fixture *x) { x->b.h->cells_used[SM_ZONE_SET] = UINT32_MAX; }
static void c_reserved(struct fixture *x) { x->b.h->reserved8[100] = 1; }

static void c_slot_state(struct fixture *x) { slot(x)->state = 17; }
static void c_slot_common(struct fixture *x) { builder_slot(&x->b, 0)->state = SM_SLOT_LIVE; }
static void c_slot_claiming(struct fixture *x) { builder_slot(&x->b, 7)->state = SM_SLOT_CLAIMING; }
static void c_slot_fold(struct fixture *x) { slot(x)->fold = 100; }
static void c_slot_fold_left(struct fixture *x) { slot(x)->fold = 1; }
static void c_slot_name(struct fixture *x) { memset(slot(x)->name, 'n', 64); }
static void c_slot_no_name(struct fixture *x) { slot(x)->name[0] = '\0'; }
static void c_slot_twin(struct fixture *x) { strcpy(builder_slot(&x->b, x->dead)->name, "a"); }
static void c_slot_version(struct fixture *x) { memset(slot(x)->version, 'v', 64); }
static void c_slot_metadata_len(struct fixture *x) { slot(x)->metadata_len = 449; }
static void c_slot_metadata(struct fixture *x) { slot(x)->metadata[5] = '-'; }
static void c_slot_metadata_open(struct fixture *x) { slot(x)->metadata[7] = 'x'; }
static void c_slot_lanes(struct fixture *x) { slot(x)->lanes = 0xff; }
static void c_slot_written(struct fixture *x) { slot(x)->written = 0; }
static void c_slot_free_lanes(struct fixture *x) { builder_slot(&x->b, 9)->lanes = 1; }
static void c_slot_incarnation(struct fixture *x) { slot(x)->incarnation = 0; }
static void c_slot_future(struct fixture *x) { slot(x)->heartbeat_boot_ns = UINT64_MAX; }
static void c_slot_free_alive(struct fixture *x)
{
	slot(x)->state = SM_SLOT_FREE;
	slot(x)->lanes = 0;
}

static void c_family_state(struct fixture *x) { fam(x, x->gauge)->state = 9; }
static void c_family_init(struct fixture *x) { fam(x, x->gauge)->state = SM_REC_INIT; }
static void c_family_name(struct fixture *x)
{
	x->b.base[x->b.h->off_strings + fam(x, x->gauge)->strings] = '9';
}
static void c_family_hash(struct fixture *x) { fam(x, x->gauge)->hash++; }
static void c_family_strings(struct fixture *x) { fam(x, x->gauge)->strings = 1 << 29; }
static void c_family_bounds(struct fixture *x)
{
	memset(x->b.base + x->b.h->off_strings + fam(x, x->histogram)->bounds, 0, 16);
}
static void c_family_nbuckets(struct fixture *x) { fam(x, x->histogram)->nbuckets--; }
static void c_family_flags(struct fixture *x) { fam(x, x->gauge)->flags = 0x1000; }
static void c_family_class(struct fixture *x) { fam(x, x->gauge)->strings_bytes--; }
static void c_family_live(struct fixture *x) { fam(x, x->counter)->series_live = 5; }
static void c_family_overflow(struct fixture *x) { fam(x, x->counter)->overflow = x->wait + 1; }
static void c_family_cap(struct fixture *x) { fam(x, x->counter)->cap = 0; }
static void c_family_twin(struct fixture *x) { builder_family(&x->b, SM_GAUGE, "heat", ); }

static void c_series_state(struct fixture *x) { record(x, x->stop)->state = 77; }
static void c_series_init(struct fixture *x) { record(x, x->stop)->state = SM_REC_INIT; }
static void c_series_family(struct fixture *x) { record(x, x->stop)->family = 5000; }
static void c_series_orphan(struct fixture *x) { record(x, x->stop)->family_incarnation = 5; }
static void c_series_hash(struct fixture *x) { record(x, x->stop)->hash += 3; }
static void c_series_utf8(struct fixture *x)
{
	x->b.base[x->b.h->off_strings + record(x, x->stop)->strings] = (char)0xc0;
}
static void c_series_text(struct fixture *x) { record(x, x->stop)->text_len += 2; }
static void c_series_zone(struct fixture *x) { record(x, x->stop)->zone = SM_ZONE_LIVE; }
static void c_series_cell(struct fixture *x) { record(x, x->wait)->cell[0] += 4; }
static void c_series_shared_cell(struct fixture *x)
{
	record(x, x->stop)->cell[0] = record(x, x->play)->cell[0];
}
static void c_series_twin(struct fixture *x) { builder_series(&x->b, x->counter, "stop", NULL); }
static void c_series_block(struct fixture *x)
{
	record(x, x->stop)->strings = record(x, x->play)->strings;
}
static void c_series_exemplar(struct fixture *x) { record(x, x->stop)->exemplar = 60; }

static void c_index_lost(struct fixture *x)
{
	uint32_t i;

	for (i = 0; i < x->b.h->index_entries; i++)
		if (builder_index(&x->b)[i] == x->stop + 1)
			builder_index(&x->b)[i] = 0;
}
static void c_index_beyond(struct fixture *x)
{
	uint32_t i;

	for (i = 0; builder_index(&x->b)[i]; i++)
		;
	builder_index(&x->b)[i] = 400;
}
static void c_index_tomb(struct fixture *x)
{
	record(x, x->stop)->state = SM_REC_TOMB;
	fam(x, x->counter)->series_live--;
}
static void c_index_twice(struct fixture *x)
{
	uint32_t i;

	for (i = 0; builder_index(&x->b)[i]; i++)
		;
	builder_index(&x->b)[i] = x->stop + 1;
}

static void c_map_beyond(struct fixture *x) { builder_map(&x->b, 4)[0] |= UINT64_C(1) << 63; }
static void c_map_lost(struct fixture *x)
{
	builder_map(&x->b, sm_lane_number(x->b.h, x->a, 1))[0] = 0;
}
static void c_map_free_slot(struct fixture *x)
{
	builder_map(&x->b, sm_lane_number(x->b.h, 9, 1))[0] = 1;
}
static void c_map_retired(struct fixture *x) { builder_map(&x->b, 1)[0] = 0; }
static void c_cell_nobodys(struct fixture *x) { *builder_cell(&x->b, x->a, 1, 3000) = 1; }
static void c_cell_first(struct fixture *x) { *builder_cell(&x->b, x->a, 1, 0) = 1; }
static void c_cell_gauge_lane(struct fixture *x)
{
	*builder_cell(&x->b, x->a, 1, record(x, x->heat)->cell[0]) = 1;
}
static void c_cell_state(struct fixture *x)
{
	*builder_cell(&x->b, x->a, 0, record(x, x->mode)->cell[0]) = 3;
}
static void c_cell_info(struct fixture *x)
{
	*builder_cell(&x->b, x->a, 0, record(x, x->build)->cell[0]) = 2;
}
static void c_hold(struct fixture *x) { builder_hold(&x->b, x->a, 300); }
static void c_hold_family(struct fixture *x) { builder_holds(&x->b, x->a)[0] |= UINT64_C(1) << 40; }
static void c_ring_number(struct fixture *x) { builder_ring(&x->b, x->a, 0)->seq = 6; }
static void c_ring_parts(struct fixture *x) { builder_ring(&x->b, x->a, 0)->ncheckpoints = 17; }
static void c_ring_attributes(struct fixture *x)
{
	builder_ring(&x->b, x->a, 0)->attributes_len = 600;
}
static void c_ring_text(struct fixture *x)
{
	builder_ring(&x->b, x->a, 0)->operation[1] = (char)0xff;
}
static void c_ring_future(struct fixture *x) { builder_ring(&x->b, x->a, 0)->incarnation = 9; }
static void c_exemplar_length(struct fixture *x) { builder_exemplar(&x->b, 0)->text_len = 513; }
static void c_exemplar_pairs(struct fixture *x) { builder_exemplar(&x->b, 0)->text_len = 2; }

static const struct {
	void (*corrupt)(struct fixture *x);
	const char *says;
} corruptions[] = {
	{ c_magic, "not a shardmeter segment" },
	{ c_fingerprint, "fingerprint" },
	{ c_geometry, "fingerprint" },
	{ c_header_state, "state is 9" },
	{ c_superseded, "header: state 1 does not fit superseded_by 2" },
	{ c_segment_id, "header: segment id is empty" },
	{ c_boot_id, "header: boot id is not terminated" },
	{ c_boot_text, "header: boot id \"012?4567" },
	{ c_created, "header: creation time is missing" },
	{ c_op, "header: operation 5 was left half done" },
	{ c_op_unknown, "header: operation 99 is unknown" },
	{ c_index_dirty, "header: the index was left dirty" },
	{ c_families_used, "header: families_used is 100000, of 64" },
	{ c_series_used, "header: series_used is 100000, of 512" },
	{ c_strings_used, "header: strings_used is 4" },
	{ c_cells_used, "header: set_cells_used is 4294967295" },
	{ c_reserved, "header: reserved bytes are not zero" },
	{ c_slot_state, "slot 1: state is 17" },
	{ c_slot_common, "slot 0: state is 2" },
	{ c_slot_claiming, "slot 7: its claim was left half done" },
	{ c_slot_fold, "slot 1: fold is 100, but only 0 were committed" },
	{ c_slot_fold_left, "slot 1: its fold was left half done" },
	{ c_slot_name, "slot 1: name is not terminated" },
	{ c_slot_no_name, "slot 1: name \"\" is not allowed" },
	{ c_slot_twin, "slot 2: name \"a\" is that of slot 1, too" },
	{ c_slot_version, "slot 1: version is not terminated" },
	{ c_slot_metadata_len, "slot 1: metadata_len is 449" },
	{ c_slot_metadata, "slot 1: metadata \"shard-1\" is no key=value" },
	{ c_slot_metadata_open, "slot 1: metadata is not terminated" },
	{ c_slot_lanes, "slot 1: lanes 0xff, of 3" },
	{ c_slot_written, "holds counts, but its slot does not say so" },
	{ c_slot_free_lanes, "slot 9: free, but its lanes are 0x1" },
	{ c_slot_incarnation, "slot 1: incarnation is 0" },
	{ c_slot_future, "warning: slot 1: its times lie in the future" },
	{ c_slot_free_alive, "slot 1: free, but its life lock is held" },
	{ c_family_state, "family 4: state is 9" },
	{ c_family_init, "family 4: was left half made" },
	{ c_family_name, "family 4: its name is not allowed" },
	{ c_family_hash, "family 4 (heat): hash is wrong" },
	{ c_family_strings, "family 4: its text is outside the string area" },
	{ c_family_bounds, "family 1: its bounds do not ascend" },
	{ c_family_nbuckets, "family 1: its number of buckets does not follow from its bounds" },
	{ c_family_flags, "family 4 (heat): flags 0x1000 are unknown" },
	{ c_family_class, "family 4 (heat): a block has no size class" },
	{ c_family_live, "family 0 (commands_total): series_live is 5, but 2 are live" },
	{ c_family_overflow, "family 0 (commands_total): overflow series 2 is not its own" },
	{ c_family_cap, "family 0 (commands_total): cap is 0" },
	{ c_family_twin, "family 5 (heat): family 4 has the same name" },
	{ c_series_state, "series 1: state is 77" },
	{ c_series_init, "series 1: was left half made" },
	{ c_series_family, "series 1: family 5000 does not exist" },
	{ c_series_orphan, "series 1: its family 0 is gone" },
	{ c_series_hash, "series 1 of commands_total: hash is wrong" },
	{ c_series_utf8, "series 1 of commands_total: a label value is not UTF-8" },
	{ c_series_text, "series 1 of commands_total: its text is longer than its label values" },
	{ c_series_zone, "series 1 of commands_total: its cells are of another zone" },
	{ c_series_cell, "series 2 of wait_seconds: a cell is outside its zone" },
	{ c_series_shared_cell, "series 1: its cells belong to another series, too" },
	{ c_series_twin, "series 6 of commands_total: series 1 has the same labels" },
	{ c_series_block, "its strings overlap those of series" },
	{ c_series_exemplar, "series 1 of commands_total: its exemplars are out of range" },
	{ c_index_lost, "series 1: the index does not lead to it" },
	{ c_index_beyond, "series 399 does not exist" },
	{ c_index_tomb, "series 1 is not live" },
	{ c_index_twice, "series 1 is there twice" },
	{ c_map_beyond, "slot 0 lane 2: its page map names page 63" },
	{ c_map_lost, "slot 1 lane 1: page 0 holds counts, but its page map does not say so" },
	{ c_map_free_slot, "slot 9 lane 1: has memory, but the slot is free" },
	{ c_map_retired, "retired lane 1: no memory for page 0" },
	{ c_cell_nobodys, "slot 1 lane 1: cell 3000 holds something, but belongs to no series" },
	{ c_cell_first, "slot 1 lane 1: cell 0 holds something, but belongs to no series" },
	{ c_cell_gauge_lane, "slot 1 lane 1: set gauges outside the shared lane" },
	{ c_cell_state, "holds 3, of 2 states" },
	{ c_cell_info, "holds 2, of 1 states" },
	{ c_hold, "slot 1: holds series 300, which does not exist" },
	{ c_hold_family, "slot 1: holds family 40, which does not exist" },
	{ c_ring_number, "slot 1 ring entry 0: holds number 2, of 1" },
	{ c_ring_parts, "slot 1 ring entry 0: 17 checkpoints" },
	{ c_ring_attributes, "slot 1 ring entry 0: its attributes are not terminated" },
	{ c_ring_text, "slot 1 ring entry 0: operation or status is not UTF-8" },
	{ c_ring_future, "slot 1 ring entry 0: of incarnation 9, which is yet to come" },
	{ c_exemplar_length, "exemplar 0: its labels are damaged" },
	{ c_exemplar_pairs, "exemplar 0: its labels are damaged" },
};

static void check__sound_segment__nothing(void **state)
{
	struct fixture x;

	set_up(&x);
	if (check(&x))
		fail_msg("%d findings, the first: %s", nfindings, findings[0]);
	builder_free(&x.b);
}

static void check__seeded_corruptions__each_named(void **state)
{
	struct sm_header saved;
	struct fixture x;
	size_t i;
	int k;

	for (i = 0; i < sizeof(corruptions) / sizeof(corruptions[0]); i++) {
		set_up(&x);
		saved = *x.b.h;
		corruptions[i].corrupt(&x);
		check(&x);
		for (k = 0; k < nfindings && !strstr(findings[k], corruptions[i].says); k++)
			;
		if (k == nfindings)
			fail_msg("not found: \"%s\"; %d findings, the first: %s",
				 corruptions[i].says, nfindings, nfindings ? findings[0] : "none");
		*x.b.h = saved;			/* the builder unmaps by it */
		builder_free(&x.b);
	}
	print_message("%zu corruptions found\n", i);
}

/* A writer in another time namespace damages nothing. */
static void check__warning__reported_not_counted(void **state)
{
	struct fixture x;

	set_up(&x);
	slot(&x)->heartbeat_boot_ns = UINT64_MAX;
	assert_int_equal(check(&x), 0);
	assert_int_equal(nfindings, 1);
	assert_non_null(strstr(findings[0], "another time namespace"));
	builder_slot(&x.b, 7)->state = SM_SLOT_CLAIMING;
	assert_int_equal(check(&x), 1);
	assert_int_equal(nfindings, 2);
	builder_free(&x.b);
}

static void check__truncated__said(void **state)
{
	struct fixture x;
	uint64_t bytes;

	set_up(&x);
	bytes = x.b.h->file_bytes;
	assert_int_equal(ftruncate(x.b.fd, (off_t)bytes - 4096), 0);
	assert_int_equal(check(&x), 1);
	assert_non_null(strstr(findings[0], "truncated"));
	assert_int_equal(ftruncate(x.b.fd, (off_t)bytes), 0);
	builder_free(&x.b);
}

/* Under the catalog lock half-done states are somebody's work. */
static void check__change_under_way__not_damage(void **state)
{
	struct flock fl = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SM_LOCK_CATALOG, .l_len = 1
	};
	struct fixture x;
	int fd;

	set_up(&x);
	fd = open(x.b.path, O_RDWR);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &fl), 0);
	x.b.h->op = SM_OP_REGISTER;
	x.b.h->index_dirty = 1;
	builder_slot(&x.b, 7)->state = SM_SLOT_CLAIMING;
	slot(&x)->fold = 1;
	if (check(&x))
		fail_msg("%s", findings[0]);
	close(fd);
	assert_int_equal(check(&x), 4);
	builder_free(&x.b);
}

static void check__no_segment__error(void **state)
{
	struct sm_diag diag;
	struct fixture x;

	assert_int_equal(sm_check("/dev/shm/shardmeter-test-none/x", collect, NULL, &diag),
			 -ENOENT);
	set_up(&x);
	x.b.h->major = 9;
	assert_int_equal(sm_check(x.b.path, collect, NULL, &diag), -EPROTONOSUPPORT);
	x.b.h->major = SM_LAYOUT_MAJOR;
	x.b.h->state = SM_SEG_EMPTY;
	assert_int_equal(check(&x), 1);
	assert_non_null(strstr(findings[0], "not ready"));
	builder_free(&x.b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check__sound_segment__nothing),
		cmocka_unit_test(check__seeded_corruptions__each_named),
		cmocka_unit_test(check__warning__reported_not_counted),
		cmocka_unit_test(check__truncated__said),
		cmocka_unit_test(check__change_under_way__not_damage),
		cmocka_unit_test(check__no_segment__error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
