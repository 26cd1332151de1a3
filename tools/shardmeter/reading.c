/* SPDX-License-Identifier: Apache-2.0 */
/* reading.c - see reading.h. */
#include "reading.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers ---- */

void number_text(const struct number *n, char ret_text[CLI_TEXT_MAX])
{
	bool negative = n->exact && n->units < 0;

	ret_text[0] = '\0';
	if (!n->is_set)
		return;
	if (!n->exact) {
		sm_format_double(n->value, 0, ret_text, CLI_TEXT_MAX);
		return;
	}
	if (negative)
		ret_text[0] = '-';
	sm_format_units(negative ? -(sm_u128)n->units : (sm_u128)n->units, n->decimals,
		ret_text + negative, CLI_TEXT_MAX - 1);
}

struct number number_of_units(__int128 units, unsigned decimals)
{
	struct number n = { .is_set = true, .exact = true, .decimals = decimals, .units = units };

	n.value = (double)units / pow(10, decimals);
	return n;
}

struct number number_of_double(double v)
{
	return (struct number){ .is_set = true, .value = v };
}

/* [+-]digits[.digits][e[+-]digits], all of it: to digits without a point and decimals. */
static bool split_decimal(
	const char *s, const char *end, char digits[32], int *ret_n, long *ret_decimals)
{
	bool point = false, any = false, fits = true;
	long decimals = 0, exponent = 0;
	int n = 0;

	for (; s < end && (isdigit((unsigned char)*s) || (*s == '.' && !point)); s++) {
		if (*s == '.') {
			point = true;
			continue;
		}
		any = true;
		decimals += point;
		fits &= n < 28;
		if (fits && (n || *s != '0'))
			digits[n++] = *s;
	}
	if (any && s < end && (*s == 'e' || *s == 'E')) {
		bool negative = s + 1 < end && s[1] == '-';

		s += 1 + (s + 1 < end && (s[1] == '-' || s[1] == '+'));
		any = s < end;
		for (; s < end && isdigit((unsigned char)*s); s++)
			exponent = exponent < 10000 ? 10 * exponent + (*s - '0') : exponent;
		exponent = negative ? -exponent : exponent;
	}
	digits[n] = '\0';
	*ret_n = fits ? n : -1;
	*ret_decimals = decimals - exponent;
	return any && s == end;
}

bool number_parse(const char *text, size_t len, struct number *ret)
{
	bool negative = len && text[0] == '-', sign = len && (text[0] == '-' || text[0] == '+');
	char digits[32], copy[64];
	long decimals;
	int n;
	__int128 units = 0;

	if (len >= sizeof(copy) || !split_decimal(text + sign, text + len, digits, &n, &decimals))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	*ret = number_of_double(strtod(copy, NULL));
	while (n > 0 && decimals > 0 && digits[n - 1] == '0') {
		n--;
		decimals--;
	}
	if (n < 0 || (n && (decimals > 9 || n - decimals > 28)))
		return !isinf(ret->value);
	for (int i = 0; i < n; i++)
		units = 10 * units + (digits[i] - '0');
	for (; n && decimals < 0; decimals++)
		units *= 10;
	ret->exact = true;
	ret->units = negative ? -units : units;
	ret->decimals = n ? (unsigned)decimals : 0;
	return true;
}

/* With as many decimals as both need; false if that does not fit. */
static bool align(struct number *a, struct number *b)
{
	struct number *few = a->decimals < b->decimals ? a : b, *many = few == a ? b : a;

	while (few->decimals < many->decimals) {
		if (__builtin_mul_overflow(few->units, 10, &few->units))
			return false;
		few->decimals++;
	}
	return true;
}

static struct number combine(struct number a, struct number b, int sign)
{
	struct number left = a, right = b;
	__int128 units;

	if (!b.is_set)
		return a;
	if (!a.is_set && sign > 0)
		return b;
	if (a.exact && b.exact && align(&left, &right) &&
		!(sign > 0 ? __builtin_add_overflow(left.units, right.units, &units)
			   : __builtin_sub_overflow(left.units, right.units, &units)))
		return number_of_units(units, left.decimals);
	return number_of_double(a.value + sign * b.value);
}

struct number number_add(struct number a, struct number b)
{
	return combine(a, b, 1);
}

struct number number_subtract(struct number a, struct number b)
{
	return combine(a, b, -1);
}

static struct number of_value(const struct sm_value *v)
{
	if (!v->is_set)
		return (struct number){ 0 };
	if (!v->is_integer)
		return number_of_double(v->value);
	return number_of_units(v->is_signed ? (int64_t)v->units : (__int128)v->units, v->decimals);
}

static struct number of_sum(const struct sm_sum *s)
{
	return s->is_integer ? number_of_units((__int128)s->units, s->decimals)
			     : number_of_double(s->value);
}

/* ---- readings ---- */

int reading_take(const struct sm_snapshot *s, const struct pick_row *row, struct reading *ret)
{
	struct sm_value v;
	struct sm_sum sum;

	memset(ret, 0, sizeof(*ret));
	ret->family = row->family;
	if (row->family->kind != SM_HISTOGRAM) {
		if (sm_snapshot_number(s, row->series, row->writer, &v) == 0)
			ret->number = of_value(&v);
		return 0;
	}
	ret->is_histogram = true;
	ret->ncounts = row->family->nunited + 1;
	ret->counts = calloc(ret->ncounts, sizeof(*ret->counts));
	if (!ret->counts)
		return -ENOMEM;
	if (sm_snapshot_buckets(s, row->series, row->writer, ret->counts, &sum) == 0)
		ret->number = of_sum(&sum);
	for (unsigned i = 0; i < ret->ncounts; i++)
		ret->total += ret->counts[i];
	return 0;
}

static bool same_buckets(const struct reading *a, const struct reading *b)
{
	return a->is_histogram && b->is_histogram && !a->mixed && !b->mixed &&
	       a->ncounts == b->ncounts &&
	       memcmp(a->family->united, b->family->united,
		       (a->ncounts - 1) * sizeof(*a->family->united)) == 0;
}

void reading_add(struct reading *a, const struct reading *b)
{
	if (same_buckets(a, b))
		for (unsigned i = 0; i < a->ncounts; i++)
			a->counts[i] += b->counts[i];
	else
		a->mixed = true;
	a->is_histogram |= b->is_histogram;
	a->number = number_add(a->number, b->number);
	a->total += b->total;
}

bool reading_since(struct reading *now, const struct reading *before)
{
	if (!same_buckets(now, before))
		return false;
	for (unsigned i = 0; i < now->ncounts; i++)
		if (now->counts[i] < before->counts[i])
			return false;
	for (unsigned i = 0; i < now->ncounts; i++)
		now->counts[i] -= before->counts[i];
	now->total -= before->total;
	now->number = number_subtract(now->number, before->number);
	return true;
}

void reading_release(struct reading *r)
{
	free(r->counts);
	r->counts = NULL;
}

/* As sm_snapshot_quantile() does, for counts that were added up or subtracted. */
static double quantile(const struct reading *r, double q)
{
	const double *bounds = r->family->united;
	unsigned n = r->family->nunited, i;
	double rank = q * (double)r->total, start;
	uint64_t below = 0;

	if (!n || !r->total)
		return NAN;
	for (i = 0; i < n; i++) {
		if (r->counts[i] && (double)(below + r->counts[i]) >= rank)
			break;
		below += r->counts[i];
	}
	if (i == n)
		return bounds[n - 1];
	if (i == 0 && bounds[0] <= 0)
		return bounds[0];
	start = i ? bounds[i - 1] : 0;
	return start + (bounds[i] - start) * ((rank - (double)below) / (double)r->counts[i]);
}

/* ---- fields ---- */

/* p0 to p100, with decimals. */
static bool parse_quantile(const char *text, double *ret_q)
{
	char *end;

	if (text[0] != 'p' || !isdigit((unsigned char)text[1]) ||
		text[1 + strspn(text + 1, "0123456789.")])
		return false;
	*ret_q = strtod(text + 1, &end) / 100;
	return *end == '\0' && *ret_q <= 1;
}

static bool parse_field(const char *text, struct field *ret)
{
	static const char *const names[] = { [FIELD_VALUE] = "value",
		[FIELD_COUNT] = "count",
		[FIELD_SUM] = "sum",
		[FIELD_AVG] = "avg" };

	snprintf(ret->name, sizeof(ret->name), "%s", text);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], text) == 0) {
			ret->kind = (enum field_kind)i;
			return true;
		}
	ret->kind = FIELD_QUANTILE;
	return parse_quantile(text, &ret->q);
}

int fields_parse(const struct cli *c, const char *what, const char *text,
	struct field ret_fields[FIELDS_MAX], size_t *ret_n)
{
	size_t n = 0, len;
	char one[16];

	for (;; text += len + 1) {
		len = strcspn(text, ",");
		if (n == FIELDS_MAX)
			return cli_fail(c, CLI_FAILED, "%s: more than %d", what, FIELDS_MAX);
		snprintf(one, sizeof(one), "%.*s", (int)len, text);
		if (len >= sizeof(one) || !parse_field(one, &ret_fields[n++]))
			return cli_fail(c, CLI_FAILED, "%s: \"%.*s\" is none of %s", what,
				len > 40 ? 40 : (int)len, text, FIELD_NAMES);
		if (text[len] == '\0')
			break;
	}
	*ret_n = n;
	return 0;
}

struct number reading_field(const struct reading *r, const struct field *f)
{
	static const struct number none;
	double v;

	if (!r->is_histogram)
		return f->kind == FIELD_VALUE ? r->number : none;
	switch (f->kind) {
	case FIELD_SUM: return r->number;
	case FIELD_AVG:
		return r->total ? number_of_double(r->number.value / (double)r->total) : none;
	case FIELD_QUANTILE:
		v = r->mixed ? NAN : quantile(r, f->q);
		return isnan(v) ? none : number_of_double(v);
	default: return number_of_units((__int128)r->total, 0);
	}
}
