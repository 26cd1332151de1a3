/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reading.h - what one or several rows say at one moment, to be printed, added, compared and
 * subtracted. Integers and decimals stay exact as long as all that was added up is.
 */
#ifndef CLI_READING_H
#define CLI_READING_H

#include "pick.h"
#include "text.h"

/* A number: units / 10^decimals if it is exact. */
struct number {
	bool is_set;
	bool exact;
	unsigned decimals;
	__int128 units;
	double value; /* always filled */
};

void number_text(const struct number *n, char ret_text[CLI_TEXT_MAX]);

/* A finite decimal number, with an exponent perhaps; exact if it has at most 9 decimals and 28 digits.
 * False if it is none. */
bool number_parse(const char *text, size_t len, struct number *ret);

/* units / 10^decimals, and v itself */
struct number number_of_units(__int128 units, unsigned decimals);
struct number number_of_double(double v);

struct number number_add(struct number a, struct number b);
/* a - b */
struct number number_subtract(struct number a, struct number b);

/* A row, or several together. Release when done. */
struct reading {
	const struct sm_family_info *family; /* of the first row */
	struct number number;		     /* value, or the histogram's sum */
	bool is_histogram;
	bool mixed;	  /* histograms with different buckets: counts[] has only the total */
	unsigned ncounts; /* buckets of counts[], +Inf included */
	uint64_t *counts;
	uint64_t total;
};

/* 0 or -ENOMEM. */
int reading_take(const struct sm_snapshot *s, const struct pick_row *row, struct reading *ret);
/* Add b to a. */
void reading_add(struct reading *a, const struct reading *b);
/* What came since: now - before, for a histogram. False if it went back (or is another). */
bool reading_since(struct reading *now, const struct reading *before);
void reading_release(struct reading *r);

/* What of a reading is wanted. */
enum field_kind { FIELD_VALUE, FIELD_COUNT, FIELD_SUM, FIELD_AVG, FIELD_QUANTILE };
struct field {
	enum field_kind kind;
	double q;
	char name[16];
};

#define FIELDS_MAX  16
#define FIELD_NAMES "value, count, sum, avg, pN (N from 0 to 100, as in p95 or p99.9)"

/* A list separated by commas. Returns 0 and how many, or an exit code after a message. */
int fields_parse(const struct cli *c, const char *what, const char *text,
	struct field ret_fields[FIELDS_MAX], size_t *ret_n);

/* A field's number; not set where it has no meaning (quantiles of a counter, of nothing). The value
 * of a histogram is its count. */
struct number reading_field(const struct reading *r, const struct field *f);

#endif
