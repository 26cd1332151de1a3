/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "exporter/history/ids.h"

static void ids__many_of_one_hash__are_all_found(void **state)
{
	struct ids ids = { 0 };
	uint32_t at, n = 0, i;
	uint64_t sum = 0;

	for (i = 1; i <= 100; i++)
		assert_int_not_equal(ids_add(&ids, 42, i), IDS_NONE);
	ids_add(&ids, 43, 1000);
	for (at = ids_first(&ids, 42); at != IDS_NONE; at = ids_next(&ids, at), n++)
		sum += ids.entries[at].id;
	assert_int_equal(n, 100);
	assert_int_equal(sum, 5050);
	assert_int_equal(ids_first(&ids, 44), IDS_NONE);
	ids_clear(&ids);
	assert_int_equal(ids_first(&ids, 42), IDS_NONE);
}

static uint32_t id_at(const struct ids *ids, uint32_t position)
{
	return ids->entries ? ids->entries[position].id : 0;
}

static void ids__added_and_removed_at_random__hold_what_they_should(void **state)
{
	enum { N = 20000 };
	static uint32_t where[N];
	struct ids ids = { 0 };
	uint64_t x = 1234567;
	uint32_t i, at, live = 0;

	memset(where, 0xff, sizeof(where));
	for (i = 0; i < 10 * N; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		at = (uint32_t)(x >> 33) % N;
		if (where[at] == IDS_NONE) {
			where[at] = ids_add(&ids, ids_hash(7, &at, sizeof(at)), at + 1);
			assert_true(where[at] < ids.n);
			live++;
		} else {
			assert_int_equal(id_at(&ids, where[at]), at + 1);
			ids_remove(&ids, where[at]);
			where[at] = IDS_NONE;
			live--;
		}
	}
	assert_int_equal(ids.live, live);
	assert_true(ids.n <= N);
	for (at = 0; at < N; at++)
		assert_int_equal(ids_first(&ids, ids_hash(7, &at, sizeof(at))), where[at]);
	ids_clear(&ids);
}

static void hash__every_byte_and_the_length__matter(void **state)
{
	uint8_t b[40] = { 0 };
	uint64_t whole = ids_hash(1, b, sizeof(b));
	size_t i;

	for (i = 0; i < sizeof(b); i++) {
		b[i] ^= 1;
		assert_true(ids_hash(1, b, sizeof(b)) != whole);
		b[i] ^= 1;
		assert_true(ids_hash(1, b, i) != whole);
	}
	assert_true(ids_hash(2, b, sizeof(b)) != whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids__many_of_one_hash__are_all_found),
		cmocka_unit_test(ids__added_and_removed_at_random__hold_what_they_should),
		cmocka_unit_test(hash__every_byte_and_the_length__matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
