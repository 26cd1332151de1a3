/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_reader.c - any bytes as a segment: attach, take snapshots, ask for every value, render,
 * check.
 *
 * Nothing may crash, hang, or allocate without bound. The input is, by its first byte:
 *
 *	even	the file itself
 *	odd	a geometry (6 bytes), then patches { area u8, offset u24, length u8, bytes } on top of an
 *		empty sound segment of that geometry, so that a small input reaches every area
 *
 * Bit 1 of the first byte: seal the header again after the patches (fingerprint). Bit 2: cut the
 * file.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "geometry.h"
#include "reader_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ODD		0x01
#define SEAL		0x02
#define CUT		0x04
#define HEAD_BYTES	7
#define PATCH_HEAD	5

static uint64_t consumed;	/* so that no answer can be optimised away */

static int eat_text(void *ctx, const char *data, size_t len)
{
	(void)ctx;
	/* A NUL would end every exposition parser's input early. */
	if (memchr(data, '\0', len))
		abort();
	consumed += len;
	return 0;
}

static int eat_slow(void *ctx, const struct sm_slow *slow)
{
	(void)ctx;
	consumed += strlen(slow->operation) + strlen(slow->status) + strlen(slow->writer) +
		    slow->nattributes;
	for (size_t i = 0; i < 2 * slow->nattributes; i++)
		consumed += strlen(slow->attributes[i].ptr);
	return 0;
}

static void eat_finding(void *ctx, const char *finding)
{
	(void)ctx;
	consumed += strlen(finding);
}

/* ---- the segment --------------------------------------------------------------------------- */

static void default_header(struct sm_header *h, const uint8_t *g)
{
	struct sm_geometry_wish wish = {
		.writers = 2 + g[0] % 8,
		.lanes_per_writer = 2 + g[1] % 3,
		.families = 1 + g[2] % 64,
		.series = 1 + g[3],
		.cells = 1024 * (1 + g[4] % 4),
		.ring_entries = 1u << g[5] % 4,
	};

	memset(h, 0, sizeof(*h));
	if (sm_geometry_init(h, &wish, NULL))
		abort();
	h->magic = SM_MAGIC;
	h->endian = SM_ENDIAN_TAG;
	h->header_size = sizeof(*h);
	h->major = SM_LAYOUT_MAJOR;
	h->minor = SM_LAYOUT_MINOR;
	h->state = SM_SEG_READY;
	h->catalog_gen = 1;
}

static uint64_t area_offset(const struct sm_header *h, unsigned area)
{
	const uint64_t areas[] = { 0,
				   h->off_slots,
				   h->off_pagemaps,
				   h->off_index,
				   h->off_families,
				   h->off_series,
				   h->off_strings,
				   h->off_exemplars,
				   h->off_holds,
				   h->off_rings,
				   h->off_lanes };

	return areas[area % (sizeof(areas) / sizeof(areas[0]))];
}

static void put(int fd, const void *bytes, size_t n, uint64_t offset)
{
	if (pwrite(fd, bytes, n, (off_t)offset) != (ssize_t)n)
		abort();
}

static void build_patched(int fd, const uint8_t *data, size_t size)
{
	struct sm_header geo, h;
	uint8_t mode = data[0];
	uint64_t offset;
	size_t at, n;

	default_header(&geo, data + 1);
	if (ftruncate(fd, (off_t)geo.file_bytes) != 0)
		abort();
	put(fd, &geo, sizeof(geo), 0);
	for (at = HEAD_BYTES; size - at > PATCH_HEAD; at += n) {
		offset = area_offset(&geo, data[at]) + ((uint64_t)data[at + 1] |
							(uint64_t)data[at + 2] << 8 |
							(uint64_t)data[at + 3] << 16);
		n = data[at + 4];
		at += PATCH_HEAD;
		n = n < size - at ? n : size - at;
		if (offset + n <= geo.file_bytes)
			put(fd, data + at, n, offset);
	}
	if (mode & SEAL) {
		if (pread(fd, &h, sizeof(h), 0) != sizeof(h))
			abort();
		h.fingerprint = sm_fingerprint(&h);
		put(fd, &h, sizeof(h), 0);
	}
	if ((mode & CUT) && ftruncate(fd, (off_t)(geo.file_bytes * data[1] / 256)) != 0)
		abort();
}

/* ---- every question ------------------------------------------------------------------------ */

static void ask_series(struct sm_reader *r, const struct sm_snapshot *s,
		       const struct sm_family_info *f, const struct sm_series_info *info,
		       int writer)
{
	static uint64_t counts[SM_MAX_BUCKETS + 1];
	static struct sm_native native;
	struct sm_exemplar exemplar;
	struct sm_value value;
	struct sm_sum sum;
	char text[48];
	unsigned b;

	if (!sm_snapshot_number(s, info, writer, &value))
		consumed += sm_format_double(value.value, 1, text, sizeof(text));
	if (!sm_snapshot_buckets(s, info, writer, counts, &sum))
		consumed += counts[f->nunited] +
			    sm_format_units(sum.units, sum.decimals, text, sizeof(text));
	if (!sm_snapshot_classic(s, info, writer, counts, &sum))
		consumed += counts[f->nbounds];
	if (!sm_snapshot_native(s, info, writer, 160, &native))
		consumed += native.count;
	consumed += sm_snapshot_quantile(s, info, writer, 0.99) > 1;
	for (b = 0; writer == SM_ALL_WRITERS && b < info->nexemplars && b < 8; b++)
		if (!sm_reader_exemplar(r, info, b, &exemplar))
			consumed += exemplar.npairs;
}

static void ask_all(struct sm_reader *r, unsigned flags)
{
	const struct sm_snapshot *s;
	struct sm_diag diag;
	size_t f, i, w;

	if (sm_snapshot_take(r, flags, &s, &diag))
		return;
	for (f = 0; f < s->nfamilies; f++) {
		const struct sm_family_info *info = &s->families[f];

		consumed += strlen(info->name) + strlen(info->help) + strlen(info->unit);
		for (i = 0; i < info->nseries; i++) {
			ask_series(r, s, info, &info->series[i], SM_ALL_WRITERS);
			for (w = 0; w < s->nwriters && w < 4; w++)
				ask_series(r, s, info, &info->series[i], (int)w);
		}
	}
	for (w = 0; w < s->nwriters; w++) {
		consumed += strlen(s->writers[w].name) + strlen(s->writers[w].version);
		for (i = 0; i < 2 * s->writers[w].nmetadata; i++)
			consumed += strlen(s->writers[w].metadata[i]);
	}
	sm_snapshot_text(s, 0, eat_text, NULL);
	sm_snapshot_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sm_diag diag;
	struct sm_reader *r;
	int fd;

	if (!size || ((data[0] & ODD) && size < HEAD_BYTES))
		return 0;
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0)
		abort();
	if (data[0] & ODD)
		build_patched(fd, data, size);
	else if (size > 1)
		put(fd, data + 1, size - 1, 0);
	if (sm_reader_open_fd(fd, "fuzz", &r, &diag))
		return 0;
	ask_all(r, 0);
	ask_all(r, SM_SNAPSHOT_WRITERS);
	sm_reader_slow(r, eat_slow, NULL);
	consumed += (uint64_t)sm_reader_live_writers(r);
	sm_check_once(r, eat_finding, NULL);
	sm_reader_close(r);
	return 0;
}
