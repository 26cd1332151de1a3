/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_snapshot.h - snapshots made by hand, for tests of what is built on them.
 *
 * A test that includes this links with --wrap for sm_snapshot_number, sm_snapshot_buckets and
 * sm_snapshot_classic, which then answer from here.
 *
 *	static struct fake f;
 *	fake_init(&f, 1);
 *	fam = fake_family(&f, "a_total", SM_COUNTER, "shard");	// in order of name
 *	fake_series(&f, fam, "3")->all = fake_units(12);
 */
#ifndef TESTS_FAKE_SNAPSHOT_H
#define TESTS_FAKE_SNAPSHOT_H

#include <errno.h>
#include <shardmeter_reader.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAKE_FAMILIES	8
#define FAKE_SERIES	64
#define FAKE_WRITERS	4
#define FAKE_BUCKETS	16

struct fake_cell {
	struct sm_value all;
	struct sm_value of[FAKE_WRITERS];
	uint64_t counts[FAKE_BUCKETS];
	struct sm_sum sum;
};

struct fake {
	struct sm_snapshot s;
	struct sm_segment_info segment;
	struct sm_family_info families[FAKE_FAMILIES];
	const char *labels[FAKE_FAMILIES][1];
	struct sm_series_info series[FAKE_FAMILIES][FAKE_SERIES];
	struct sm_str values[FAKE_FAMILIES][FAKE_SERIES][1];
	char texts[FAKE_FAMILIES][FAKE_SERIES][32];
	struct fake_cell cells[FAKE_FAMILIES][FAKE_SERIES];
	struct sm_writer writers[FAKE_WRITERS];
	char names[FAKE_WRITERS][32];
};

static inline void fake_init(struct fake *f, uint8_t id)
{
	memset(f, 0, sizeof(*f));
	memset(f->segment.segment_id, id, sizeof(f->segment.segment_id));
	f->segment.path = "/dev/shm/fake";
	f->s.segment = &f->segment;
	f->s.families = f->families;
	f->s.writers = f->writers;
	f->s.catalog_generation = 1;
	f->s.taken_real_ns = 1000000007;
	f->s.taken_boot_ns = 500000003;
}

static inline unsigned fake_family(struct fake *f, const char *name, enum sm_kind kind,
	const char *label)
{
	unsigned at = (unsigned)f->s.nfamilies++;
	struct sm_family_info *info = &f->families[at];

	f->labels[at][0] = label;
	*info = (struct sm_family_info){ .id = at, .incarnation = 1, .kind = kind, .name = name,
		.help = "Help.", .unit = "", .nlabels = label ? 1 : 0, .labels = f->labels[at],
		.series = f->series[at] };
	return at;
}

static inline struct fake_cell *fake_series(struct fake *f, unsigned family, const char *value)
{
	struct sm_family_info *info = &f->families[family];
	unsigned at = (unsigned)info->nseries++;

	snprintf(f->texts[family][at], sizeof(f->texts[family][at]), "%s", value ? value : "");
	f->values[family][at][0] = (struct sm_str){ f->texts[family][at],
		strlen(f->texts[family][at]) };
	f->series[family][at] = (struct sm_series_info){ .id = at, .incarnation = 1,
		.values = f->values[family][at], .created_real_ns = 77, .family = family };
	f->s.catalog_generation++;
	return &f->cells[family][at];
}

static inline unsigned fake_writer(struct fake *f, const char *name)
{
	unsigned at = (unsigned)f->s.nwriters++;

	snprintf(f->names[at], sizeof(f->names[at]), "%s", name);
	f->writers[at] = (struct sm_writer){ .slot = at, .state = SM_WRITER_LIVE,
		.name = f->names[at], .version = "", .start_boot_ns = 1000 + at };
	return at;
}

static inline struct sm_value fake_units(uint64_t units)
{
	return (struct sm_value){ .is_set = 1, .is_integer = 1, .units = units,
		.value = (double)units };
}

static inline struct sm_value fake_fixed(uint64_t units, unsigned decimals)
{
	struct sm_value v = fake_units(units);

	v.decimals = decimals;
	for (; decimals; decimals--)
		v.value /= 10;
	return v;
}

static inline struct sm_value fake_signed(int64_t units)
{
	return (struct sm_value){ .is_set = 1, .is_integer = 1, .is_signed = 1,
		.units = (uint64_t)units, .value = (double)units };
}

static inline struct sm_value fake_double(double value)
{
	return (struct sm_value){ .is_set = 1, .value = value };
}

static inline const struct fake_cell *fake_cell(const struct sm_snapshot *s,
	const struct sm_series_info *series)
{
	const struct fake *f = (const struct fake *)s;

	return &f->cells[series->family][series->id];
}

int __wrap_sm_snapshot_number(const struct sm_snapshot *s, const struct sm_series_info *series,
	int writer, struct sm_value *ret_value)
{
	const struct fake_cell *cell = fake_cell(s, series);

	*ret_value = writer == SM_ALL_WRITERS ? cell->all : cell->of[writer];
	return 0;
}

int __wrap_sm_snapshot_buckets(const struct sm_snapshot *s, const struct sm_series_info *series,
	int writer, uint64_t *ret_counts, struct sm_sum *ret_sum)
{
	const struct fake_cell *cell = fake_cell(s, series);

	if (writer != SM_ALL_WRITERS)
		return -EINVAL;
	memcpy(ret_counts, cell->counts,
		(s->families[series->family].nunited + 1) * sizeof(*ret_counts));
	*ret_sum = cell->sum;
	return 0;
}

int __wrap_sm_snapshot_classic(const struct sm_snapshot *s, const struct sm_series_info *series,
	int writer, uint64_t *ret_cumulative, struct sm_sum *ret_sum)
{
	const struct fake_cell *cell = fake_cell(s, series);
	uint64_t so_far = 0;
	unsigned i;

	if (writer != SM_ALL_WRITERS)
		return -EINVAL;
	for (i = 0; i <= s->families[series->family].nbounds; i++)
		ret_cumulative[i] = so_far += cell->counts[i];
	*ret_sum = cell->sum;
	return 0;
}

#endif /* TESTS_FAKE_SNAPSHOT_H */
