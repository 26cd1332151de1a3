/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_proc_clone.c - threads made by hand with clone(), not by the C library.
 *
 * With thread-local storage of its own such a thread is as good as any: exact. One that shares
 * its maker's (no CLONE_SETTLS) writes to its maker's lane: as shardmeter.h says, it must not
 * update. What it does all the same harms nobody: while its maker waits every update counts, and
 * when both update at once some of these may be lost, but nothing else changes.
 */
#include <linux/futex.h>
#include <sys/syscall.h>

#include "proc.h"

#if !defined(__x86_64__) || !defined(__GLIBC__)

int main(void)
{
	printf("thread-local storage is copied by hand for x86-64 with glibc only\n");
	return EXIT_SKIP;
}

#else

#define THREAD_FLAGS                                                                        \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | \
		CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)
#define STACK (256 * 1024)
#define ADDS 200000

static struct sm_counter *counter;
static struct sm_histogram *histogram;

struct thread {
	char *stack;
	uint32_t tid;		/* cleared by the kernel at the end */
	unsigned adds;
};

static int thread_main(void *arg)
{
	struct thread *t = arg;
	unsigned i;

	for (i = 0; i < t->adds; i++) {
		sm_counter_add(counter, 1);
		sm_histogram_observe_ns(histogram, 5000000);
	}
	return 0;
}

static void start(struct thread *t, unsigned adds, void *tls)
{
	t->adds = adds;
	t->stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	CHECK(t->stack != MAP_FAILED);
	CHECK(clone(thread_main, t->stack + STACK, THREAD_FLAGS | (tls ? CLONE_SETTLS : 0), t,
		      &t->tid, tls, &t->tid) > 0);
}

static void join(struct thread *t)
{
	uint32_t tid;

	while ((tid = __atomic_load_n(&t->tid, __ATOMIC_ACQUIRE)))
		syscall(SYS_futex, &t->tid, FUTEX_WAIT, tid, NULL, NULL, 0);
	munmap(t->stack, STACK);
}

/*
 * A copy of this thread's static thread-local storage: what lies below and above the thread
 * pointer in its mapping. Made before this thread's first update, so that the copy is a fresh
 * one.
 */
static void *copy_tls(void)
{
	char *self = __builtin_thread_pointer(), *from, *to, *copy, line[512];
	unsigned long lo = 0, hi = 0;
	FILE *maps = fopen("/proc/self/maps", "r");

	CHECK(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &lo, &hi) == 2 && (unsigned long)self >= lo &&
			(unsigned long)self < hi)
			break;
	fclose(maps);
	CHECK((unsigned long)self >= lo && (unsigned long)self < hi);
	from = (unsigned long)self - lo > 8192 ? self - 8192 : (char *)lo;
	to = hi - (unsigned long)self > 4096 ? self + 4096 : (char *)hi;
	copy = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(copy != MAP_FAILED);
	/* The same place within a cache line, for what is aligned in it. */
	copy += 8192;
	memcpy(copy - (self - from), from, (size_t)(to - from));
	((void **)(void *)copy)[0] =
		copy; /* the thread control block begins with its own address, */
	((void **)(void *)copy)[2] = copy;	/* and has it again as `self` */
	return copy;
}

static struct sm *open_all(void)
{
	struct sm *m = open_writer("w");

	counter = open_counter(m, "c_total");
	histogram = open_histogram(m, "h");
	return m;
}

static void threads__with_storage_of_their_own__are_exact(void)
{
	struct thread t[6];
	struct sm *m = open_all();
	void *tls[6];
	unsigned i;

	for (i = 0; i < 6; i++)
		tls[i] = copy_tls();
	for (i = 0; i < 6; i++)
		start(&t[i], ADDS, tls[i]);
	for (i = 0; i < ADDS; i++) {
		sm_counter_add(counter, 1);
		sm_histogram_observe_ns(histogram, 1);
	}
	for (i = 0; i < 6; i++)
		join(&t[i]);
	CHECK_U64(count_of(test_path, "c_total"), 7 * ADDS);
	CHECK_U64(count_of(test_path, "h"), 7 * ADDS);
	CHECK(sm_heartbeat(m) == 0);
	check_sane(test_path);
}

static void thread__that_shares_storage__while_its_maker_waits__counts(void)
{
	struct thread t;
	struct sm *m = open_all();

	sm_counter_add(counter, 1);
	start(&t, 1000, NULL);
	join(&t);
	sm_counter_add(counter, 1);
	CHECK_U64(count_of(test_path, "c_total"), 1002);
	CHECK(sm_heartbeat(m) == 0);
}

static void thread__that_shares_storage__harms_nobody(void)
{
	struct thread t;
	struct sm *m = open_all();
	struct sm_counter *other = open_counter(m, "other_total");
	uint64_t n;
	unsigned i;

	start(&t, ADDS, NULL);
	for (i = 0; i < ADDS; i++) {
		sm_counter_add(counter, 1);
		sm_counter_add(other, 1);
	}
	join(&t);
	n = count_of(test_path, "c_total");
	printf("%llu of %u counted\n", (unsigned long long)n, 2 * ADDS);
	CHECK(n > 0 && n <= 2 * ADDS);
	CHECK_U64(count_of(test_path, "other_total"), ADDS);
	CHECK(sm_heartbeat(m) == 0);
	check_sane(test_path);
}

static const struct test_case cases[] = {
	TEST_CASE(threads__with_storage_of_their_own__are_exact),
	TEST_CASE(thread__that_shares_storage__while_its_maker_waits__counts),
	TEST_CASE(thread__that_shares_storage__harms_nobody),
};

TEST_MAIN(cases)

#endif
