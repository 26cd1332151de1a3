/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c - run a fuzzer on its corpus without libFuzzer: fuzz_NAME FILE-OR-DIRECTORY...
 *
 * Each input is run as it is and then with a few small changes (flipped, copied, cut and
 * interesting bytes), the same ones every time: FUZZ_MUTATIONS per input, 20 by default. So plain
 * `make test`, and the sanitizers, see something near the corpus, too. Fails if there is no input.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE_MAX_BYTES (1u << 20)

static unsigned long inputs, runs, mutations = 20;
static uint64_t seed;

static uint32_t any(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return below ? (uint32_t)(seed >> 33) % below : 0;
}

/* Change a copy in place; returns its new size. */
static size_t mutate(uint8_t *p, size_t size)
{
	static const uint32_t interesting[] = {
		0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff
	};
	unsigned n = 1 + any(4), i;
	size_t at, from, len;

	for (i = 0; i < n && size; i++) {
		at = any((uint32_t)size);
		switch (any(5)) {
		case 0:
			p[at] ^= (uint8_t)(1u << any(8));
			break;
		case 1:
			p[at] = (uint8_t)any(256);
			break;
		case 2:
			len = size - at < 4 ? size - at : 4;
			memcpy(p + at,
			       &interesting[any(sizeof(interesting) / sizeof(interesting[0]))],
			       len);
			break;
		case 3:
			from = any((uint32_t)size);
			len = any((uint32_t)(size - (at > from ? at : from))) % 64;
			memmove(p + at, p + from, len);
			break;
		default:
			size -= any((uint32_t)size) % 16;
		}
	}
	return size;
}

/* Each run gets a block of its exact size, so that a sanitizer sees a read beyond it. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	runs++;
}

static int replay_file(const char *path)
{
	static uint8_t data[SIZE_MAX_BYTES], changed[SIZE_MAX_BYTES];
	FILE *f = fopen(path, "rb");
	size_t size;
	unsigned long i;

	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	size = fread(data, 1, sizeof(data), f);
	fclose(f);
	inputs++;
	run(data, size);
	seed = size;
	for (i = 0; i < mutations; i++) {
		memcpy(changed, data, size);
		run(changed, mutate(changed, size));
	}
	return 0;
}

static int replay(const char *path)
{
	char inner[4096];
	struct dirent *e;
	struct stat st;
	DIR *d;
	int rc = 0;

	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
		return replay_file(path);
	d = opendir(path);
	if (!d) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", path, e->d_name);
		rc |= replay_file(inner);
	}
	closedir(d);
	return rc;
}

int main(int argc, char **argv)
{
	const char *wanted = getenv("FUZZ_MUTATIONS");
	int i, rc = 0;

	if (wanted)
		mutations = strtoul(wanted, NULL, 10);
	for (i = 1; i < argc; i++)
		rc |= replay(argv[i]);
	printf("%lu inputs, %lu runs\n", inputs, runs);
	if (!inputs) {
		fprintf(stderr, "usage: %s FILE-OR-DIRECTORY..., with at least one input\n",
			argv[0]);
		return 2;
	}
	return rc;
}
