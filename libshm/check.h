/* SPDX-License-Identifier: Apache-2.0 */
/* check.h - one look at a whole segment by sm_check(), and what the parts of it share. */
#ifndef SM_CHECK_H
#define SM_CHECK_H

#include "catalog_read.h"
#include "reader_internal.h"

#define CHECK_FINDINGS_MAX 1000

struct check_block {
	struct check_block *next;
	uint64_t data[];
};

/* A live series whose text is valid. */
struct check_labelled {
	const struct sm_series_rec *rec;
	const char *text;
};

/* One look. Counts are cut down to what the geometry allows, so the arrays may be walked. */
struct check {
	struct sm_reader *r;
	struct sm_header h;
	bool quiet; /* nobody holds the catalog lock: nothing is half done on purpose */
	struct sm_slot *slots;
	struct sm_family_rec *families;
	struct sm_series_rec *series;
	uint32_t nfamilies, nseries, nstrings;
	char *strings;
	uint32_t *index;
	struct sm_family_info *info;	/* of valid live families; kind 0: not one */
	struct family_more *more;
	struct check_labelled *labelled;
	size_t nlabelled;
	uint64_t *owned;		/* bit per cell of a lane: some series' */
	uint8_t *most;			/* per cell of the SET zone, see check_lanes.c */
	struct check_block *blocks;
	char *found[CHECK_FINDINGS_MAX];
	size_t nfound;
	int error;			/* -errno: this look could not be finished */
};

/* One look at a segment that is open already, without the second one that sm_check() takes: the
 * number of findings or -errno. For the fuzzer. */
int sm_check_once(struct sm_reader *r, void (*report)(void *ctx, const char *finding), void *ctx);

/* Say what is wrong. Control characters in what is quoted become '?'. */
void sm_check_found(struct check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Memory that lives as long as this look; NULL and c->error if there is none. */
void *sm_check_alloc(void *check, size_t bytes);

/* Copy from the file, into memory of this look; NULL and c->error if that fails. */
void *sm_check_copy(struct check *c, uint64_t offset, uint64_t bytes, const char *what);

/* check_catalog.c: families, series, strings, index. */
void sm_check_families(struct check *c);
void sm_check_series(struct check *c);
void sm_check_blocks(struct check *c);
void sm_check_index(struct check *c);

/* check_lanes.c: page maps, cells, hold bits, rings, exemplars. */
void sm_check_pagemaps(struct check *c);
void sm_check_cells(struct check *c);
void sm_check_holds(struct check *c);
void sm_check_rings(struct check *c);
void sm_check_exemplars(struct check *c);

#endif
