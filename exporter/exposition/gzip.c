/* SPDX-License-Identifier: Apache-2.0 */
/* gzip.c - see gzip.h. */
#include "exporter/exposition/gzip.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdint.h>
#include <stdlib.h>

#define LEVEL		1
#define PIECE		((size_t)1 << 30)	/* of input; the library counts in 32 bits */
#define RATIO		6			/* exposition text is compressed at least so much */
#define ROOM_MIN	65536

/* All that the compressor needs, some 300 kB: not for a stack. */
struct gzip {
	struct isal_zstream stream;
	uint8_t level[ISAL_DEF_LVL1_DEFAULT];
};

/* One call into whatever room there is. */
static int step(struct gzip *z, struct buf *out)
{
	size_t room;

	if (!buf_reserve(out, ROOM_MIN))
		return -ENOMEM;
	room = out->cap - out->len - 1;
	z->stream.next_out = (uint8_t *)out->data + out->len;
	z->stream.avail_out = room < PIECE ? (uint32_t)room : (uint32_t)PIECE;
	room = z->stream.avail_out;
	/* Of its errors none can happen with these settings. */
	if (isal_deflate(&z->stream) != COMP_OK)
		return -EINVAL;
	out->len += room - z->stream.avail_out;
	out->data[out->len] = '\0';
	return 0;
}

int gzip_compress(struct buf *out, const char *data, size_t len)
{
	struct gzip *z = malloc(sizeof(*z));
	size_t piece;
	int rc = 0;

	if (!z || !buf_reserve(out, len / RATIO + ROOM_MIN)) {
		free(z);
		return -ENOMEM;
	}
	isal_deflate_init(&z->stream);
	z->stream.level = LEVEL;
	z->stream.level_buf = z->level;
	z->stream.level_buf_size = sizeof(z->level);
	z->stream.gzip_flag = IGZIP_GZIP;
	do {
		piece = len < PIECE ? len : PIECE;
		z->stream.next_in = (uint8_t *)(uintptr_t)data;
		z->stream.avail_in = (uint32_t)piece;
		data += piece;
		len -= piece;
		z->stream.end_of_stream = len == 0;
		while (rc == 0 && (z->stream.avail_in || (len == 0 &&
		       z->stream.internal_state.state != ZSTATE_END)))
			rc = step(z, out);
	} while (rc == 0 && len);
	free(z);
	return rc;
}
