/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader_internal.h - struct sm_reader, and how its parts get at the file.
 *
 * layout <- geometry <- reader <- catalog_read, ring_read, exemplar_read <- snapshot <- value,
 * text, check
 *
 * The rule of the whole reader: copy bytes with sm_reader_pread(), check the copy, use the copy.
 * Nothing else touches the file.
 */
#ifndef SM_READER_INTERNAL_H
#define SM_READER_INTERNAL_H

#include <shardmeter_reader.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "geometry.h"
#include "layout.h"

struct sm_catalog;
struct snap_data;

/* Public facts about the segment. Shared by the reader and its snapshots, which may outlive it. */
struct segment_facts {
	unsigned refs;			/* atomic */
	struct sm_segment_info pub;
	char path[];
};

struct segment_facts *sm_facts_ref(struct segment_facts *f);
void sm_facts_unref(struct segment_facts *f);

/* The last published value of a cell that holds a double, see snapshot.c. */
struct last_double {
	uint32_t cell;
	uint64_t series_incarnation;
	double value;
};

struct sm_reader {
	int fd;
	dev_t dev;
	ino_t ino;
	bool lock_trouble_told;
	struct sm_header geo;		/* checked copy of the write-once part */
	struct segment_facts *facts;
	uint64_t allocated;		/* bytes of real memory behind the file, at the last look */
	uint64_t fs_free, fs_total;
	struct sm_catalog *catalog;	/* of the last snapshot */
	struct snap_data *last;		/* the last good snapshot */
	struct last_double *doubles;
	size_t ndoubles;
	/* buffers that are used again */
	struct sm_slot *slots;		/* nslots, as read last; those that were free then stay so while
					   the header counts slots_claims claims */
	uint64_t slots_claims;
	bool slots_read;
	uint64_t *pagemaps;		/* of one slot's lanes */
	uint64_t *chunk;		/* READER_CHUNK bytes */
};

#define READER_CHUNK	(32u * 1024)

/* What a segment may make its reader allocate beyond the memory that it holds itself. */
#define READER_SLACK	(UINT64_C(16) << 20)

/*
 * Attach to an open descriptor, which the reader then owns (it is closed on failure, too). path is
 * for messages and sm_reader_current(). Results as sm_reader_open().
 */
int sm_reader_open_fd(int fd, const char *path, struct sm_reader **ret_reader,
		      struct sm_diag *diag);

/*
 * Copy [offset, offset + len). 0; -EBADMSG if the file is shorter (it was truncated); -errno.
 * offset and buffer are multiples of 8 wherever words are read that others change: the kernel
 * copies aligned words whole. Acquires: reads of a later call see at least what this one saw.
 */
int sm_reader_pread(const struct sm_reader *r, void *ret_bytes, size_t len, uint64_t offset,
		    struct sm_diag *diag);

/*
 * Copy the header and compare its write-once part with the one that was checked at attach.
 * -EBADMSG if it differs.
 */
int sm_reader_header(const struct sm_reader *r, struct sm_header *ret_header, struct sm_diag *diag);

/* Look how much memory the file and its file system have: r->allocated and fs_*. 0 or -errno. */
int sm_reader_measure(struct sm_reader *r, struct sm_diag *diag);

/* May the segment make us handle this many bytes? -EBADMSG with diag if it does not hold that
 * much. */
int sm_reader_afford(struct sm_reader *r, uint64_t bytes, const char *what, struct sm_diag *diag);

static inline uint64_t sm_reader_clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

#endif
