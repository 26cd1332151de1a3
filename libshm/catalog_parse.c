/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog_parse.c - one record of a copied catalog to what readers work with, or why not. Used by
 * snapshots (catalog_read.c), which leave a bad record out, and by sm_check(), which names it.
 *
 * What is checked here is what everything later relies on: texts inside the string area and ended
 * by NUL at the exact length, UTF-8, names that cannot break an exposition, bounds that ascend,
 * cells inside their zone.
 */
#include "catalog_read.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "bounds.h"
#include "utf8.h"

#define OUR_PREFIX "shardmeter_"

bool sm_catalog_name_ok(const char *name, size_t len, size_t max)
{
	size_t i;

	if (!len || len > max)
		return false;
	for (i = 0; i < len; i++) {
		char c = name[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

		if (!letter && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return true;
}

/* A run of NUL-terminated texts inside a copied block. */
struct cursor {
	const char *at, *end;
};

/* The next text, at most max bytes long; NULL if there is none. */
static const char *next_text(struct cursor *c, size_t max, size_t *ret_len)
{
	size_t left = (size_t)(c->end - c->at);
	const char *text = c->at, *nul;

	if (!left)
		return NULL;
	nul = memchr(text, '\0', left);
	if (!nul || (size_t)(nul - text) > max)
		return NULL;
	c->at = nul + 1;
	*ret_len = (size_t)(nul - text);
	return text;
}

static bool block_ok(uint32_t offset, uint32_t bytes, uint32_t used, uint32_t area)
{
	return used <= bytes && used <= area && offset <= area - used;
}

static bool label_ok(const char *label, size_t len, const char *family)
{
	return sm_catalog_name_ok(label, len, SM_LABEL_NAME_MAX) && strncmp(label, "__", 2) != 0 &&
	       strcmp(label, "le") != 0 && strcmp(label, "quantile") != 0 &&
	       strcmp(label, "writer") != 0 && strcmp(label, family) != 0;
}

static bool twice(const char *const *list, unsigned n)
{
	unsigned i;

	for (i = 0; i + 1 < n; i++)
		if (strcmp(list[i], list[n - 1]) == 0)
			return true;
	return false;
}

static const char *parse_texts(const struct sm_family_rec *rec, const char *strings, uint32_t n,
			       struct sm_family_info *f, const char **labels, const char **states)
{
	struct cursor c;
	size_t len;
	unsigned i;

	if (!block_ok(rec->strings, rec->strings_bytes, rec->text_len, n))
		return "its text is outside the string area";
	c.at = strings + rec->strings;
	c.end = c.at + rec->text_len;
	f->name = next_text(&c, SM_NAME_MAX, &len);
	if (!f->name || len != rec->name_len)
		return "its name does not have the stated length";
	if (!sm_catalog_name_ok(f->name, len, SM_NAME_MAX) ||
	    strncmp(f->name, OUR_PREFIX, strlen(OUR_PREFIX)) == 0)
		return "its name is not allowed";
	f->help = next_text(&c, SM_HELP_MAX, &len);
	if (!f->help || len != rec->help_len)
		return "its help does not have the stated length";
	if (!sm_utf8_valid(f->help, len))
		f->help = "";		/* no reason to lose the values */
	f->unit = next_text(&c, SM_UNIT_MAX, &len);
	if (!f->unit || len != rec->unit_len)
		return "its unit does not have the stated length";
	if (!sm_utf8_valid(f->unit, len))
		f->unit = "";
	for (i = 0; i < rec->nlabels; i++) {
		labels[i] = next_text(&c, SM_LABEL_NAME_MAX, &len);
		if (!labels[i] || !label_ok(labels[i], len, f->name) || twice(labels, i + 1))
			return "a label name is not allowed";
	}
	for (i = 0; i < rec->nstates; i++) {
		states[i] = next_text(&c, SM_LABEL_VALUE_MAX, &len);
		if (!states[i] || !len || !sm_utf8_valid(states[i], len) || twice(states, i + 1))
			return "a state name is not allowed";
	}
	return c.at == c.end ? NULL : "its text is longer than its parts";
}

static const char *check_shape(const struct sm_family_rec *rec)
{
	if (rec->kind < SM_COUNTER || rec->kind > SM_STATESET)
		return "its kind is unknown";
	if (rec->nlabels > SM_MAX_LABELS)
		return "it has too many labels";
	if (rec->nstates > SM_MAX_STATES || (rec->kind == SM_STATESET) != (rec->nstates > 0))
		return "its number of states is wrong";
	if (rec->gauge_mode > SM_MODE_ALL)
		return "its gauge mode is unknown";
	if (rec->decimals > 9 || rec->sum_decimals > 9)
		return "its number of decimals is too large";
	if (rec->kind != SM_HISTOGRAM)
		return rec->nbounds ? "it has bounds and is no histogram" : NULL;
	if (rec->nbounds > SM_MAX_BOUNDS || !rec->nbuckets || rec->nbuckets > SM_MAX_BUCKETS)
		return "its number of bounds or buckets is too large";
	if (rec->flags & SM_FF_FINE_GRID) {
		if (rec->flags & SM_FF_SIGNED)
			return "it has a fine grid and is signed";
		if (rec->grid_lo >= rec->grid_hi)
			return "its fine grid is empty";
	}
	return NULL;
}

/* Copy, check and unite the bounds. 0, -ENOMEM, or -EBADMSG with *ret_why. */
static int parse_bounds(const struct sm_family_rec *rec, const char *strings, uint32_t n,
			void *(*alloc)(void *ctx, size_t bytes), void *ctx,
			struct sm_family_info *f, struct family_more *more, const char **ret_why)
{
	double united[SM_MAX_BUCKETS], *bounds, *copy;
	uint16_t *at;
	unsigned i, j, count;

	if (rec->nbounds &&
	    (rec->bounds % 8 || !block_ok(rec->bounds, rec->bounds_bytes, rec->nbounds * 8u, n))) {
		*ret_why = "its bounds are outside the string area";
		return -EBADMSG;
	}
	bounds = alloc(ctx, rec->nbounds * sizeof(*bounds));
	at = alloc(ctx, rec->nbounds * sizeof(*at));
	if (!bounds || !at)
		return -ENOMEM;
	if (rec->nbounds)
		memcpy(bounds, strings + rec->bounds, rec->nbounds * sizeof(*bounds));
	for (i = 0; i < rec->nbounds; i++) {
		if (!isfinite(bounds[i]) || (i && bounds[i] <= bounds[i - 1])) {
			*ret_why = "its bounds do not ascend";
			return -EBADMSG;
		}
	}
	count = sm_bounds_unite(bounds, rec->nbounds, (rec->flags & SM_FF_FINE_GRID) != 0,
				rec->grid_lo, rec->grid_hi, united, SM_MAX_BUCKETS - 1);
	/* 0 is also what too long a union gives. */
	if (count + 1 != rec->nbuckets ||
	    (!count && (rec->nbounds || (rec->flags & SM_FF_FINE_GRID)))) {
		*ret_why = "its number of buckets does not follow from its bounds";
		return -EBADMSG;
	}
	copy = alloc(ctx, count * sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	memcpy(copy, united, count * sizeof(*copy));
	for (i = 0, j = 0; i < rec->nbounds; i++) {
		while (united[j] < bounds[i])	/* each bound is among them */
			j++;
		at[i] = (uint16_t)j;
	}
	f->nbounds = rec->nbounds;
	f->bounds = bounds;
	f->nunited = count;
	f->united = copy;
	more->classic_at = at;
	return 0;
}

static const char *const *copy_list(const char *const *list, unsigned n,
				    void *(*alloc)(void *ctx, size_t bytes), void *ctx)
{
	const char **copy = alloc(ctx, n * sizeof(*copy));

	if (copy && n)
		memcpy(copy, list, n * sizeof(*copy));
	return copy;
}

int sm_catalog_parse_family(const struct sm_family_rec *rec, const char *strings, uint32_t n,
			    void *(*alloc)(void *ctx, size_t bytes), void *ctx,
			    struct sm_family_info *ret_family, struct family_more *ret_more,
			    const char **ret_why)
{
	const char *labels[SM_MAX_LABELS], *states[SM_MAX_STATES];
	struct sm_family_info f;
	struct family_more more;
	int rc;

	memset(&f, 0, sizeof(f));
	memset(&more, 0, sizeof(more));
	*ret_why = check_shape(rec);
	if (!*ret_why)
		*ret_why = parse_texts(rec, strings, n, &f, labels, states);
	if (*ret_why)
		return -EBADMSG;
	f.incarnation = rec->incarnation;
	f.kind = (enum sm_kind)rec->kind;
	f.nlabels = rec->nlabels;
	f.mode = (enum sm_gauge_mode)rec->gauge_mode;
	f.flags = rec->flags & (SM_FF_FINE_GRID | SM_FF_SUM_DOUBLE | SM_FF_KEEP | SM_FF_EXEMPLARS |
				SM_FF_SIGNED);
	f.decimals = rec->decimals;
	f.sum_decimals = rec->sum_decimals;
	f.nstates = rec->nstates;
	f.created_real_ns = rec->created_real_ns;
	f.cap = rec->cap;
	f.labels = copy_list(labels, f.nlabels, alloc, ctx);
	f.states = copy_list(states, f.nstates, alloc, ctx);
	if (!f.labels || !f.states)
		return -ENOMEM;
	if (f.kind == SM_HISTOGRAM) {
		rc = parse_bounds(rec, strings, n, alloc, ctx, &f, &more, ret_why);
		if (rc)
			return rc;
		more.nbuckets = rec->nbuckets;
		more.sum_signed = (rec->flags & SM_FF_SIGNED) != 0;
		if (rec->flags & SM_FF_FINE_GRID) {
			f.grid_lo = (int)rec->grid_lo;
			f.grid_hi = (int)rec->grid_hi;
		}
	}
	*ret_family = f;
	*ret_more = more;
	return 0;
}

static bool cells_ok(const struct sm_header *geo, const uint32_t *cells_used, unsigned zone,
		     uint32_t cell, uint32_t n)
{
	return sm_cells_in_zone(geo, zone, cell, n) &&
	       (uint64_t)cell - geo->zone_first[zone] + n <= cells_used[zone];
}

int sm_catalog_check_cells(const struct sm_header *geo, const uint32_t *cells_used,
			const struct sm_family_info *f, const struct family_more *more,
			const struct sm_series_rec *rec, const char **ret_why)
{
	unsigned zone = f->kind == SM_COUNTER || f->kind == SM_HISTOGRAM ? SM_ZONE_ADD :
			f->kind == SM_UPDOWN ? SM_ZONE_LIVE : SM_ZONE_SET;
	uint32_t n = f->kind == SM_HISTOGRAM ? more->nbuckets + 1u :
		     f->kind == SM_GAUGE && f->mode == SM_MODE_MOSTRECENT ? SM_RECENT_CELLS : 1;
	unsigned i;

	*ret_why = NULL;
	if (rec->zone != zone) {
		*ret_why = "its cells are of another zone";
	} else if (f->kind == SM_COUNTER) {
		for (i = 0; i < 3; i++) /* each way of counting has a cell once it was used */
			if (rec->cell[i] && !cells_ok(geo, cells_used, zone, rec->cell[i], 1))
				*ret_why = "a cell is outside its zone";
	} else if (rec->ncells != n) {
		*ret_why = "its number of cells is not that of its family";
	} else if (!cells_ok(geo, cells_used, zone, rec->cell[0], n)) {
		*ret_why = "a cell is outside its zone";
	}
	return *ret_why ? -EBADMSG : 0;
}

int sm_catalog_parse_values(const struct sm_series_rec *rec, const char *strings, uint32_t n,
			    unsigned nlabels, struct sm_str *ret_values, const char **ret_why)
{
	struct cursor c;
	unsigned i;

	*ret_why = NULL;
	if (!block_ok(rec->strings, rec->strings_bytes, rec->text_len, n)) {
		*ret_why = "its text is outside the string area";
		return -EBADMSG;
	}
	c.at = strings + rec->strings;
	c.end = c.at + rec->text_len;
	for (i = 0; i < nlabels; i++) {
		ret_values[i].ptr = next_text(&c, SM_LABEL_VALUE_MAX, &ret_values[i].len);
		if (!ret_values[i].ptr)
			*ret_why = "its text has too few label values, or one too long";
		else if (!sm_utf8_valid(ret_values[i].ptr, ret_values[i].len))
			*ret_why = "a label value is not UTF-8";
		if (*ret_why)
			return -EBADMSG;
	}
	if (c.at != c.end) {
		*ret_why = "its text is longer than its label values";
		return -EBADMSG;
	}
	return 0;
}
