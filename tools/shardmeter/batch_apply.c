/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_apply.c - from a split line to an update.
 *
 * A counter is counted as inc would: in whole units, in decimals if the amount has some, as a
 * double where neither is exact. So a series can change its handle when another amount comes.
 */
#include "batch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

/* Handles that are kept; beyond them all are made anew. */
#define TARGETS_MAX 200000

/* What a head and tail update. */
struct batch_target {
	enum batch_action action;
	bool milliseconds, nanoseconds, is_signed;
	enum sm_number mode;
	unsigned decimals;
	unsigned times;	     /* each value stands for so many */
	struct number scale; /* what a counter's amounts are multiplied by, if not by times */
	size_t level;	     /* BATCH_RAISE: number in batch.level */
	uint64_t line;	     /* where it was made */
	enum sm_kind kind;
	union {
		struct sm_counter *counter;
		struct sm_gauge *gauge;
		struct sm_updown *updown;
		struct sm_histogram *histogram;
	};
};

void batch_meaning_release(struct batch_meaning *m)
{
	if (m->series.name != m->memory)
		free(m->series.name);
	free(m->memory);
	memset(m, 0, sizeof(*m));
}

void batch_forget(struct batch *b)
{
	keys_clear(&b->keys);
	free(b->target);
	b->target = NULL;
	keys_clear(&b->raised);
	free(b->level);
	b->level = NULL;
	b->ntargets = 0;
	sm_snapshot_free(b->base);
	b->base = NULL;
}

/* ---- resolving ---- */

static int check_labels(const struct cli *c, const struct cli_series *s)
{
	const char *v;
	size_t left, n;
	uint32_t code;

	for (unsigned i = 0; i < s->nlabels; i++) {
		v = s->label[i].value;
		for (left = strlen(v); left; v += n, left -= n) {
			n = utf8_next(v, left, &code);
			if (!n)
				return cli_fail(c, CLI_FAILED, "the value of label %s is not UTF-8",
					s->label[i].name);
		}
	}
	return 0;
}

/* What shell commands had counted of a series when the first one was raised. */
static int common_value(struct batch *b, const struct cli_series *s, struct number *ret)
{
	const struct sm_family_info *info;
	struct picks picks = { 0 };
	struct pick one = { .s = *s, .by_writer = true };
	struct pick_row *rows = NULL;
	struct sm_diag diag = { 0 };
	struct reading r;
	size_t n = 0;

	*ret = number_of_units(0, 0);
	if (!b->base && sm_snapshot_take(b->fam.reader, SM_SNAPSHOT_WRITERS, &b->base, &diag) != 0)
		return cli_fail(&b->c, CLI_FAILED, "%s: %s", b->fam.sel.path, diag.message);
	info = sel_family(b->base, s->name);
	if (!info)
		return 0;
	picks.pick = &one;
	picks.n = 1;
	if (picks_rows(&picks, b->base, &rows, &n) != 0)
		return cli_fail(&b->c, CLI_FAILED, "out of memory");
	for (size_t i = 0; i < n; i++) {
		if (b->base->writers[rows[i].writer].state != SM_WRITER_COMMON ||
			reading_take(b->base, &rows[i], &r) != 0)
			continue;
		if (r.number.is_set)
			*ret = r.number;
		reading_release(&r);
	}
	free(rows);
	return 0;
}

/* Where a counter is: found once for each series, however its labels are written. */
static int find_level(struct batch *b, const struct cli_series *s, const struct fam_series *series,
	size_t *ret_level)
{
	struct number *more;
	char *values = NULL;
	size_t len = 0;
	bool is_new;
	FILE *f = open_memstream(&values, &len);

	for (unsigned i = 0; f && i < series->n; i++)
		fwrite(series->values[i].ptr, 1, series->values[i].len + 1, f);
	if (f)
		fclose(f);
	*ret_level =
		values ? keys_number(&b->raised, s->name, strlen(s->name), values, len, &is_new)
		       : SIZE_MAX;
	free(values);
	if (*ret_level == SIZE_MAX)
		return cli_fail(&b->c, CLI_FAILED, "out of memory");
	if (!is_new)
		return 0;
	more = reallocarray(b->level, b->raised.n, sizeof(*more));
	if (!more)
		return cli_fail(&b->c, CLI_FAILED, "out of memory");
	b->level = more;
	return common_value(b, s, &b->level[*ret_level]);
}

/* Neither NaN nor infinite: those are not set. */
static int check_amount(const struct cli *c, const struct batch_split *s, const struct number *n)
{
	if (n->value >= 0 && !isinf(n->value))
		return 0;
	return cli_fail(c, CLI_FAILED, "%.*s: a counter only goes up; a gauge can go down",
		(int)s->value_len, s->value);
}

/* Of a histogram whose name has no unit. */
static const double wide_bounds[] = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
	2.5, 5, 10, 25, 50, 100, 250, 500, 1e3, 2.5e3, 5e3, 1e4, 2.5e4, 5e4, 1e5, 2.5e5, 5e5, 1e6 };

static void want_of(const struct batch_meaning *m, struct fam_want *want)
{
	memset(want, 0, sizeof(*want));
	want->help = m->help;
	want->unit = m->unit;
	switch (m->action) {
	case BATCH_OBSERVE:
		want->kinds = 1u << SM_HISTOGRAM;
		want->make = SM_HISTOGRAM;
		if (fam_unit_of_name(m->series.name))
			break;
		want->bounds = wide_bounds; /* it may be anything */
		want->nbounds = sizeof(wide_bounds) / sizeof(wide_bounds[0]);
		break;
	case BATCH_GAUGE:
		want->kinds = 1u << SM_GAUGE | 1u << SM_UPDOWN;
		want->make = SM_GAUGE;
		want->mode = SM_MODE_MOSTRECENT;
		break;
	case BATCH_SET:
		want->kinds = 1u << SM_GAUGE;
		want->make = SM_GAUGE;
		want->mode = SM_MODE_MOSTRECENT;
		break;
	case BATCH_INFO:
		want->kinds = 1u << SM_INFO;
		want->make = SM_INFO;
		break;
	default:
		want->kinds = 1u << SM_COUNTER;
		want->make = SM_COUNTER;
		break;
	}
}

static struct cli_amount amount_of(const struct number *n)
{
	struct cli_amount a = { .value = n->value, .decimals = n->decimals };

	a.exact = n->exact && n->units >= 0 && n->units <= UINT64_MAX;
	a.units = a.exact ? (uint64_t)n->units : 0;
	return a;
}

static void take_handle(struct batch_target *t, const struct fam_series *s)
{
	t->kind = s->kind;
	t->mode = s->number;
	t->decimals = s->number == SM_NUMBER_FIXED ? s->decimals : 0;
	switch (s->kind) {
	case SM_COUNTER: t->counter = sm_counter(s->family, s->values, s->n); break;
	case SM_GAUGE: t->gauge = sm_gauge(s->family, s->values, s->n); break;
	case SM_UPDOWN: t->updown = sm_updown(s->family, s->values, s->n); break;
	case SM_HISTOGRAM:
		t->histogram = sm_histogram(s->family, s->values, s->n);
		t->is_signed = s->info && s->info->flags & SM_FAMILY_SIGNED;
		t->nanoseconds = !s->info || strcmp(s->info->unit, SM_SECONDS) == 0;
		break;
	default: sm_info_set(s->family, s->values, s->n); break;
	}
}

/* A sample rate: a whole number of times wherever it nearly is one, as 1 / 0.1 is 10. */
static void take_rate(struct batch_target *t, const struct number *rate)
{
	double times = 1 / rate->value;

	t->times = (unsigned)(times + 0.5);
	t->scale = fabs(times - t->times) < 1e-6 * times ? number_of_units(t->times, 0)
							 : number_of_double(times);
}

static int meaning_of(struct batch *b, const struct batch_split *s, struct batch_meaning *m)
{
	if (s->statsd)
		return batch_statsd_meaning(&b->c, s, m);
	return batch_text_meaning(&b->c, b->metadata, &b->fam, b->add, s, m);
}

/* Is this the series of all those that a full family had no room for? What it holds cannot be compared with a
 * number of one of them. */
static bool is_overflow(const struct sm_family_info *info, const struct batch_target *t)
{
	int64_t cell = info && t->kind == SM_COUNTER ? sm_counter_cell(t->counter) : -1;
	size_t i;

	for (i = 0; cell > 0 && i < info->nseries; i++)
		if (info->series[i].overflow)
			return info->series[i].cell[0] == cell || info->series[i].cell[1] == cell ||
			       info->series[i].cell[2] == cell;
	return false;
}

/* A family, a series, a handle. */
static int make_known(struct batch *b, const struct batch_meaning *m,
	const struct cli_amount *amount, struct batch_target *t)
{
	const struct sm_family_info *info = sel_family(b->fam.snapshot, m->series.name);
	struct fam_series series;
	struct fam_want want;
	int rc = check_labels(&b->c, &m->series);

	want_of(m, &want);
	want.amount = amount;
	if (info)
		want.nbounds = 0; /* its own will do */
	if (!rc)
		rc = fam_declare(&b->c, &b->fam, &m->series, &want, &series);
	if (!rc && m->action == BATCH_RAISE)
		rc = find_level(b, &m->series, &series, &t->level);
	if (rc)
		return rc;
	take_rate(t, &m->rate);
	take_handle(t, &series);
	if (m->action == BATCH_RAISE && is_overflow(info, t))
		return cli_fail(&b->c, CLI_FAILED,
			"%s is full: this series has none of its own to be raised, and __other__ "
			"holds several; --add counts there", m->series.name);
	t->milliseconds = m->milliseconds;
	t->action = m->action;
	return 0;
}

/* Make what a line updates. first: the amount that a counter must be able to count exactly. */
static int make_target(struct batch *b, const struct batch_split *s, const struct number *first,
	struct batch_target *t)
{
	struct cli_amount amount = amount_of(first);
	struct batch_meaning m;
	int rc = meaning_of(b, s, &m);

	if (!rc && (m.action == BATCH_ADD || m.action == BATCH_RAISE)) {
		rc = check_amount(&b->c, s, first);
		if (rc) {
			batch_meaning_release(&m);
			return rc; /* the next number may be a better one */
		}
	}
	t->action = BATCH_REFUSE;
	t->line = b->c.line;
	if (!rc && m.action == BATCH_IGNORE)
		t->action = BATCH_IGNORE;
	if (!rc && m.action != BATCH_IGNORE)
		rc = make_known(b, &m, &amount, t);
	batch_meaning_release(&m);
	return rc;
}

/* ---- updating ---- */

/* Can the handle count n exactly, or will no other do better? */
static bool fits(const struct batch_target *t, const struct number *n, uint64_t *ret_units)
{
	struct cli_amount a = amount_of(n);

	return t->mode == SM_NUMBER_DOUBLE || cli_amount_in(&a, t->decimals, ret_units);
}

static int add(struct batch *b, const struct batch_split *s, struct batch_target *t,
	const struct number *n)
{
	uint64_t units = 0;
	int rc;

	if (!fits(t, n, &units)) {
		rc = make_target(b, s, n, t);
		if (rc)
			return rc;
		if (!fits(t, n, &units))
			return cli_fail(&b->c, CLI_FAILED,
				"%.*s: the counter is counted in whole steps with %u decimals",
				(int)s->value_len, s->value, t->decimals);
	}
	if (t->mode == SM_NUMBER_DOUBLE)
		sm_counter_add_double(t->counter, n->value);
	else
		sm_counter_add(t->counter, units);
	return 0;
}

static struct number scaled(const struct batch_target *t, const struct number *n)
{
	__int128 units;

	if (n->exact && t->scale.exact && !__builtin_mul_overflow(n->units, t->scale.units, &units))
		return number_of_units(units, n->decimals);
	/* Six decimals are more than a sample can tell. */
	if (n->value * t->scale.value < 1e12)
		return number_of_units((__int128)(n->value * t->scale.value * 1e6 + 0.5), 6);
	return number_of_double(n->value * t->scale.value);
}

static int raise_to(struct batch *b, const struct batch_split *s, struct batch_target *t,
	const struct number *n)
{
	struct number *level = &b->level[t->level], more = number_subtract(*n, *level);
	char now[CLI_TEXT_MAX];
	int rc;

	number_text(level, now);
	if (more.value < 0)
		return cli_fail(&b->c, CLI_FAILED,
			"%.*s: the counter is at %s already and does not go back; with --add the "
			"lines say what is added",
			(int)s->value_len, s->value, now);
	rc = more.value > 0 ? add(b, s, t, &more) : 0;
	if (!rc)
		b->level[t->level] = *n;
	return rc;
}

static int gauge(struct batch *b, const struct batch_split *s, struct batch_target *t,
	const struct number *n)
{
	bool delta = t->action == BATCH_GAUGE && (s->value[0] == '+' || s->value[0] == '-');

	if (t->kind == SM_UPDOWN && !(delta && n->exact && n->decimals == 0 &&
					    n->units >= -INT64_MAX && n->units <= INT64_MAX))
		return cli_fail(&b->c, CLI_FAILED,
			"%.*s: this up-down gauge goes in whole steps with a sign, such as +1",
			(int)s->value_len, s->value);
	if (t->kind == SM_UPDOWN)
		sm_updown_add(t->updown, (int64_t)n->units);
	else if (delta)
		sm_gauge_add(t->gauge, n->value);
	else
		sm_gauge_set(t->gauge, n->value);
	return 0;
}

static int observe(struct batch *b, const struct batch_split *s, struct batch_target *t,
	const struct number *n)
{
	double v = n->value / (t->milliseconds ? 1e3 : 1);

	if (isnan(v) || isinf(v) || (v < 0 && !t->is_signed))
		return cli_fail(&b->c, CLI_FAILED,
			"%.*s: this histogram takes finite values from 0 on", (int)s->value_len,
			s->value);
	for (unsigned i = 0; i < t->times; i++) {
		if (t->milliseconds && t->nanoseconds && v < 4e9)
			sm_histogram_observe_ns(t->histogram, (uint64_t)(n->value * 1e6 + 0.5));
		else
			sm_histogram_observe(t->histogram, v);
	}
	return 0;
}

static int update(struct batch *b, const struct batch_split *s, struct batch_target *t,
	const struct number *n)
{
	struct number more;
	int rc;

	switch (t->action) {
	case BATCH_ADD:
	case BATCH_RAISE:
		rc = check_amount(&b->c, s, n);
		if (rc)
			return rc;
		if (t->action == BATCH_RAISE)
			return raise_to(b, s, t, n);
		more = scaled(t, n);
		return add(b, s, t, &more);
	case BATCH_GAUGE:
	case BATCH_SET: return gauge(b, s, t, n);
	case BATCH_OBSERVE: return observe(b, s, t, n);
	default: return 0;
	}
}

/* ---- one line ---- */

/* Also NaN and the infinities. */
static int parse_value(const struct cli *c, const char *text, size_t len, struct number *ret)
{
	static const struct {
		const char *text;
		double v;
	} words[] = { { "NaN", NAN }, { "+Inf", INFINITY }, { "Inf", INFINITY },
		{ "-Inf", -INFINITY } };

	if (number_parse(text, len, ret))
		return 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].text) == len && strncasecmp(words[i].text, text, len) == 0) {
			*ret = number_of_double(words[i].v);
			return 0;
		}
	return cli_fail(c, CLI_FAILED, "\"%.*s\" is not a number", len > 60 ? 60 : (int)len, text);
}

/* The target of a line, made if there is none yet. */
static int find_target(struct batch *b, const struct batch_split *s, const struct number *first,
	struct batch_target **ret)
{
	struct batch_target *more;
	size_t i, room;
	bool is_new;

	if (b->keys.n == TARGETS_MAX)
		batch_forget(b);
	if (b->keys.n == b->ntargets) {
		room = b->ntargets ? 2 * b->ntargets : 256;
		more = reallocarray(b->target, room, sizeof(*more));
		if (!more)
			return cli_fail(&b->c, CLI_FAILED, "out of memory");
		b->target = more;
		b->ntargets = room;
	}
	i = keys_number(&b->keys, s->head, s->head_len, s->tail, s->tail_len, &is_new);
	if (i == SIZE_MAX)
		return cli_fail(&b->c, CLI_FAILED, "out of memory");
	*ret = &b->target[i];
	if (is_new)
		memset(*ret, 0, sizeof(**ret));
	return (*ret)->action == BATCH_UNKNOWN ? make_target(b, s, first, *ret) : 0;
}

/* One number of a line. */
static int apply_value(struct batch *b, struct batch_split *s)
{
	struct batch_target *t;
	struct number n;
	int rc = parse_value(&b->c, s->value, s->value_len, &n);

	if (!rc)
		rc = find_target(b, s, &n, &t);
	if (rc)
		return rc;
	if (t->action == BATCH_REFUSE)
		return cli_fail(&b->c, CLI_FAILED, "as line %llu", (unsigned long long)t->line);
	b->ignored += t->action == BATCH_IGNORE;
	return update(b, s, t, &n);
}

int batch_apply(struct batch *b, char *line, size_t len)
{
	struct batch_split s;
	const char *values, *end;
	int rc;

	if (strlen(line) != len)
		return cli_fail(&b->c, CLI_FAILED, "there is a NUL byte in it");
	line += strspn(line, " \t");
	if (*line == '\0')
		return 0;
	if (*line == '#')
		return batch_metadata_line(&b->c, b->metadata, line);
	if (!batch_is_statsd(line)) {
		rc = batch_split_text(&b->c, line, &s);
		return rc ? rc : apply_value(b, &s);
	}
	rc = batch_split_statsd(&b->c, line, &s);
	if (rc)
		return rc;
	values = s.value;
	end = s.value + s.value_len;
	do {
		s.value = values;
		s.value_len = strcspn(values, ":|");
		rc = apply_value(b, &s);
		values += s.value_len + 1;
	} while (!rc && values < end);
	return rc;
}
