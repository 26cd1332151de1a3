/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_history.c - any bytes as what the exporter reads from its store: keys and rows, dictionary
 * records, the LMDB file itself, checked and read as a whole; and as what a client or a user may
 * write: host names, addresses, times, sizes.
 *
 * The first byte says which. A row's checksum is put right first (bit 7: is not), since bytes that
 * only fail the checksum teach nothing. make_history_corpus.py makes the corpus.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "exporter/address.h"
#include "exporter/history/dict.h"
#include "exporter/history/history.h"
#include "exporter/history/place.h"
#include "exporter/history/row.h"
#include "exporter/history/verify.h"
#include "exporter/setting.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t consumed;	/* so that no answer can be optimised away */

static void check_text(const char *text)
{
	consumed += strlen(text);
}

static void read_row(uint8_t *data, size_t size, int seal)
{
	static struct row_reader reader;
	struct history_row head;
	struct history_writer w;
	struct history_value v;
	struct row_key key;
	uint32_t id, last = 0, crc;
	size_t i;

	consumed += (uint64_t)(row_get_key(data, size, &key) == 0);
	if (seal && size > 4) {
		crc = bytes_crc32c(data + 4, size - 4);
		for (i = 0; i < 4; i++)
			data[i] = (uint8_t)(crc >> (8 * i));
	}
	if (row_open(&reader, data, size, &head) < 0)
		return;
	while (row_next_writer(&reader, &w) == 1)
		check_text(w.name);
	while (row_next(&reader, &id, &v) == 1) {
		if (id <= last || v.nbuckets > ROW_BUCKETS_MAX)
			abort();
		last = id;
		for (i = 0; i < v.nbuckets; i++)
			consumed += v.buckets[i].count;
	}
}

static void read_family(const uint8_t *data, size_t size)
{
	struct history_family *f;
	unsigned i;

	if (dict_get_family(data, size, 1, &f) < 0)
		return;
	check_text(f->name);
	check_text(f->help);
	check_text(f->unit);
	for (i = 0; i < f->nlabels; i++)
		check_text(f->labels[i]);
	for (i = 0; i < f->nstates; i++)
		check_text(f->states[i]);
	for (i = 1; i < f->nunited; i++)
		if (!(f->united[i] > f->united[i - 1]))
			abort();
	free(f);
}

static void read_series(const uint8_t *data, size_t size)
{
	struct history_family f = { .nlabels = size ? data[size - 1] % 4 : 0 };
	struct history_series *s;
	unsigned i;

	if (dict_series_family(data, size, &f.id) < 0 || dict_get_series(data, size, 1, &f, &s) < 0)
		return;
	check_text(s->writer);
	for (i = 0; i < f.nlabels; i++)
		check_text(s->values[i].ptr);
	free(s);
}

static void read_file(const uint8_t *data, size_t size)
{
	struct verify_result result;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0)
		abort();
	if (write(fd, data, size) == (ssize_t)size)
		consumed += (uint64_t)(verify_file(fd, 1 << 26, &result) == 0);
	close(fd);
}

static char store_dir[64];

static void remove_store(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/" PLACE_DATA, store_dir);
	unlink(path);
	rmdir(store_dir);
}

/* As a tool reads it: without the check that the exporter makes before it opens. */
static void read_store(const uint8_t *data, size_t size)
{
	struct history_summary summary;
	struct history_row row;
	struct history_writer w;
	struct history_value v;
	struct history *h;
	unsigned steps = 0;
	char path[128];
	int fd, rc;

	if (!*store_dir) {
		snprintf(store_dir, sizeof(store_dir), "/dev/shm/shardmeter-fuzz-XXXXXX");
		if (!mkdtemp(store_dir))
			abort();
		atexit(remove_store);
	}
	snprintf(path, sizeof(path), "%s/" PLACE_DATA, store_dir);
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
	if (history_open(store_dir, &h, NULL) < 0)
		return;
	consumed += (uint64_t)history_summarise(h, &summary);
	while ((rc = history_next_row(h, &row)) != 0 && !history_damaged(h)) {
		if (rc < 0 && rc != -EBADMSG && rc != -EPROTONOSUPPORT)
			break;
		while (rc > 0 && history_next_writer(h, &w) == 1)
			check_text(w.name);
		while (rc > 0 && history_next_value(h, &v) == 1)
			check_text(v.series->family->name);
		if (++steps > size)
			abort();
	}
	history_close(h);
}

static void read_words(const uint8_t *data, size_t size)
{
	char text[512], host[64];
	uint64_t number;

	if (size >= sizeof(text))
		return;
	memcpy(text, data, size);
	text[size] = '\0';
	consumed += (uint64_t)(setting_duration(text, &number) == 0);
	consumed += (uint64_t)(setting_size(text, &number) == 0);
	consumed += (uint64_t)(address_host(text, host, sizeof(host)) == 0);
	consumed += (uint64_t)address_allowed(text, "a.example,b");
	consumed += (uint64_t)address_allowed("a.example", text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if (size < 1)
		return 0;
	/* In memory of its own size, so that a sanitizer sees a read beyond. */
	copy = malloc(size > 1 ? size - 1 : 1);
	if (!copy)
		return 0;
	memcpy(copy, data + 1, size - 1);
	switch (data[0] & 0x7f) {
	case 0:
		read_row(copy, size - 1, !(data[0] & 0x80));
		break;
	case 1:
		read_family(copy, size - 1);
		break;
	case 2:
		read_series(copy, size - 1);
		break;
	case 3:
		read_file(copy, size - 1);
		break;
	case 5:
		read_store(copy, size - 1);
		break;
	default:
		read_words(copy, size - 1);
	}
	free(copy);
	return 0;
}
