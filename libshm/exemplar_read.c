/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exemplar_read.c - exemplars, out of slots that any writer may be filling (exemplar.c): one of them, or
 * all for a snapshot.
 *
 * Two equal copies whose sequence word is not busy are an exemplar that stood whole between them.
 * The series record is looked at first: its slots may have been given to another series since the
 * caller's snapshot.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "catalog_read.h"
#include "diag.h"
#include "reader_internal.h"
#include "snapshot.h"
#include "utf8.h"

#define TRIES		4
#define POINTS_MAX	128	/* code points of all names and values, as OpenMetrics has it */

static bool known_name(const struct sm_exemplar *e, const char *name)
{
	size_t i;

	for (i = 0; i < e->npairs; i++)
		if (strcmp(e->pairs[2 * i].ptr, name) == 0)
			return true;
	return false;
}

/* Labels in e->text to pairs. False if they could not stand in an exposition. */
static bool parse_labels(struct sm_exemplar *e, size_t len)
{
	size_t at, points = 0, n = 0, most = sizeof(e->pairs) / sizeof(e->pairs[0]);
	const char *nul;

	for (at = 0; at < len; at += e->pairs[n++].len + 1) {
		nul = memchr(e->text + at, '\0', len - at);
		if (!nul || n == most)
			return false;
		e->pairs[n].ptr = e->text + at;
		e->pairs[n].len = (size_t)(nul - (e->text + at));
		if (!sm_utf8_valid(e->pairs[n].ptr, e->pairs[n].len))
			return false;
		points += sm_utf8_length(e->pairs[n].ptr, e->pairs[n].len);
		if (n % 2 == 0) {
			if (!sm_catalog_name_ok(e->pairs[n].ptr, e->pairs[n].len,
						SM_LABEL_NAME_MAX) ||
			    known_name(e, e->pairs[n].ptr))
				return false;
		} else {
			e->npairs = (n + 1) / 2;
		}
	}
	return n % 2 == 0 && points <= POINTS_MAX;
}

/* 0, -ENOENT (empty, or cannot be shown), -EAGAIN (busy). */
static int fill_exemplar(const struct sm_exemplar_rec *rec, unsigned bucket,
			 struct sm_exemplar *out)
{
	if (rec->seq & 1)
		return -EAGAIN;
	if (!rec->seq || !rec->text_len || rec->text_len > sizeof(rec->labels))
		return -ENOENT;
	memset(out, 0, sizeof(*out));
	out->bucket = bucket;
	memcpy(&out->value, &rec->value, sizeof(out->value));
	out->at_real_ns = rec->at_real_ns;
	memcpy(out->text, rec->labels, rec->text_len);
	return !isnan(out->value) && parse_labels(out, rec->text_len) ? 0 : -ENOENT;
}

int sm_reader_exemplar(struct sm_reader *r, const struct sm_series_info *series, unsigned bucket,
		       struct sm_exemplar *ret_exemplar)
{
	struct sm_exemplar_rec first, second;
	struct sm_series_rec rec;
	struct sm_exemplar out;
	uint64_t offset;
	unsigned tries;
	int rc;

	if (bucket >= series->nexemplars || !series->exemplar || series->id >= r->geo.nseries ||
	    (uint64_t)series->exemplar - 1 + bucket >= r->geo.nexemplars)
		return -ENOENT;
	rc = sm_reader_pread(r, &rec, sizeof(rec),
			     r->geo.off_series + (uint64_t)series->id * sizeof(rec), NULL);
	if (rc)
		return rc;
	if (rec.state != SM_REC_LIVE || rec.incarnation != series->incarnation)
		return -ENOENT;
	offset = r->geo.off_exemplars + ((uint64_t)series->exemplar - 1 + bucket) * sizeof(first);
	rc = sm_reader_pread(r, &first, sizeof(first), offset, NULL);
	for (tries = 0; !rc && tries < TRIES; tries++) {
		rc = sm_reader_pread(r, &second, sizeof(second), offset, NULL);
		if (rc)
			break;
		if (memcmp(&first, &second, sizeof(first)) == 0) {
			rc = fill_exemplar(&first, bucket, &out);
			if (rc != -EAGAIN)
				break;
			rc = 0;
		}
		first = second;
	}
	if (rc)
		return rc;
	if (tries == TRIES)
		return -EAGAIN;
	/* The pairs point into the copy that the caller has. */
	*ret_exemplar = out;
	for (size_t i = 0; i < 2 * out.npairs; i++)
		ret_exemplar->pairs[i].ptr = ret_exemplar->text + (out.pairs[i].ptr - out.text);
	return 0;
}

/* ---- of a snapshot ------------------------------------------------------------------------- */

/*
 * Two copies of the whole array: what is not the same in both was being written, and is passed over.
 * That no series was removed meanwhile is found out with the rest of the snapshot.
 */
int sm_take_exemplars(struct take *t)
{
	const struct sm_header *geo = &t->r->geo;
	uint32_t n = t->d->catalog->exemplars_used, i;
	struct sm_exemplar_rec *again;
	size_t size = (size_t)n * sizeof(*again);
	int rc;

	if (!n)
		return 0;
	t->bytes += 2 * size;
	rc = sm_reader_afford(t->r, t->bytes, "exemplars", t->diag);
	if (rc)
		return rc;
	again = malloc(size);
	t->d->exemplars = malloc(size);
	if (!again || !t->d->exemplars) {
		free(again);
		return sm_diag_set(t->diag, -ENOMEM, "no memory");
	}
	rc = sm_reader_pread(t->r, t->d->exemplars, size, geo->off_exemplars, t->diag);
	if (!rc)
		rc = sm_reader_pread(t->r, again, size, geo->off_exemplars, t->diag);
	for (i = 0; !rc && i < n; i++)
		if (memcmp(&t->d->exemplars[i], &again[i], sizeof(*again)) != 0)
			t->d->exemplars[i].seq = 1;
	t->d->nexemplars = n;
	free(again);
	return rc;
}

int sm_snapshot_exemplar(const struct sm_snapshot *s, const struct sm_series_info *series,
			 unsigned bucket, struct sm_exemplar *ret_exemplar)
{
	const struct snap_data *d = snapshot_data(s);

	if (!d->exemplars || bucket >= series->nexemplars || !series->exemplar ||
	    (uint64_t)series->exemplar - 1 + bucket >= d->nexemplars)
		return -ENOENT;
	return fill_exemplar(&d->exemplars[series->exemplar - 1 + bucket], bucket, ret_exemplar);
}
