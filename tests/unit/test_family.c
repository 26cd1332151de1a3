/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=aligned_alloc -Wl,--wrap=strdup
/* test_family.c - declaring and resolving in the process: the table of handles, and every
 * allocation failing once. */
#include <errno.h>

#include "segment.h"

/* ---- allocations that fail ----------------------------------------------------------------- */

static unsigned fail_at, calls;

static bool fails(void)
{
	return fail_at && ++calls == fail_at;
}

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__real_aligned_alloc(size_t alignment, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n)
{
	return fails() ? NULL : __real_aligned_alloc(alignment, n);
}

char *__real_strdup(const char *s);
char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}

/* ---- the table ----------------------------------------------------------------------------- */

static struct sm_family *family(const char *name, const char *a, const char *b)
{
	return declare(&(struct sm_family_options){
		.kind = SM_COUNTER, .name = name, .labels = { a, b }, .cap = 100000 });
}

static struct handle *handle(struct sm_family *f, const char *a, const char *b)
{
	struct sm_str v[2] = { SM_STR(a), SM_STR(b) };

	return handle_of(family_resolve(f, SM_COUNTER, v, 2));
}

static void family__declared_twice__is_the_same_pointer(void **state)
{
	struct sm_family *f = family("c_total", "a", "b");
	struct sm_family_options o = {
		.kind = SM_COUNTER, .name = "c_total", .labels = { "a", "b" }
	};

	assert_ptr_equal(family("c_total", "a", "b"), f);
	assert_ptr_equal(declare(&o), f);		/* another cap is no other family */
	assert_ptr_not_equal(family("d_total", "a", "b"), f);
	/* Counted in another way: another pointer, the same family in the segment. */
	o.number = SM_NUMBER_DOUBLE;
	assert_ptr_not_equal(declare(&o), f);
	assert_int_equal(declare(&o)->record, f->record);
}

static void series__resolved_twice__is_the_same_pointer(void **state)
{
	struct sm_family *f = family("c_total", "a", "b");
	struct handle *h = handle(f, "play", "ok");
	char play[] = "xplayx";
	struct sm_str part[2] = { { play + 1, 4 }, { "okay", 2 } };

	assert_true(handle_bound(h) && h->pub->where);
	assert_ptr_equal(handle(f, "play", "ok"), h);
	assert_ptr_equal(
		family_resolve(f, SM_COUNTER, part, 2), h->pub); /* pointer and length, not text */
	assert_ptr_equal(family_find(f, part, 2), h);
	assert_string_equal(h->values[0].ptr, "play");
	assert_int_equal(h->values[1].len, 2);
	assert_ptr_not_equal(handle(f, "pla", "yok"), h);
	assert_ptr_not_equal(handle(f, "ok", "play"), h);
	assert_ptr_not_equal(handle(f, "", "playok"), h);
	assert_int_equal(f->handles, 4);
}

/* Of all lengths around what fits the handle's first cache line, and differing in each byte. */
static void series__with_values_of_each_length__are_told_apart(void **state)
{
	struct sm_family *f = family("c_total", "a", "b");
	char text[120], other[120];
	struct handle *h;
	size_t n, i;

	for (n = 0; n < 100; n++) {
		memset(text, 'a', n);
		text[n] = '\0';
		h = handle(f, text, "b");
		assert_true(handle_bound(h));
		assert_ptr_equal(handle(f, text, "b"), h);
		for (i = 0; i < n; i += n > 50 ? 7 : 1) {
			struct sm_str v[2] = { { other, n }, { "b", 1 } };

			memcpy(other, text, n + 1);
			other[i] = 'z';
			assert_null(family_find(f, v, 2));
		}
	}
}

static void series__in_thousands__are_all_found(void **state)
{
	struct sm_family *f = family("c_total", "a", "b");
	struct handle *h[900];
	char text[16];
	unsigned i;

	for (i = 0; i < 900; i++) {
		snprintf(text, sizeof(text), "%u", i);
		h[i] = handle(f, text, "x");
	}
	assert_int_equal(f->handles, 900);
	assert_true(4 * f->table->used <= 3 * (f->table->mask + 1));
	assert_non_null(f->table->older);		/* a reader may still be in it */
	for (i = 0; i < 900; i++) {
		snprintf(text, sizeof(text), "%u", i);
		assert_ptr_equal(handle(f, text, "x"), h[i]);
	}
}

static void handle__of_a_wrong_kind_or_count__is_the_null_one(void **state)
{
	struct sm_family *f = family("c_total", "a", "b");
	struct sm_str v[3] = { { "x", 1 }, { "y", 1 }, { "z", 1 } };
	uint64_t before = refused(SM_REFUSED_INVALID);

	assert_ptr_equal(family_resolve(f, SM_GAUGE, v, 2), &sm_null_public);
	assert_ptr_equal(family_resolve(f, SM_COUNTER, v, 1), &sm_null_public);
	assert_ptr_equal(family_resolve(f, SM_COUNTER, v, 3), &sm_null_public);
	assert_ptr_equal(family_resolve(f, SM_COUNTER, NULL, 0), &sm_null_public);
	assert_int_equal(refused(SM_REFUSED_INVALID), before + 4);
	assert_ptr_equal(family_resolve(&sm_null_family, SM_COUNTER, v, 2), &sm_null_public);
	assert_null(family_find(&sm_null_family, v, 2));
	assert_int_equal(refused(SM_REFUSED_INVALID), before + 4); /* a null family is no mistake */
	assert_int_equal(sm_null_public.where, 0);
}

static void handle__beyond_the_cap__is_the_overflow_one(void **state)
{
	struct sm_family *f = declare(&(struct sm_family_options){
		.kind = SM_COUNTER, .name = "c_total", .labels = { "a", "b" }, .cap = 2 });
	struct handle *x = handle(f, "1", "x"), *y = handle(f, "2", "x"), *o = handle(f, "3", "x");

	assert_true(x != y && o == f->overflow);
	assert_ptr_equal(handle(f, "4", "x"), o);
	assert_ptr_equal(handle(f, "1", "x"), x);
	assert_string_equal(o->values[0].ptr, "__other__");
	assert_string_equal(o->values[1].ptr, "__other__");
	assert_int_equal(refused(SM_REFUSED_CAP), 2);
	assert_int_equal(f->handles, 2);
}

static void handle__removed__is_null_until_resolved_again(void **state)
{
	struct sm_family *f = family("c_total", "a", "b");
	struct sm_str v[2] = { { "x", 1 }, { "y", 1 } };
	struct handle *h = handle(f, "x", "y");
	uint64_t incarnation = h->incarnation;
	uint32_t record = h->series;

	assert_int_equal(sm_remove(f, v, 2, 0), 0);
	assert_int_equal(h->pub->where, 0);
	assert_false(handle_bound(h));
	assert_int_equal(sm_remove(f, v, 2, 0), -ENOENT);
	assert_int_equal(sm_remove(f, v, 1, 0), -EINVAL);
	assert_int_equal(sm_remove(&sm_null_family, v, 2, 0), -ENOENT);
	assert_ptr_equal(handle(f, "x", "y"), h);
	assert_true(handle_bound(h));
	assert_true(h->series != record || h->incarnation != incarnation);
}

static void family__switched_off__is_null(void **state)
{
	struct sm_diag diag;

	strcpy(segment.m->disabled, "cache_*,exact_total");
	assert_ptr_equal(sm_declare(segment.m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "cache_hits_total" }, &diag), &sm_null_family);
	assert_int_equal(diag.error, 0);
	assert_ptr_equal(sm_declare(segment.m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "exact_total" }, &diag), &sm_null_family);
	assert_ptr_not_equal(sm_declare(segment.m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "exact_more_total" }, &diag), &sm_null_family);
	assert_int_equal(segment.m->region->head->families_used, 1);
}

/* ---- out of memory ------------------------------------------------------------------------- */

static void everything__with_any_allocation_failing__goes_on(void **state)
{
	static const char *const states[] = { "up", "down" };
	static const enum sm_kind kinds[] = { SM_COUNTER, SM_HISTOGRAM, SM_STATESET };
	static const char *const names[] = { "c_total", "h", "s" };
	unsigned n, k, failed = 0, i;
	struct sm_diag diag;
	char name[32], text[16];
	struct sm_family *f;
	bool again = true;

	for (n = 1; again; n++) {
		again = false;
		for (k = 0; k < 3; k++) {
			struct sm_family_options o = { .kind = kinds[k],
				.name = name,
				.labels = { "l" },
				.unit = "seconds",
				.states = k == 2 ? states : NULL,
				.nstates = 2 };

			snprintf(name, sizeof(name), "n%u_%s", n, names[k]);
			fail_at = n;
			calls = 0;
			f = sm_declare(segment.m, &o, &diag);
			for (i = 0; i < (k ? 4 : 40); i++) {
				struct sm_str v = { text,
					(size_t)snprintf(text, sizeof(text), "%u", i) };

				if (k == 0)
					sm_counter_add(sm_counter(f, &v, 1), 1);
				else if (k == 1)
					sm_histogram_observe(sm_histogram(f, &v, 1), 1);
				else
					sm_stateset_set(sm_stateset(f, &v, 1), 1);
			}
			again |= calls >= n;
			fail_at = 0;
			if (diag.error) {
				failed++;
				assert_int_equal(diag.error, -ENOMEM);
				assert_ptr_equal(f, &sm_null_family);
			}
			/* Afterwards as if nothing had been. */
			f = declare(&o);
			assert_true(handle_bound(handle_of(
				family_resolve(f, kinds[k], &(struct sm_str){ "after", 5 }, 1))));
			assert_int_equal(sm_heartbeat(segment.m), 0);
		}
		assert_true(n < 19);		/* 64 families */
		if (n == 18)
			break;
	}
	assert_true(failed >= 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		segment_test(family__declared_twice__is_the_same_pointer),
		segment_test(series__resolved_twice__is_the_same_pointer),
		segment_test(series__with_values_of_each_length__are_told_apart),
		segment_test(series__in_thousands__are_all_found),
		segment_test(handle__of_a_wrong_kind_or_count__is_the_null_one),
		segment_test(handle__beyond_the_cap__is_the_overflow_one),
		segment_test(handle__removed__is_null_until_resolved_again),
		segment_test(family__switched_off__is_null),
		segment_test(everything__with_any_allocation_failing__goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
