/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_registry SEGMENT SEED FAMILIES [stay] - write a random registry with awkward labels, print its
 * exposition on stdout and, on descriptor 3, what must be in it: one line a sample,
 *
 *	NAME{label=HEX,...} VALUE
 *
 * with label values in hexadecimal and the value as "%.17g". With `stay` it lives on, so that its
 * gauges do, until its standard input ends. For test_text_parsers.py and test_format_parsers.py.
 */
#include <math.h>
#include <shardmeter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERIES_MAX 6

static const double bounds[] = { 0.001, 0.0025, 0.1, 1, 2.5, 1000 };
#define NBOUNDS (sizeof(bounds) / sizeof(bounds[0]))

static uint64_t seed;
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

static void sample(const char *name, const char *suffix, const struct labels *l, const char *le,
		   double v)
{
	unsigned i;
	size_t k;

	fprintf(expect, "%s%s{", name, suffix);
	for (i = 0; i < l->n; i++) {
		fprintf(expect, "label_%u=", i);
		for (k = 0; k < l->value[i].len; k++)
			fprintf(expect, "%02x", (unsigned char)l->value[i].ptr[k]);
		fputc(',', expect);
	}
	if (le) {
		fprintf(expect, "le=");
		for (; *le; le++)
			fprintf(expect, "%02x", (unsigned char)*le);
		fputc(',', expect);
	}
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

static void histogram(struct sm_family *f, const char *name, const struct labels *l)
{
	static const char *const le[] = { "0.001", "0.0025", "0.1", "1.0", "2.5", "1000.0" };
	struct sm_histogram *h = sm_histogram(f, l->value, l->n);
	uint64_t cumulative[NBOUNDS + 1] = { 0 }, sum = 0, ns;
	unsigned n = any(200), i, b;

	for (i = 0; i < n; i++) {
		ns = any(4) ? any(3000) * UINT64_C(1000000) : any(UINT32_MAX);
		sm_histogram_observe_ns(h, ns);
		sum += ns;
		for (b = 0; b < NBOUNDS; b++)
			cumulative[b] += (double)ns / 1e9 <= bounds[b];
	}
	for (b = 0; b < NBOUNDS; b++)
		sample(name, "_bucket", l, le[b], (double)cumulative[b]);
	sample(name, "_bucket", l, "+Inf", n);
	sample(name, "_count", l, NULL, n);
	sample(name, "_sum", l, NULL, (double)sum / 1e9);
}

static void one_series(struct sm_family *f, unsigned kind, const char *name, const struct labels *l)
{
	uint64_t n;
	double v;

	switch (kind) {
	case 0:
		n = any(2) ? any(1000) : (uint64_t)any(UINT32_MAX) << 20;
		sm_counter_add(sm_counter(f, l->value, l->n), n);
		sample(name, "", l, NULL, (double)n);
		break;
	case 1:
		n = any(UINT32_MAX);
		sm_counter_add(sm_counter(f, l->value, l->n), n);
		sample(name, "", l, NULL, (double)n / 1e6);
		break;
	case 2:
		v = any(1000000) / 7.0;
		sm_counter_add_double(sm_counter(f, l->value, l->n), v);
		sample(name, "", l, NULL, v);
		break;
	case 3:
		v = random_double();
		sm_gauge_set(sm_gauge(f, l->value, l->n), v);
		sample(name, "", l, NULL, v);
		break;
	case 4:
		n = any(UINT32_MAX);
		sm_updown_add(sm_updown(f, l->value, l->n), -(int64_t)n);
		sample(name, "", l, NULL, -(double)n);
		break;
	default:
		histogram(f, name, l);
	}
}

static int one_family(struct sm *m, unsigned number)
{
	static const enum sm_kind kinds[] = { SM_COUNTER, SM_COUNTER, SM_COUNTER,
					      SM_GAUGE,	  SM_UPDOWN,  SM_HISTOGRAM };
	static const char *const names[][2] = { { "whole", "_total" }, { "fixed", "_total" },
						{ "real", "_total" },  { "level", "" },
						{ "depth", "" },       { "wait", "_seconds" } };
	static const enum sm_number numbers[] = {
		SM_NUMBER_U64, SM_NUMBER_FIXED, SM_NUMBER_DOUBLE, 0, 0, 0
	};
	unsigned kind = any(6), nlabels = any(5), nseries = nlabels ? 1 + any(SERIES_MAX) : 1, i;
	struct sm_family_options o = { .kind = kinds[kind],
				       .number = numbers[kind],
				       .decimals = kind == 1 ? 6 : 0,
				       .normalise = SM_NORMALISE_NONE };
	char name[32], help[64];
	struct sm_family *f;
	struct sm_diag diag;
	struct labels l;

	snprintf(name, sizeof(name), "%s%u%s", names[kind][0], number, names[kind][1]);
	help[0] = 'H';
	help[1 + awkward(help + 1, sizeof(help) - 2)] = '\0';
	o.name = name;
	o.help = help;
	for (i = 0; i < nlabels; i++)
		o.labels[i] =
			(const char *const[]){ "label_0", "label_1", "label_2", "label_3" }[i];
	if (kind == 5) {
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
		one_series(f, kind, name, &l);
	}
	return 0;
}

static int print(void *ctx, const char *data, size_t len)
{
	(void)ctx;
	return fwrite(data, 1, len, stdout) == len ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct sm_options o = { .writer = "random",
				.max_cells = 1 << 18,
				.flags = SM_OPEN_NO_ENVIRONMENT };
	struct sm_diag diag;
	unsigned i, n;
	struct sm *m;

	if ((argc != 4 && argc != 5) || !(expect = fdopen(3, "w"))) {
		fprintf(stderr, "usage: random_registry SEGMENT SEED FAMILIES [stay] 3>EXPECTATION\n");
		return 2;
	}
	o.segment = argv[1];
	seed = strtoul(argv[2], NULL, 10);
	n = (unsigned)strtoul(argv[3], NULL, 10);
	m = sm_open(&o, &diag);
	if (diag.error) {
		fprintf(stderr, "%s\n", diag.message);
		return 1;
	}
	for (i = 0; i < n; i++)
		if (one_family(m, i))
			return 1;
	if (sm_write_text(m, print, NULL) || fclose(expect) || fflush(stdout))
		return 1;
	if (argc == 5) {
		fclose(stdout);
		while (getchar() != EOF)
			;
	}
	sm_close(m);
	return 0;
}
