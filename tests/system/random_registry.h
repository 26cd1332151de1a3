/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_registry.h - a random registry with awkward labels, and what must come out of it.
 *
 * random_registry(m, seed, families) declares and counts. To `expect` goes one line a sample,
 *
 *	NAME{label=HEX,...} VALUE
 *
 * with label values in hexadecimal and the value as "%.17g", and for each histogram that has a fine grid
 *
 *	!NAME{label=HEX,...} NS NS ...
 *
 * with everything that was observed, so that a test can make the native buckets by itself.
 */
#ifndef TEST_RANDOM_REGISTRY_H
#define TEST_RANDOM_REGISTRY_H

#include <math.h>
#include <shardmeter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERIES_MAX 6
#define WRITER "random"
#define NSTATES 3
#define EXEMPLAR ((struct sm_str[]){ SM_STR("trace_id"), SM_STR("4bf9\"2f\n35") })

static const char *const states[NSTATES] = { "idle", "busy \"", "gone\\" };

static const double bounds[] = { 0.001, 0.0025, 0.1, 1, 2.5, 1000 };
#define NBOUNDS (sizeof(bounds) / sizeof(bounds[0]))

static uint64_t seed;
static const char *prefix = "";	/* of each name */
static FILE *expect;

static uint32_t any(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(seed >> 33) % below;
}

/* Pieces of text that parsers stumble over. */
static size_t awkward(char *out, size_t size)
{
	static const char *const pieces[] = {
		"a",
		"B",
		"7",
		" ",
		"\\",
		"\\\\",
		"\\n",
		"\"",
		"\n",
		"\r",
		"\t",
		"{",
		"}",
		",",
		"=",
		"#",
		"'",
		"/",
		"\x01",
		"\x7f",
		"\xc3\xa9",
		"\xe6\x9d\xb1",
		"\xf0\x9f\x8e\xb5",
		"le=\"1\"",
		"NaN",
		"+Inf",
		"\xe2\x80\xa8",
		"\xc2\x85",
	};
	size_t n = 0, parts = any(8), len;

	while (parts--) {
		const char *p = pieces[any(sizeof(pieces) / sizeof(pieces[0]))];

		len = strlen(p);
		if (n + len >= size)
			break;
		memcpy(out + n, p, len);
		n += len;
	}
	return n;
}

struct labels {
	unsigned n;
	char text[4][64];
	struct sm_str value[4];
};

static void random_labels(struct labels *l, unsigned n, unsigned number)
{
	unsigned i;

	l->n = n;
	for (i = 0; i < n; i++) {
		size_t len = awkward(l->text[i], 48);

		if (i == 0)	/* no two series alike */
			len += (size_t)snprintf(l->text[i] + len, 16, "%u", number);
		l->value[i].ptr = l->text[i];
		l->value[i].len = len;
	}
}

static void hex(const char *label, const char *text, size_t len)
{
	fprintf(expect, "%s=", label);
	for (; len; len--)
		fprintf(expect, "%02x", (unsigned char)*text++);
	fputc(',', expect);
}

static void series_name(const char *name, const char *suffix, const struct labels *l)
{
	char label[20];
	unsigned i;

	fprintf(expect, "%s%s{", name, suffix);
	for (i = 0; i < l->n; i++) {
		snprintf(label, sizeof(label), "label_%u", i);
		hex(label, l->value[i].ptr, l->value[i].len);
	}
}

/* more: one more label, or NULL. */
static void sample(const char *name, const char *suffix, const struct labels *l, const char *more,
		   const char *text, double v)
{
	series_name(name, suffix, l);
	if (more)
		hex(more, text, strlen(text));
	fprintf(expect, "} %.17g\n", v);
}

static double random_double(void)
{
	uint64_t bits;
	double v;

	switch (any(6)) {
	case 0: return 0;
	case 1: return any(1000);
	case 2: return any(1000000) / 1000.0;
	case 3: return (double)INFINITY;
	default:
		do {
			bits = (uint64_t)any(UINT32_MAX) << 32 | any(UINT32_MAX);
			memcpy(&v, &bits, sizeof(v));
		} while (!isfinite(v));
		return v;
	}
}

static void histogram(struct sm_family *f, const char *name, const struct labels *l, int grid,
		      int exemplars)
{
	static const char *const le[] = { "0.001", "0.0025", "0.1", "1.0", "2.5", "1000.0" };
	struct sm_histogram *h = sm_histogram(f, l->value, l->n);
	uint64_t cumulative[NBOUNDS + 1] = { 0 }, sum = 0, ns[200];
	unsigned n = any(200), i, b;

	for (i = 0; i < n; i++) {
		ns[i] = any(4) ? any(3000) * UINT64_C(1000000) : any(UINT32_MAX);
		sm_histogram_observe_ns(h, ns[i]);
		sum += ns[i];
		for (b = 0; b < NBOUNDS; b++)
			cumulative[b] += (double)ns[i] / 1e9 <= bounds[b];
	}
	if (exemplars && n)
		sm_histogram_exemplar(h, (double)ns[n - 1] / 1e9, EXEMPLAR, 1);
	for (b = 0; b < NBOUNDS; b++)
		sample(name, "_bucket", l, "le", le[b], (double)cumulative[b]);
	sample(name, "_bucket", l, "le", "+Inf", n);
	sample(name, "_count", l, NULL, NULL, n);
	sample(name, "_sum", l, NULL, NULL, (double)sum / 1e9);
	if (!grid)
		return;
	fputc('!', expect);
	series_name(name, "", l);
	fputc('}', expect);
	for (i = 0; i < n; i++)
		fprintf(expect, " %llu", (unsigned long long)ns[i]);
	fputc('\n', expect);
}

/* A state set is shown by writer, a sample a state. */
static void state_set(struct sm_family *f, const char *name, const struct labels *l)
{
	unsigned now = any(NSTATES), i;

	sm_stateset_set(sm_stateset(f, l->value, l->n), now);
	for (i = 0; i < NSTATES; i++) {
		series_name(name, "", l);
		hex("writer", WRITER, strlen(WRITER));
		hex(name, states[i], strlen(states[i]));
		fprintf(expect, "} %u\n", i == now);
	}
}

static void one_series(struct sm_family *f, unsigned kind, const char *name, const struct labels *l,
		       const struct sm_family_options *o)
{
	uint64_t n;
	double v;

	switch (kind) {
	case 0:
		n = any(2) ? any(1000) : (uint64_t)any(UINT32_MAX) << 20;
		sm_counter_add(sm_counter(f, l->value, l->n), n);
		if (o->exemplars)
			sm_counter_exemplar(sm_counter(f, l->value, l->n), (double)n, EXEMPLAR, 1);
		sample(name, "", l, NULL, NULL, (double)n);
		break;
	case 1:
		n = any(UINT32_MAX);
		sm_counter_add(sm_counter(f, l->value, l->n), n);
		sample(name, "", l, NULL, NULL, (double)n / 1e6);
		break;
	case 2:
		v = any(1000000) / 7.0;
		sm_counter_add_double(sm_counter(f, l->value, l->n), v);
		sample(name, "", l, NULL, NULL, v);
		break;
	case 3:
		v = random_double();
		sm_gauge_set(sm_gauge(f, l->value, l->n), v);
		sample(name, "", l, NULL, NULL, v);
		break;
	case 4:
		n = any(UINT32_MAX);
		sm_updown_add(sm_updown(f, l->value, l->n), -(int64_t)n);
		sample(name, "", l, NULL, NULL, -(double)n);
		break;
	case 5:
		sm_info_set(f, l->value, l->n);
		sample(name, "", l, NULL, NULL, 1);
		break;
	case 6:
		state_set(f, name, l);
		break;
	default:
		histogram(f, name, l, o->grid == SM_GRID_ON, o->exemplars);
	}
}

static const struct {
	enum sm_kind kind;
	enum sm_number number;
	const char *name, *suffix;
} kinds[] = {
	{ SM_COUNTER, SM_NUMBER_U64, "whole", "_total" },
	{ SM_COUNTER, SM_NUMBER_FIXED, "fixed", "_total" },
	{ SM_COUNTER, SM_NUMBER_DOUBLE, "real", "_total" },
	{ SM_GAUGE, 0, "level", "" },
	{ SM_UPDOWN, 0, "depth", "" },
	{ SM_INFO, 0, "about", "_info" },
	{ SM_STATESET, 0, "mode", "" },
	{ SM_HISTOGRAM, 0, "wait", "_seconds" },
};

static int one_family(struct sm *m, unsigned number)
{
	static const char *const label_names[] = { "label_0", "label_1", "label_2", "label_3" };
	unsigned kind = any(sizeof(kinds) / sizeof(kinds[0])), nlabels = any(5),
		 nseries = nlabels ? 1 + any(SERIES_MAX) : 1, i;
	struct sm_family_options o = { .kind = kinds[kind].kind,
				       .number = kinds[kind].number,
				       .decimals = kind == 1 ? 6 : 0,
				       .exemplars = (int)any(2),
				       .normalise = SM_NORMALISE_NONE };
	char name[48], help[64];
	struct sm_family *f;
	struct sm_diag diag;
	struct labels l;

	snprintf(name, sizeof(name), "%s%s%u%s", prefix, kinds[kind].name, number,
		 kinds[kind].suffix);
	help[0] = 'H';
	help[1 + awkward(help + 1, sizeof(help) - 2)] = '\0';
	o.name = name;
	o.help = help;
	for (i = 0; i < nlabels; i++)
		o.labels[i] = label_names[i];
	if (o.kind == SM_STATESET) {
		o.states = states;
		o.nstates = NSTATES;
	}
	if (o.kind == SM_HISTOGRAM) {
		o.unit = SM_SECONDS;
		o.bounds = bounds;
		o.nbounds = NBOUNDS;
		o.grid = any(2) ? SM_GRID_ON : SM_GRID_OFF;
	}
	f = sm_declare(m, &o, &diag);
	if (diag.error) {
		fprintf(stderr, "%s: %s\n", name, diag.message);
		return 1;
	}
	for (i = 0; i < nseries; i++) {
		random_labels(&l, nlabels, i);
		one_series(f, kind, name, &l, &o);
	}
	return 0;
}

/* 0, or 1 after a message on stderr. */
static int random_registry(struct sm *m, uint64_t from_seed, unsigned families)
{
	unsigned i;

	seed = from_seed;
	for (i = 0; i < families; i++)
		if (one_family(m, i))
			return 1;
	return 0;
}

#endif
