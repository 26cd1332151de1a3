/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.c - the structure of an LMDB 0.9 file, checked from outside.
 *
 * The format (64-bit, native byte order), as far as it is looked at:
 *
 *	page     16 bytes of header: u64 own number, u16 pad, u16 flags, then u16 lower, u16 upper
 *	         (end of the array of record offsets, begin of the records), or for an overflow page
 *	         u32 number of pages. From byte 16 an array of u16 offsets of records.
 *	record   u16 lo, u16 hi, u16 flags, u16 key size, key, data. In a leaf lo and hi are the
 *	         data's size, in a branch with flags as bits 32 to 47 the child's page number.
 *	         A large value is in overflow pages, whose number stands in place of the data.
 *	tree     48 bytes: u32 pad, u16 flags, u16 depth, u64 branch, leaf, overflow pages,
 *	         u64 entries, u64 root.
 *	meta     pages 0 and 1: u32 magic, u32 version, u64 address, u64 map size, tree of free
 *	         pages (its pad is the page size), main tree, u64 last page, u64 transaction.
 *
 * The free tree maps a transaction to a list: u64 length, then page numbers. Records of the main
 * tree with flag 2 are trees of their own, ours have no other flags than 0.
 */
#include "exporter/history/verify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER		16u
#define RECORD		8u
#define TREE		48u
#define KEY_MAX		511u
#define PAGE_MAX	32768u
#define DEPTH_MAX	32u
#define NO_PAGE		UINT64_MAX

#define PAGE_BRANCH	0x01u
#define PAGE_LEAF	0x02u
#define PAGE_OVERFLOW	0x04u
#define PAGE_META	0x08u

#define RECORD_BIG	0x01u
#define RECORD_TREE	0x02u

/* Flags of the free tree: integer keys, and the environment's flag "one file, no directory". */
#define FREE_FLAGS	0x0008u
#define FREE_FLAGS_ENV	0x4000u

#define META_MAGIC	UINT32_C(0xbeefc0de)
#define META_VERSION	1u

enum tree_kind { TREE_FREE, TREE_MAIN, TREE_NAMED };

struct tree {
	uint16_t flags, depth;
	uint64_t branches, leaves, overflows, entries, root;
};

struct verify {
	int fd;
	uint32_t page_bytes;
	uint64_t file_bytes;
	uint64_t last_page;
	uint8_t *seen;			/* a bit per page */
	uint64_t used, free;
	int rc;				/* of the first thing that is wrong */
	struct verify_result *result;
};

/* One tree being walked. */
struct walk {
	struct verify *v;
	enum tree_kind kind;
	struct tree counted;
	uint8_t *pages[DEPTH_MAX];	/* one page a level */
	struct tree named[16];		/* found in the main tree */
	unsigned nnamed;
};

__attribute__((format(printf, 2, 3)))
static int found(struct verify *v, const char *format, ...)
{
	va_list ap;

	if (!v->rc) {
		va_start(ap, format);
		vsnprintf(v->result->finding, sizeof(v->result->finding), format, ap);
		va_end(ap);
		v->rc = -EBADMSG;
	}
	return v->rc;
}

static uint16_t u16_at(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t u32_at(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t u64_at(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static struct tree tree_at(const uint8_t *p)
{
	return (struct tree){
		.flags = u16_at(p + 4), .depth = u16_at(p + 6), .branches = u64_at(p + 8),
		.leaves = u64_at(p + 16), .overflows = u64_at(p + 24),
		.entries = u64_at(p + 32), .root = u64_at(p + 40),
	};
}

static int read_at(struct verify *v, uint64_t offset, void *buf, size_t len)
{
	uint8_t *to = buf;
	ssize_t n;

	while (len) {
		n = pread(v->fd, to, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			v->rc = v->rc ? v->rc : -errno;
			return v->rc;
		}
		if (n == 0)
			return found(v, "the file ends at byte %llu",
				(unsigned long long)offset);
		to += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* Take n pages from `page` on for one use: each may have only one. */
static int claim(struct verify *v, uint64_t page, uint64_t n)
{
	uint64_t i;

	if (page < 2 || page > v->last_page || n > v->last_page - page + 1)
		return found(v, "page %llu is outside", (unsigned long long)page);
	for (i = page; i < page + n; i++) {
		if (v->seen[i / 8] & 1u << i % 8)
			return found(v, "page %llu is used twice", (unsigned long long)i);
		v->seen[i / 8] |= (uint8_t)(1u << i % 8);
	}
	return 0;
}

/* The pages of a large value. */
static int check_overflow(struct walk *w, uint64_t page, uint64_t size)
{
	struct verify *v = w->v;
	uint64_t needed = (HEADER + size + v->page_bytes - 1) / v->page_bytes;
	uint8_t head[HEADER];
	uint64_t pages;

	if (page < 2 || page > v->last_page)
		return found(v, "page %llu is outside", (unsigned long long)page);
	if (read_at(v, page * v->page_bytes, head, sizeof(head)) < 0)
		return v->rc;
	pages = u32_at(head + 12);
	if (u64_at(head) != page || !(u16_at(head + 10) & PAGE_OVERFLOW) || pages < needed)
		return found(v, "page %llu is not what a value needs", (unsigned long long)page);
	if (claim(v, page, pages) < 0)
		return v->rc;
	if (page * v->page_bytes + HEADER + size > v->file_bytes)
		return found(v, "the file ends inside page %llu", (unsigned long long)page);
	w->counted.overflows += pages;
	v->used += pages;
	return 0;
}

/* A list of free pages, in the record or in overflow pages. */
static int check_free_list(struct verify *v, const uint8_t *data, uint64_t page, uint64_t size)
{
	uint8_t *list = malloc(size ? size : 1);
	uint64_t i, n;

	if (!list) {
		v->rc = -ENOMEM;
		return v->rc;
	}
	if (data)
		memcpy(list, data, size);
	else
		read_at(v, page * v->page_bytes + HEADER, list, size);
	n = size >= 8 ? u64_at(list) : 0;
	if (!v->rc && (size < 8 || size % 8 || n > size / 8 - 1))
		found(v, "a list of free pages is too short");
	for (i = 1; i <= n && !v->rc; i++) {
		if (i > 1 && u64_at(list + 8 * i) >= u64_at(list + 8 * (i - 1)))
			found(v, "a list of free pages is not in order");
		else if (claim(v, u64_at(list + 8 * i), 1) == 0)
			v->free++;
	}
	free(list);
	return v->rc;
}

static int check_leaf_data(struct walk *w, const uint8_t *record, uint64_t left)
{
	struct verify *v = w->v;
	uint64_t size = u16_at(record) | (uint64_t)u16_at(record + 2) << 16;
	unsigned flags = u16_at(record + 4), key_size = u16_at(record + 6);
	const uint8_t *data = record + RECORD + key_size;
	int big = flags == RECORD_BIG;

	if (flags && !big && !(flags == RECORD_TREE && w->kind == TREE_MAIN))
		return found(v, "a record has flags 0x%x", flags);
	if ((big ? 8 : size) > left - RECORD - key_size)
		return found(v, "a record is longer than its page");
	if (big && check_overflow(w, u64_at(data), size) < 0)
		return v->rc;
	if (w->kind == TREE_FREE) {
		if (key_size != 8)
			return found(v, "a list of free pages has no transaction");
		return check_free_list(v, big ? NULL : data, big ? u64_at(data) : 0, size);
	}
	if (flags == RECORD_TREE) {
		if (size != TREE || w->nnamed == sizeof(w->named) / sizeof(w->named[0]))
			return found(v, "a named tree is not one of ours");
		w->named[w->nnamed++] = tree_at(data);
	}
	return 0;
}

/* Keys of one page ascend. The first key of a branch page has no meaning. */
static int in_order(struct walk *w, const uint8_t *a, const uint8_t *b)
{
	size_t alen = u16_at(a + 6), blen = u16_at(b + 6);
	int order;

	if (w->kind == TREE_FREE)
		return alen == 8 && blen == 8 && u64_at(a + RECORD) < u64_at(b + RECORD);
	order = memcmp(a + RECORD, b + RECORD, alen < blen ? alen : blen);
	return order < 0 || (order == 0 && alen < blen);
}

static int walk_page(struct walk *w, uint64_t page, unsigned level, unsigned depth);

/* A record's size in its page, as LMDB rounds it. */
static uint64_t record_size(const uint8_t *record, int leaf)
{
	uint64_t size = RECORD + u16_at(record + 6);

	if (leaf)
		size += u16_at(record + 4) & RECORD_BIG ? 8 :
			u16_at(record) | (uint64_t)u16_at(record + 2) << 16;
	return size + size % 2;
}

/* Records fill a page from `upper` to its end, in any order, without holes: LMDB moves them by their
 * sizes, and would write beyond the page if those did not add up. */
static int check_layout(struct verify *v, const uint8_t *p, unsigned n, int leaf)
{
	uint8_t taken[PAGE_MAX / 2 / 8] = { 0 };
	uint64_t at, size, i, unit, total = 0;

	for (i = 0; i < n; i++) {
		at = u16_at(p + HEADER + 2 * i);
		size = record_size(p + at, leaf);
		total += size;
		if (size > v->page_bytes - at)
			return found(v, "a record is longer than its page");
		for (unit = at / 2; unit < (at + size) / 2; unit++) {
			if (taken[unit / 8] & 1u << unit % 8)
				return found(v, "records of page %llu overlap",
					(unsigned long long)u64_at(p));
			taken[unit / 8] |= (uint8_t)(1u << unit % 8);
		}
	}
	if (total != v->page_bytes - u16_at(p + 14))
		return found(v, "the records of page %llu do not fill it",
			(unsigned long long)u64_at(p));
	return 0;
}

static int walk_records(struct walk *w, const uint8_t *p, unsigned n, unsigned level,
	unsigned depth)
{
	struct verify *v = w->v;
	int leaf = level == depth;
	const uint8_t *record, *before = NULL;
	unsigned i, at;

	for (i = 0; i < n; i++) {
		at = u16_at(p + HEADER + 2 * i);
		if (at < u16_at(p + 14) || at % 2 || at + RECORD > v->page_bytes ||
		    at + RECORD + u16_at(p + at + 6) > v->page_bytes ||
		    u16_at(p + at + 6) > KEY_MAX)
			return found(v, "a record of page %llu is outside it",
				(unsigned long long)u64_at(p));
	}
	if (check_layout(v, p, n, leaf) < 0)
		return v->rc;
	for (i = 0; i < n; i++) {
		record = p + u16_at(p + HEADER + 2 * i);
		if (before && (leaf || i > 1) && !in_order(w, before, record))
			return found(v, "the records of page %llu are not in order",
				(unsigned long long)u64_at(p));
		before = record;
		if (leaf && check_leaf_data(w, record, v->page_bytes - (uint64_t)(record - p)) < 0)
			return v->rc;
		if (!leaf && walk_page(w, u16_at(record) | (uint64_t)u16_at(record + 2) << 16 |
			(uint64_t)u16_at(record + 4) << 32, level + 1, depth) < 0)
			return v->rc;
	}
	return 0;
}

static int walk_page(struct walk *w, uint64_t page, unsigned level, unsigned depth)
{
	struct verify *v = w->v;
	int leaf = level == depth;
	unsigned lower, n;
	uint8_t *p;

	if (claim(v, page, 1) < 0)
		return v->rc;
	if (!w->pages[level - 1])
		w->pages[level - 1] = malloc(v->page_bytes);
	p = w->pages[level - 1];
	if (!p) {
		v->rc = -ENOMEM;
		return v->rc;
	}
	if (read_at(v, page * v->page_bytes, p, v->page_bytes) < 0)
		return v->rc;
	lower = u16_at(p + 12);
	if (u64_at(p) != page || u16_at(p + 10) != (leaf ? PAGE_LEAF : PAGE_BRANCH) ||
	    lower < HEADER || lower % 2 || lower > u16_at(p + 14) ||
	    u16_at(p + 14) > v->page_bytes)
		return found(v, "page %llu is not a %s page", (unsigned long long)page,
			leaf ? "leaf" : "branch");
	n = (lower - HEADER) / 2;
	if (n < (leaf || w->kind == TREE_FREE ? 1u : 2u))
		return found(v, "page %llu has too few records", (unsigned long long)page);
	v->used++;
	if (leaf) {
		w->counted.leaves++;
		w->counted.entries += n;
	} else {
		w->counted.branches++;
	}
	return walk_records(w, p, n, level, depth);
}

/* Walk one tree; the main tree's named ones after it. */
static int walk_tree(struct verify *v, const struct tree *t, enum tree_kind kind)
{
	struct walk w = { .v = v, .kind = kind };
	unsigned i, flags = kind == TREE_FREE ? FREE_FLAGS : 0;

	if ((t->flags & ~(kind == TREE_FREE ? FREE_FLAGS_ENV : 0)) != flags)
		return found(v, "a tree has flags 0x%x", t->flags);
	if (t->root == NO_PAGE) {
		if (t->depth || t->entries)
			found(v, "a tree without pages has %llu entries",
				(unsigned long long)t->entries);
		return v->rc;
	}
	if (t->depth < 1 || t->depth > DEPTH_MAX)
		return found(v, "a tree has depth %u", t->depth);
	walk_page(&w, t->root, 1, t->depth);
	for (i = 0; i < DEPTH_MAX; i++)
		free(w.pages[i]);
	if (!v->rc && (w.counted.branches != t->branches || w.counted.leaves != t->leaves ||
		w.counted.overflows != t->overflows || w.counted.entries != t->entries))
		found(v, "a tree has other counts than it says");
	for (i = 0; i < w.nnamed && !v->rc; i++)
		walk_tree(v, &w.named[i], TREE_NAMED);
	return v->rc;
}

/* Read both meta pages and take the newer one, as LMDB does. */
static int read_meta(struct verify *v, uint64_t max_bytes, struct tree ret_tree[2])
{
	uint8_t meta[2][HEADER + 136];
	const uint8_t *m;
	uint64_t transaction[2];
	unsigned i, newer;

	if (read_at(v, 0, meta[0], sizeof(meta[0])) < 0)
		return v->rc;
	v->page_bytes = u32_at(meta[0] + HEADER + 24);
	if (v->page_bytes < 512 || v->page_bytes > PAGE_MAX || v->page_bytes & (v->page_bytes - 1))
		return found(v, "the page size is %u", v->page_bytes);
	if (read_at(v, v->page_bytes, meta[1], sizeof(meta[1])) < 0)
		return v->rc;
	for (i = 0; i < 2; i++) {
		m = meta[i] + HEADER;
		if (u64_at(meta[i]) != i || !(u16_at(meta[i] + 10) & PAGE_META) ||
		    u32_at(m) != META_MAGIC || u32_at(m + 4) != META_VERSION ||
		    u32_at(m + 24) != v->page_bytes)
			return found(v, "page %u does not begin an LMDB file", i);
		transaction[i] = u64_at(m + 128);
	}
	newer = transaction[1] > transaction[0];
	v->result->transaction = transaction[newer];
	if (transaction[newer] && (transaction[newer] & 1) != newer)
		return found(v, "the last transaction is in the wrong place");
	m = meta[newer] + HEADER;
	ret_tree[TREE_FREE] = tree_at(m + 24);
	ret_tree[TREE_MAIN] = tree_at(m + 24 + TREE);
	v->last_page = u64_at(m + 120);
	if (v->last_page < 1 || v->last_page >= max_bytes / v->page_bytes)
		return found(v, "the last page is %llu", (unsigned long long)v->last_page);
	return 0;
}

/* The newest transaction now. */
static uint64_t newest_transaction(const struct verify *v)
{
	uint64_t newest = 0, transaction;
	unsigned i;

	for (i = 0; i < 2; i++)
		if (pread(v->fd, &transaction, sizeof(transaction),
			(off_t)i * v->page_bytes + HEADER + 128) == sizeof(transaction) &&
		    transaction > newest)
			newest = transaction;
	return newest;
}

int verify_file(int fd, uint64_t max_bytes, struct verify_result *ret_result)
{
	struct verify v = { .fd = fd, .result = ret_result };
	struct tree tree[2] = { { 0 } };
	struct stat st;

	memset(ret_result, 0, sizeof(*ret_result));
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size == 0)
		return -ENODATA;
	v.file_bytes = (uint64_t)st.st_size;
	if (read_meta(&v, max_bytes, tree) < 0)
		return v.rc;
	ret_result->newest = ret_result->transaction;
	v.seen = calloc(1, v.last_page / 8 + 1);
	if (!v.seen)
		return -ENOMEM;
	if (walk_tree(&v, &tree[TREE_MAIN], TREE_MAIN) == 0)
		walk_tree(&v, &tree[TREE_FREE], TREE_FREE);
	free(v.seen);
	ret_result->newest = newest_transaction(&v);
	ret_result->page_bytes = v.page_bytes;
	ret_result->pages_used = v.used;
	ret_result->pages_free = v.free;
	return v.rc;
}
