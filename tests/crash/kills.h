/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kills.h - kill writers by the thousand and see that every total stays right.
 *
 * Six victims run at any time, under eighteen names, on a segment of eight slots, so that every start is
 * an adoption, a claim or a fold. Each is killed with SIGKILL: some by the parent, uniformly 0 to
 * 20 ms after their first update; some by themselves, at a step of claim, adopt or fold. The header
 * counts deaths inside those (header.recovered), which proves that enough of them were hit.
 */
#ifndef CRASH_KILLS_H
#define CRASH_KILLS_H

#include <poll.h>

#include "workload.h"

#define VICTIMS 6
#define NAMES 18
#define BATCH 64

struct victim {
	pid_t pid;
	int pipe;
	uint64_t kill_at_ns;	/* 0: not before its first acknowledgement */
};

static void victim_main(unsigned number, int pipe, uint32_t die_at_step)
{
	struct handles h;
	uint32_t batch = BATCH;
	struct sm *m;
	char name[16];

	check_context = "victim";
	random_seed((uint64_t)getpid() * 1000003u + number);
	snprintf(name, sizeof(name), "shard-%u", random_below(NAMES));
	if (die_at_step)
		steps_arm(die_at_step);
	if (workload_open(&m, &h, name, random_below(SERIES), 1) != 0)
		_exit(3);
	for (;;) {
		add_relaxed(&ledger->attempted, BATCH);
		workload_update(&h, BATCH);
		if (write(pipe, &batch, sizeof(batch)) != sizeof(batch))
			_exit(4);
	}
}

static void victim_start(struct victim *v, unsigned number, bool by_step)
{
	int ends[2];

	CHECK(pipe(ends) == 0);
	fflush(NULL);
	v->pid = fork();
	CHECK(v->pid >= 0);
	if (v->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[0]);
		/* Claims pass some 10 steps, folds some 20. */
		victim_main(number, ends[1], by_step ? 1 + random_below(14) : 0);
	}
	close(ends[1]);
	v->pipe = ends[0];
	v->kill_at_ns = 0;
}

/* Read what it has acknowledged; false at the end of the pipe. */
static bool victim_drain(struct victim *v)
{
	uint32_t batches[256];
	ssize_t n = read(v->pipe, batches, sizeof(batches));
	size_t i;

	CHECK(n >= 0 && n % (ssize_t)sizeof(batches[0]) == 0);
	for (i = 0; i < (size_t)n / sizeof(batches[0]); i++)
		add_relaxed(&ledger->acked, batches[i]);
	return n > 0;
}

static int victim_end(struct victim *v)
{
	int status;

	kill(v->pid, SIGKILL);
	while (victim_drain(v))
		;
	close(v->pipe);
	while (waitpid(v->pid, &status, 0) < 0)
		CHECK(errno == EINTR);
	return status;
}

static void tell_progress(uint64_t kills, uint64_t wanted, uint64_t since_ns)
{
	struct sm_header h;

	if (!segment_header(&h))
		return;
	printf("%llu of %llu kills, %llu s: claims %llu, adoptions %llu, folds %llu; deaths inside: claim %llu, adopt %llu, fold %llu, register %llu; %llu snapshots, %llu retries, %llu stale\n",
	       (unsigned long long)kills, (unsigned long long)wanted,
	       (unsigned long long)((now_ns() - since_ns) / 1000000000u), (unsigned long long)h.claims,
	       (unsigned long long)h.adoptions, (unsigned long long)h.folds,
	       (unsigned long long)h.recovered[SM_OP_CLAIM], (unsigned long long)h.recovered[SM_OP_ADOPT],
	       (unsigned long long)h.recovered[SM_OP_FOLD], (unsigned long long)h.recovered[SM_OP_REGISTER],
	       (unsigned long long)ledger->snapshots, (unsigned long long)ledger->retries,
	       (unsigned long long)ledger->stale);
	fflush(stdout);
}

/* The kill loop: one victim ends, another starts. Returns how many were killed. */
static uint64_t kill_many(uint64_t wanted, uint64_t since_ns)
{
	struct victim victims[VICTIMS];
	struct pollfd p[VICTIMS];
	uint64_t kills = 0, refused = 0, started = 0, told = now_ns();
	unsigned i;

	for (i = 0; i < VICTIMS; i++)
		victim_start(&victims[i], (unsigned)started++, false);
	while (kills < wanted) {
		for (i = 0; i < VICTIMS; i++)
			p[i] = (struct pollfd){ .fd = victims[i].pipe, .events = POLLIN };
		CHECK(poll(p, VICTIMS, 1) >= 0);
		for (i = 0; i < VICTIMS; i++) {
			struct victim *v = &victims[i];
			bool ended = false;

			if (p[i].revents) {
				ended = !victim_drain(v);
				if (!v->kill_at_ns)
					v->kill_at_ns = now_ns() + random_below(20000) * UINT64_C(1000);
			}
			if (!ended && (!v->kill_at_ns || now_ns() < v->kill_at_ns))
				continue;
			if (was_killed(victim_end(v)))
				kills++;
			else if (++refused > 100 + wanted / 10)
				FAIL("%llu victims could not count", (unsigned long long)refused);
			victim_start(v, (unsigned)started++, random_below(100) < 55);
		}
		if (now_ns() - told > 20 * UINT64_C(1000000000)) {
			told = now_ns();
			tell_progress(kills, wanted, since_ns);
		}
	}
	for (i = 0; i < VICTIMS; i++)
		kills += was_killed(victim_end(&victims[i]));
	return kills;
}

/* A writer that nobody kills: what is left half done is mended by it. */
static void late_comer(void *unused)
{
	struct handles h;
	struct sm *m;

	(void)unused;
	CHECK(workload_open(&m, &h, "late-comer", 0, 1) == 0);
	sm_close(m);
}

UNUSED static void run_kills(uint64_t wanted)
{
	uint64_t since = now_ns(), kills, inside;
	struct sm_header h;
	int status;
	pid_t reader;

	fflush(NULL);
	reader = fork();
	CHECK(reader >= 0);
	if (reader == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		poll_totals(NULL);
		_exit(0);
	}
	kills = kill_many(wanted, since);
	store_release(&ledger->stop, 1);
	while (waitpid(reader, &status, 0) < 0)
		CHECK(errno == EINTR);
	if (!was_fine(status))
		FAIL("the reader ended with wait status 0x%x", status);
	run_process_fine(late_comer, NULL);
	check_final(ledger->acked, ledger->attempted);
	segment_check_clean();
	tell_progress(kills, wanted, since);
	CHECK(segment_header(&h));
	CHECK(h.op == SM_OP_NONE && ledger->snapshots > 0);
	inside = h.recovered[SM_OP_CLAIM] + h.recovered[SM_OP_ADOPT] + h.recovered[SM_OP_FOLD];
	printf("%llu kills, %llu (%.0f %%) inside claim, adopt or fold; acknowledged %llu <= total <= attempted %llu\n",
	       (unsigned long long)kills, (unsigned long long)inside, 100.0 * (double)inside / (double)kills,
	       (unsigned long long)ledger->acked, (unsigned long long)ledger->attempted);
	if (inside * 5 < kills)
		FAIL("fewer than 20 %% of the kills were inside claim, adopt or fold");
}

#endif
