/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle.c - see handle.h. Public parts are as good as never freed: the program keeps pointers to
 * them. What is freed is one whose handle came to nothing while it was made.
 */
#include "handle.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

#include "atomics.h"

#define CHUNK_BYTES	(HANDLE_WIPED + CHUNK_HANDLES * sizeof(struct handle *))
#define CHUNK_HANDLES	(HANDLE_WIPED / sizeof(struct handle_public))

_Static_assert(CHUNK_BYTES <= HANDLE_CHUNK, "public parts and pointers fit into a chunk");

static struct handle_public *chunk;	/* the one that is being filled */
static size_t used;			/* public parts of it */
static struct handle_public *spare;

/* Address space for a chunk, at a multiple of its size. */
static char *map_aligned(void)
{
	char *p = mmap(NULL, 2 * HANDLE_CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	if (p == MAP_FAILED)
		return NULL;
	before = (size_t)(-(uintptr_t)p & (HANDLE_CHUNK - 1));
	if (before)
		munmap(p, before);
	munmap(p + before + CHUNK_BYTES, 2 * HANDLE_CHUNK - before - CHUNK_BYTES);
	return p + before;
}

static bool new_chunk(void)
{
	char *p = map_aligned();

	if (!p)
		return false;
	if (madvise(p, HANDLE_WIPED, MADV_WIPEONFORK) != 0) {
		munmap(p, CHUNK_BYTES);
		return false;
	}
	chunk = (struct handle_public *)(void *)p;
	store_release(&used, 0);
	return true;
}

struct handle_public *handle_public_new(struct handle *h)
{
	struct handle_public *pub = spare;

	/* A child forked in the midst of this (_Fork) goes on from here: at worst one is left out. */
	if (pub)
		spare = NULL;
	else if ((chunk && used < CHUNK_HANDLES) || new_chunk())
		pub = &chunk[used++];
	if (pub)
		store_relaxed(handle_owner(pub), h);
	return pub;
}

void handle_public_free(struct handle_public *pub)
{
	spare = pub;
}
