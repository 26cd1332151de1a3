/* SPDX-License-Identifier: Apache-2.0 */
/*
 * declare.c - see declare.h. Every rule that sm_family_options states is checked here, and only here.
 */
#include "declare.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "diag.h"
#include "utf8.h"

static const double seconds_bounds[] = { .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10 };
static const double bytes_bounds[] = { 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216,
				       67108864, 268435456, 1073741824 };
static const double ratio_bounds[] = { .05, .1, .2, .3, .4, .5, .6, .7, .8, .9, .95, .99, 1 };

#define DEFAULT_CAP 1000u

static bool is_name(const char *s)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

	return *s && strchr(first, *s) && !s[strspn(s, rest)];
}

static bool ends_in(const char *s, const char *suffix)
{
	size_t n = strlen(s), k = strlen(suffix);

	return n > k && strcmp(s + n - k, suffix) == 0;
}

static int check_name(const struct sm_family_options *o, struct sm_diag *diag)
{
	static const char *const generated[] = { "_bucket", "_count", "_sum", "_created" };
	const char *name = o->name;
	unsigned i;

	if (!name || !is_name(name))
		return sm_diag_set(diag, -EINVAL, "family name \"%.80s\": use [a-zA-Z_][a-zA-Z0-9_]*",
				   name ? name : "(null)");
	if (strlen(name) > SM_NAME_MAX)
		return sm_diag_set(diag, -EINVAL, "family name \"%.60s...\" has %zu bytes; at most %u are allowed",
				   name, strlen(name), SM_NAME_MAX);
	if (strncmp(name, "shardmeter_", 11) == 0)
		return sm_diag_set(diag, -EINVAL, "family name \"%.80s\": shardmeter_ is for our own metrics", name);
	for (i = 0; i < 4; i++)
		if (ends_in(name, generated[i]))
			return sm_diag_set(diag, -EINVAL,
					   "family name \"%.80s\" ends in %s, which is generated for histograms", name,
					   generated[i]);
	if ((o->kind == SM_COUNTER) != ends_in(name, "_total"))
		return sm_diag_set(diag, -EINVAL, o->kind == SM_COUNTER ?
				   "counter \"%.80s\": its name must end in _total" :
				   "\"%.80s\" is not a counter: only their names end in _total", name);
	if ((o->kind == SM_INFO) != ends_in(name, "_info"))
		return sm_diag_set(diag, -EINVAL, o->kind == SM_INFO ?
				   "info \"%.80s\": its name must end in _info" :
				   "\"%.80s\" is not an info: only their names end in _info", name);
	return 0;
}

static int check_text(const char *what, const char *family, const char *text, size_t max, struct sm_diag *diag)
{
	if (strlen(text) > max)
		return sm_diag_set(diag, -EINVAL, "%s of %.80s has %zu bytes; at most %zu are allowed", what, family,
				   strlen(text), max);
	if (!sm_utf8_valid(text, strlen(text)))
		return sm_diag_set(diag, -EINVAL, "%s of %.80s is not UTF-8", what, family);
	return 0;
}

static int check_labels(const struct sm_family_options *o, struct family_def *d, struct sm_diag *diag)
{
	static const char *const reserved[] = { "le", "quantile", "writer" };
	unsigned i, k;

	for (i = 0; i < SM_LABELS_MAX && o->labels[i]; i++) {
		const char *l = o->labels[i];

		if (!is_name(l) || strncmp(l, "__", 2) == 0 || strlen(l) > SM_LABEL_NAME_MAX)
			return sm_diag_set(diag, -EINVAL,
					   "label \"%.60s\" of %.80s: use [a-zA-Z_][a-zA-Z0-9_]*, not starting with __, at most %u bytes",
					   l, o->name, SM_LABEL_NAME_MAX);
		for (k = 0; k < 3; k++)
			if (strcmp(l, reserved[k]) == 0)
				return sm_diag_set(diag, -EINVAL, "label \"%s\" of %.80s is reserved", l, o->name);
		if (strcmp(l, o->name) == 0)
			return sm_diag_set(diag, -EINVAL, "label \"%.60s\" has the name of its family", l);
		for (k = 0; k < i; k++)
			if (strcmp(l, o->labels[k]) == 0)
				return sm_diag_set(diag, -EINVAL, "label \"%.60s\" of %.80s is there twice", l, o->name);
		d->labels[i] = l;
		if (o->normalise == SM_NORMALISE_DEFAULT && normalise_default(l))
			d->normalise |= 1u << i;
	}
	d->nlabels = i;
	if (o->normalise && o->normalise != SM_NORMALISE_NONE) {
		if (o->normalise >> i)
			return sm_diag_set(diag, -EINVAL, "normalise of %.80s names a label that it does not have",
					   o->name);
		d->normalise = o->normalise;
	}
	return 0;
}

static int check_counter(const struct sm_family_options *o, struct family_def *d, struct sm_diag *diag)
{
	if ((unsigned)o->number > SM_NUMBER_DOUBLE)
		return sm_diag_set(diag, -EINVAL, "number of %.80s is %d; use SM_NUMBER_*", o->name, (int)o->number);
	if (o->decimals > 9)
		return sm_diag_set(diag, -EINVAL, "decimals of %.80s is %u; it must be 0 to 9", o->name, o->decimals);
	d->number = o->number;
	/* The same for all writers of a family, whatever their way of counting, so that they can meet. */
	d->decimals = o->decimals ? o->decimals : strcmp(d->unit, SM_SECONDS) == 0 ? 9 : 6;
	return 0;
}

static int check_gauge(const struct sm_family_options *o, struct family_def *d, struct sm_diag *diag)
{
	if ((unsigned)o->mode > SM_MODE_ALL)
		return sm_diag_set(diag, -EINVAL, "mode of %.80s is %d; use SM_MODE_*", o->name, (int)o->mode);
	if (o->keep && (o->mode == SM_MODE_ALL || o->mode == SM_MODE_AVG))
		return sm_diag_set(diag, -EINVAL,
				   "%.80s: values of dead writers cannot be kept in mode all or avg; use sum, min, max, mostrecent or first",
				   o->name);
	d->mode = o->mode;
	d->flags |= o->keep ? SM_FF_KEEP : 0;
	return 0;
}

static int add_slo(const struct sm_family_options *o, struct family_def *d, struct sm_diag *diag)
{
	unsigned i;

	if (o->slo == 0)
		return 0;
	if (!isfinite(o->slo) || o->slo < 0)
		return sm_diag_set(diag, -EINVAL, "slo of %.80s is %g; it must be positive", o->name, o->slo);
	for (i = 0; i < d->nbounds && d->bounds[i] < o->slo; i++)
		;
	if (i < d->nbounds && d->bounds[i] == o->slo)
		return 0;
	if (d->nbounds == SM_MAX_BOUNDS)
		return sm_diag_set(diag, -EINVAL, "%.80s has %u bounds and its slo is another: at most %u", o->name,
				   d->nbounds, SM_MAX_BOUNDS);
	memmove(d->bounds + i + 1, d->bounds + i, (d->nbounds - i) * sizeof(d->bounds[0]));
	d->bounds[i] = o->slo;
	d->nbounds++;
	return 0;
}

static int check_histogram(const struct sm_family_options *o, struct family_def *d, struct sm_diag *diag)
{
	bool seconds = strcmp(d->unit, SM_SECONDS) == 0, bytes = strcmp(d->unit, SM_BYTES) == 0;
	bool ratio = strcmp(d->unit, SM_RATIO) == 0, grid = o->grid == SM_GRID_ON;
	const double *b = o->bounds;
	size_t n = o->nbounds, i;
	double united[SM_MAX_BUCKETS];
	int rc;

	if (o->grid == SM_GRID_DEFAULT)
		grid = (seconds || bytes || ratio) && !o->is_signed;
	if (grid && o->is_signed)
		return sm_diag_set(diag, -EINVAL, "%.80s: a signed histogram has no fine grid", o->name);
	if (!b && n)
		return sm_diag_set(diag, -EINVAL, "%.80s: nbounds is %zu, and bounds is NULL", o->name, n);
	if (!b) {
		b = bytes ? bytes_bounds : ratio ? ratio_bounds : seconds_bounds;
		n = bytes ? 12 : ratio ? 13 : 11;
	}
	if (n > SM_MAX_BOUNDS)
		return sm_diag_set(diag, -EINVAL, "%.80s has %zu bounds; at most %u are allowed", o->name, n, SM_MAX_BOUNDS);
	for (i = 0; i < n; i++) {
		if (!isfinite(b[i]) || (i && b[i] <= b[i - 1]) || (b[i] < 0 && !o->is_signed))
			return sm_diag_set(diag, -EINVAL,
					   "bound %zu of %.80s is %g: bounds are finite, ascending, without +Inf%s", i,
					   o->name, b[i], o->is_signed ? "" : ", not negative unless is_signed");
		d->bounds[i] = b[i] == 0 ? 0.0 : b[i];	/* no -0 */
	}
	d->nbounds = (unsigned)n;
	rc = add_slo(o, d, diag);
	if (rc)
		return rc;
	d->flags |= grid ? SM_FF_FINE_GRID : 0;
	d->flags |= o->is_signed ? SM_FF_SIGNED | SM_FF_SUM_DOUBLE : 0;
	d->grid_lo = !grid ? 0 : bytes ? 0 : -20;
	d->grid_hi = !grid ? 0 : bytes ? 30 : 10;
	if (o->decimals > 9 || (o->decimals && (o->is_signed || (seconds && o->decimals != 9))))
		return sm_diag_set(diag, -EINVAL,
				   "decimals of %.80s is %u; a sum has 0 to 9, always 9 in seconds, none if signed",
				   o->name, o->decimals);
	d->sum_decimals = o->is_signed || bytes ? 0 : seconds ? 9 : 6;
	if (o->decimals)
		d->sum_decimals = (uint8_t)o->decimals;
	d->nbuckets = sm_bounds_unite(d->bounds, d->nbounds, grid, d->grid_lo, d->grid_hi, united,
				      SM_MAX_BUCKETS - 1) + 1;
	if (d->nbuckets == 1 && (d->nbounds || grid))
		return sm_diag_set(diag, -EINVAL, "%.80s has too many buckets", o->name);
	return 0;
}

static int check_states(const struct sm_family_options *o, struct family_def *d, struct sm_diag *diag)
{
	size_t i, k;
	int rc;

	if (!o->states || o->nstates < 1 || o->nstates > SM_MAX_STATES)
		return sm_diag_set(diag, -EINVAL, "state set %.80s needs 1 to %u states", o->name, SM_MAX_STATES);
	for (i = 0; i < o->nstates; i++) {
		rc = check_text("a state", o->name, o->states[i], SM_LABEL_VALUE_MAX, diag);
		if (rc)
			return rc;
		for (k = 0; k < i; k++)
			if (strcmp(o->states[i], o->states[k]) == 0)
				return sm_diag_set(diag, -EINVAL, "state \"%.60s\" of %.80s is there twice",
						   o->states[i], o->name);
		d->states[i] = o->states[i];
	}
	d->nstates = (unsigned)o->nstates;
	return 0;
}

int def_from_options(const struct sm_family_options *user, struct family_def *d, struct sm_diag *diag)
{
	struct sm_family_options copy, *o = &copy;
	int rc;

	memset(d, 0, sizeof(*d));
	memset(o, 0, sizeof(*o));
	if (!user)
		return sm_diag_set(diag, -EINVAL, "sm_declare() without options");
	if (user->size > sizeof(*o))
		return sm_diag_set(diag, -EINVAL, "sm_family_options of %zu bytes: made for a newer library than this (%s)",
				   user->size, sm_version());
	memcpy(o, user, user->size ? user->size : sizeof(*o));
	if ((unsigned)o->kind < SM_COUNTER || (unsigned)o->kind > SM_STATESET)
		return sm_diag_set(diag, -EINVAL, "kind of %.80s is %d; use SM_COUNTER, SM_GAUGE ...",
				   o->name ? o->name : "(null)", (int)o->kind);
	rc = check_name(o, diag);
	if (rc)
		return rc;
	d->kind = o->kind;
	d->name = o->name;
	d->help = o->help ? o->help : "";
	d->unit = o->unit ? o->unit : "";
	d->cap = o->cap ? o->cap : DEFAULT_CAP;
	d->flags = o->exemplars && (o->kind == SM_COUNTER || o->kind == SM_HISTOGRAM) ? SM_FF_EXEMPLARS : 0;
	rc = check_text("help", o->name, d->help, SM_HELP_MAX, diag);
	if (!rc)
		rc = check_text("unit", o->name, d->unit, SM_UNIT_MAX, diag);
	if (!rc)
		rc = check_labels(o, d, diag);
	if (rc)
		return rc;
	switch (o->kind) {
	case SM_COUNTER:
		return check_counter(o, d, diag);
	case SM_GAUGE:
		return check_gauge(o, d, diag);
	case SM_HISTOGRAM:
		return check_histogram(o, d, diag);
	case SM_STATESET:
		return check_states(o, d, diag);
	default:
		return 0;
	}
}

int def_copy(const struct family_def *def, struct family_def *ret)
{
	bool ok;
	unsigned i;

	*ret = *def;
	ok = (ret->name = strdup(def->name)) != NULL;
	ok &= (ret->help = strdup(def->help)) != NULL;
	ok &= (ret->unit = strdup(def->unit)) != NULL;
	for (i = 0; i < def->nlabels; i++)
		ok &= (ret->labels[i] = strdup(def->labels[i])) != NULL;
	for (i = 0; i < def->nstates; i++)
		ok &= (ret->states[i] = strdup(def->states[i])) != NULL;
	return ok ? 0 : -ENOMEM;
}

static void drop(const char *text)
{
	free((void *)(uintptr_t)text);
}

void def_free(struct family_def *def)
{
	unsigned i;

	drop(def->name);
	drop(def->help);
	drop(def->unit);
	for (i = 0; i < def->nlabels; i++)
		drop(def->labels[i]);
	for (i = 0; i < def->nstates; i++)
		drop(def->states[i]);
	memset(def, 0, sizeof(*def));
}

bool def_equal(const struct family_def *a, const struct family_def *b)
{
	unsigned i;

	if (a->kind != b->kind || a->flags != b->flags || a->mode != b->mode || a->number != b->number ||
	    a->decimals != b->decimals || a->sum_decimals != b->sum_decimals || a->nlabels != b->nlabels ||
	    a->nstates != b->nstates || a->nbounds != b->nbounds || a->grid_lo != b->grid_lo ||
	    a->grid_hi != b->grid_hi || strcmp(a->name, b->name) != 0 ||
	    strcmp(a->unit, b->unit) != 0 || memcmp(a->bounds, b->bounds, a->nbounds * sizeof(a->bounds[0])) != 0)
		return false;
	for (i = 0; i < a->nlabels; i++)
		if (strcmp(a->labels[i], b->labels[i]) != 0)
			return false;
	for (i = 0; i < a->nstates; i++)
		if (strcmp(a->states[i], b->states[i]) != 0)
			return false;
	return true;
}
