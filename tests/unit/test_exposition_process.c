/* SPDX-License-Identifier: Apache-2.0 */
// SKIP-UNDER: arm64 qemu-user makes up /proc/PID/stat for its own program
/* Tests of exporter/exposition/process.c and own_writer.c: processes, by /proc and by heartbeat. */
#include "exposition_zoo.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include "exporter/exposition/process.h"

static void process__this_one__plausible_and_kept(void **state)
{
	struct process_table *t;
	struct process p, again;
	struct rlimit rl;
	int fd;

	assert_int_equal(process_table_create(&t), 0);
	assert_int_equal(process_get(t, getpid(), 0, &p), 0);
	assert_int_equal(p.threads, 1);
	assert_true(p.resident_bytes > 100000 && p.resident_bytes < p.virtual_bytes);
	assert_true(p.open_fds >= 3 && p.open_fds < 100);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &rl), 0);
	assert_true(p.max_fds == (rl.rlim_cur == RLIM_INFINITY ? PROCESS_UNKNOWN : rl.rlim_cur));
	assert_true(p.start_boot_ns > 0);
	/* What was read is kept for a second. */
	fd = dup(0);
	assert_int_equal(process_get(t, getpid(), p.start_boot_ns, &again), 0);
	assert_memory_equal(&p, &again, sizeof(p));
	close(fd);
	process_table_free(t);
}

static void process__another_of_its_number__not_believed(void **state)
{
	struct process_table *t;
	struct process p;
	pid_t child;

	assert_int_equal(process_table_create(&t), 0);
	assert_int_equal(process_get(t, getpid(), 0, &p), 0);
	assert_int_equal(process_get(t, getpid(), p.start_boot_ns + 10000000, &p), -ESRCH);
	child = fork();
	if (child == 0)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(process_get(t, child, 0, &p), -ESRCH);
	process_table_free(t);
}

/* What is said of shard-1. */
static void expect_writer(struct zoo *z, const char *expect)
{
	char *text = zoo_body(z, "writer[]=shard-1&name[]=shardmeter_writer_max_fds&"
		"name[]=shardmeter_writer_threads&name[]=shardmeter_writer_cpu_seconds_total", NULL),
		*from, *to = text, *next;

	for (from = text; *from; from = next) {
		next = strchr(from, '\n') + 1;
		if (*from == '#')
			continue;
		memmove(to, from, (size_t)(next - from));
		to += next - from;
	}
	*to = '\0';
	assert_string_equal(text, expect);
	free(text);
}

static void writer__other_namespace__by_its_heartbeat(void **state)
{
	struct sm_slot *s;
	struct zoo z;

	zoo_new(&z, 1);
	s = builder_slot(&z.b[0], 1);
	s->pid = (uint64_t)getpid();
	s->pidns = process_namespace() + 1;
	zoo_take(&z, 0);
	expect_writer(&z, "");		/* it never gave one */
	s->usage.at_boot_ns = 5;
	s->usage.cpu_user_ns = 1500000000;
	s->usage.cpu_system_ns = 250000000;
	s->usage.threads = 7;
	s->usage.max_fds = UINT64_MAX;	/* no limit: absent */
	zoo_take(&z, 0);
	expect_writer(&z, "shardmeter_writer_cpu_seconds_total{writer=\"shard-1\"} 1.75\n"
		"shardmeter_writer_threads{writer=\"shard-1\"} 7\n");
	zoo_free(&z);
}

static void writer__our_namespace__by_the_kernel(void **state)
{
	struct process_table *t;
	struct process p;
	struct sm_slot *s;
	struct zoo z;
	char *text;

	assert_int_equal(process_table_create(&t), 0);
	assert_int_equal(process_get(t, getpid(), 0, &p), 0);
	process_table_free(t);
	assert_true(process_namespace() > 0);
	zoo_new(&z, 1);
	s = builder_slot(&z.b[0], 1);
	s->pid = (uint64_t)getpid();
	s->pidns = process_namespace();
	s->start_boot_ns = p.start_boot_ns;
	s->usage.at_boot_ns = 5;
	s->usage.threads = 7;		/* older than what the kernel says */
	zoo_take(&z, 0);
	text = zoo_body(&z, "name[]=shardmeter_writer_threads", NULL);
	assert_non_null(strstr(text, "\nshardmeter_writer_threads{writer=\"shard-1\"} 1\n"));
	free(text);
	/* The number was given to another process since. */
	s->start_boot_ns -= 10000000;
	zoo_take(&z, 0);
	text = zoo_body(&z, "name[]=shardmeter_writer_threads", NULL);
	assert_non_null(strstr(text, "\nshardmeter_writer_threads{writer=\"shard-1\"} 7\n"));
	free(text);
	zoo_free(&z);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(process__this_one__plausible_and_kept),
		cmocka_unit_test(process__another_of_its_number__not_believed),
		cmocka_unit_test(writer__other_namespace__by_its_heartbeat),
		cmocka_unit_test(writer__our_namespace__by_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
