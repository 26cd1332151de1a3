/* SPDX-License-Identifier: Apache-2.0 */
/* LDFLAGS: -Wl,--wrap=clock_gettime */
/* TIMEOUT: 240 */
/*
 * test_reader_stress.c - two readers take snapshots at full speed while writers come and go:
 * claims, folds, adoptions, removals, reuse of what was removed, families that are declared anew.
 *
 * Each snapshot must hold at least what was counted before it and at most what was counted after
 * it; no series of any family may go back; no bucket may be ahead of a later one; no label, bound
 * or help text may be of another series; and what the writers have may not exceed the total.
 *
 * Removed storage is meant to rest for 60 s. Here CLOCK_BOOTTIME runs ahead, so that it is reused
 * at once, which is harder on readers than anything they will meet.
 */
#include "counting.h"

#define SLOTS		7
#define STEADY		2		/* writers that stay */
#define PASSING_UPDATES	80u		/* of one that passes by */
#define CHURN_LABELS	6
#define RECORDS		96		/* more than max_series */
#define SECONDS_MIN	6
#define SECONDS_MAX	60
#define COOL_OFF_NS	(UINT64_C(61) * 1000000000u)

struct ledger {
	struct {
		uint64_t begun, done, reserved[6];
	} steady[STEADY];
	uint64_t passing_begun, passing_done;	/* processes */
	uint64_t ahead_ns;
	uint64_t removed, redeclared;
	uint32_t stop;
	struct reading reading[2];
	uint64_t lines;			/* of rendered text */
};

static struct ledger *ledger;		/* shared */

int __real_clock_gettime(clockid_t id, struct timespec *ts);

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc = __real_clock_gettime(id, ts);

	if (id == CLOCK_BOOTTIME && ledger)
		ts->tv_sec += (time_t)(load_relaxed(&ledger->ahead_ns) / 1000000000u);
	return rc;
}

/* ---- writers ------------------------------------------------------------------------------- */

static struct program open_program(const char *name)
{
	struct program p;
	struct sm_diag diag;

	if (program_open(&p, name, SLOTS, &diag))
		FAIL("sm_open(%s): %s", name, diag.message);
	return p;
}

static void run_steady(unsigned number)
{
	struct timespec pause = { 0, 200000 };
	struct program p;
	char name[16];
	uint64_t i;

	snprintf(name, sizeof(name), "steady-%u", number);
	p = open_program(name);
	for (i = 0; !load_relaxed(&ledger->stop); i++) {
		store_relaxed(&ledger->steady[number].begun, i + 1);
		fence_release();
		program_count(&p, i);
		store_release(&ledger->steady[number].done, i + 1);
		if (i % 256 == 255)
			nanosleep(&pause, NULL);
	}
}

static void pass_by(void *arg)
{
	struct program p = open_program(arg);
	uint64_t i;

	__atomic_add_fetch(&ledger->passing_begun, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < PASSING_UPDATES; i++)
		program_count(&p, i);
	__atomic_add_fetch(&ledger->passing_done, 1, __ATOMIC_SEQ_CST);
}

static struct sm_family *declare_churn(struct sm *m)
{
	return declare(m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "churn_total", .labels = { "k" } });
}

/* A series comes, counts, and goes. */
static void churn(void *arg)
{
	struct program p = open_program(arg);
	struct sm_family *f = declare_churn(p.m);
	char label[24];
	unsigned i;

	for (i = 0; i < 4; i++) {
		snprintf(label, sizeof(label), "label-%u", random_below(CHURN_LABELS));
		sm_counter_add(sm_counter(f, SM_LABELS(label)), 1 + random_below(1000));
		if (random_below(2) && sm_remove(f, SM_LABELS(label), 0) == 0)
			add_relaxed(&ledger->removed, 1);
		add_relaxed(&ledger->ahead_ns, COOL_OFF_NS);
	}
}

static const double changing_bounds[] = { 1, 2, 3, 4, 5, 6, 7, 8 };

/* Nobody else holds the family, so each definition replaces the one before. */
static void redeclare(void *arg)
{
	unsigned version = load_relaxed(&ledger->redeclared) % 2;
	struct program p = open_program(arg);
	struct sm_family *f = declare(p.m, &(struct sm_family_options){
		.kind = SM_HISTOGRAM, .name = "changing", .grid = SM_GRID_OFF, .labels = { "k" },
		.help = version ? "Eight bounds." : "Five.",
		.bounds = changing_bounds, .nbounds = version ? 8 : 5 });

	sm_histogram_observe(sm_histogram(f, SM_LABELS(version ? "eight" : "five")), 3);
	add_relaxed(&ledger->redeclared, 1);
	add_relaxed(&ledger->ahead_ns, COOL_OFF_NS);
}

/* Writers that come and go, one after the other. */
static void run_passing(unsigned seed)
{
	void (*next)(void *arg);
	uint64_t jobs = 0;
	char name[24];
	unsigned dice;

	random_seed(seed);
	while (!load_relaxed(&ledger->stop)) {
		dice = random_below(100);
		snprintf(name, sizeof(name), dice % 2 ? "shard-%u" : "job-%u-%llu", seed,
			 LLU(jobs));
		jobs++;
		random_u64();
		/* Only the first declares anew: it must find nobody else with that family. */
		next = dice < 60 ? pass_by : dice < 80 || seed != 1 ? churn : redeclare;
		run_process_fine(next, name);
	}
}

/* ---- readers ------------------------------------------------------------------------------- */

struct remembered {
	uint64_t incarnation;
	uint64_t values[12];
};

struct memory {
	struct remembered series[RECORDS];
};

static void remember(struct memory *memory, const struct sm_series_info *series,
		     const uint64_t *values, unsigned n)
{
	struct remembered *r;
	unsigned i;

	CHECK(series->id < RECORDS && n <= 12);
	r = &memory->series[series->id];
	for (i = 0; r->incarnation == series->incarnation && i < n; i++)
		if (values[i] < r->values[i])
			FAIL("series %u: value %u went back from %llu to %llu", series->id, i,
			     LLU(r->values[i]), LLU(values[i]));
	CHECK(series->incarnation >= r->incarnation);
	r->incarnation = series->incarnation;
	memset(r->values, 0, sizeof(r->values));
	memcpy(r->values, values, n * sizeof(*values));
}

static void look_at_counter(struct memory *memory, const struct sm_snapshot *s,
			    const struct sm_series_info *series, bool per_writer)
{
	double sum = 0;
	struct sm_value v;
	uint64_t value;
	size_t w;

	CHECK(sm_snapshot_number(s, series, SM_ALL_WRITERS, &v) == 0);
	value = (uint64_t)(v.value * 2);	/* a double counter's halves; all values here fit */
	for (w = 0; per_writer && w < s->nwriters; w++) {
		struct sm_value part;

		CHECK(sm_snapshot_number(s, series, (int)w, &part) == 0);
		sum += part.is_set ? part.value : 0;
	}
	CHECK(sum <= v.value);
	remember(memory, series, &value, 1);
}

static void look_at_histogram(struct memory *memory, const struct sm_snapshot *s,
			      const struct sm_family_info *f, const struct sm_series_info *series)
{
	uint64_t values[10];
	struct sm_sum sum;
	unsigned i;

	CHECK(f->nbounds <= 8);
	CHECK(sm_snapshot_classic(s, series, SM_ALL_WRITERS, values, &sum) == 0);
	for (i = 0; i < f->nbounds; i++)
		CHECK(values[i] <= values[i + 1]);
	values[f->nbounds + 1] = (uint64_t)sum.units;
	remember(memory, series, values, f->nbounds + 2);
}

static void look_at_text(const struct sm_family_info *f, const struct sm_series_info *series)
{
	unsigned n;

	if (strcmp(f->name, "churn_total") == 0) {
		CHECK(sscanf(series->values[0].ptr, "label-%u", &n) == 1 && n < CHURN_LABELS);
	} else if (strcmp(f->name, "changing") == 0) {
		CHECK(f->nbounds == 8 || f->nbounds == 5);
		CHECK(strcmp(f->help, f->nbounds == 8 ? "Eight bounds." : "Five.") == 0);
		CHECK(strcmp(series->values[0].ptr, f->nbounds == 8 ? "eight" : "five") == 0);
		for (n = 0; n < f->nbounds; n++)
			CHECK(f->bounds[n] == changing_bounds[n]);
	}
}

static void look_at_all(struct memory *memory, const struct sm_snapshot *s, bool per_writer)
{
	const struct sm_family_info *f;
	size_t i, k;

	for (i = 0; i < s->nfamilies; i++) {
		f = &s->families[i];
		CHECK(!i || strcmp(s->families[i - 1].name, f->name) < 0);
		for (k = 0; k < f->nseries; k++) {
			look_at_text(f, &f->series[k]);
			if (f->kind == SM_COUNTER)
				look_at_counter(memory, s, &f->series[k], per_writer);
			else if (f->kind == SM_HISTOGRAM)
				look_at_histogram(memory, s, f, &f->series[k]);
		}
	}
	for (i = 0; i < s->nwriters; i++)
		for (k = 0; k < i; k++)
			CHECK(strcmp(s->writers[i].name, s->writers[k].name) != 0);
}

static void add_known(struct totals *t, bool begun)
{
	uint64_t n = load_acquire(begun ? &ledger->passing_begun : &ledger->passing_done);
	struct totals one = { { 0 } };
	unsigned i;

	add_updates(&one, PASSING_UPDATES);
	for (i = 0; i < NUMBERS; i++)
		t->n[i] += n * one.n[i];
	for (i = 0; i < STEADY; i++)
		add_updates(t, load_acquire(begun ? &ledger->steady[i].begun :
						    &ledger->steady[i].done));
}

static int count_line(void *ctx, const char *data, size_t len)
{
	uint64_t *lines = ctx;
	size_t i;

	for (i = 0; i < len; i++)
		*lines += data[i] == '\n';
	return 0;
}

static void run_reader(unsigned number)
{
	struct reading *reading = &ledger->reading[number];
	struct memory *memory = calloc(1, sizeof(*memory));
	const struct sm_snapshot *s;
	struct sm_reader *r;
	struct sm_diag diag;
	unsigned i;
	int rc;

	check_context = number ? "[reader of writers]" : "[reader]";
	CHECK(memory);
	rc = sm_reader_open(segment_path, &r, &diag);
	if (rc)
		FAIL("sm_reader_open(): %d %s", rc, diag.message);
	while (!load_relaxed(&ledger->stop)) {
		struct totals least = { { 0 } }, most = { { 0 } }, have;

		add_known(&least, false);
		rc = sm_snapshot_take(r, number ? SM_SNAPSHOT_WRITERS : 0, &s, &diag);
		if (rc == -EAGAIN) {
			add_relaxed(&reading->again, 1);
			continue;
		}
		if (rc)
			FAIL("sm_snapshot_take(): %d %s", rc, diag.message);
		fence_acquire();
		add_known(&most, true);
		have = read_totals(s);
		for (i = 0; !s->stale && i < NUMBERS; i++)
			if (have.n[i] < least.n[i] || have.n[i] > most.n[i])
				FAIL("%s is %llu, not between %llu and %llu", number_names[i],
				     LLU(have.n[i]), LLU(least.n[i]),
				     LLU(most.n[i]));
		look_at_all(memory, s, number);
		if (reading->snapshots % 64 == 0)
			CHECK(sm_snapshot_text(s, 0, count_line, &ledger->lines) == 0);
		add_relaxed(&reading->snapshots, 1);
		add_relaxed(&reading->retries, s->retries);
		add_relaxed(&reading->stale, s->stale ? 1 : 0);
		sm_snapshot_free(s);
	}
	sm_reader_close(r);
	free(memory);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static pid_t start(void (*fn)(unsigned number), unsigned number)
{
	pid_t manager = getpid(), pid = fork();

	CHECK(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == manager)
		fn(number);
	_exit(0);
}

static void make_segment(void *arg)
{
	open_program(arg);
}

/* Has enough happened, of everything? */
static bool enough(void)
{
	struct sm_header h;

	CHECK(segment_header(&h));
	return h.folds >= 100 && h.adoptions >= 30 && h.removals >= 100 &&
	       load_relaxed(&ledger->redeclared) >= 20 &&
	       load_relaxed(&ledger->reading[0].snapshots) >= 500 &&
	       load_relaxed(&ledger->reading[1].snapshots) >= 500;
}

static void tell(void)
{
	struct sm_header h;
	unsigned i;

	CHECK(segment_header(&h));
	printf("%llu claims, %llu folds, %llu adoptions, %llu removals, %llu new definitions\n",
	       LLU(h.claims), LLU(h.folds), LLU(h.adoptions),
	       LLU(h.removals), LLU(ledger->redeclared));
	for (i = 0; i < 2; i++)
		printf("reader %u: %llu snapshots, %llu retries, %llu stale, %llu times none\n", i,
		       LLU(ledger->reading[i].snapshots), LLU(ledger->reading[i].retries),
		       LLU(ledger->reading[i].stale), LLU(ledger->reading[i].again));
}

int main(void)
{
	struct timespec pause = { 0, 50000000 };
	uint64_t begin = now_ns(), seconds = 0;
	pid_t pid[6];
	int status;
	unsigned i;

	segment_init("readers");
	ledger = shared_memory(sizeof(*ledger));
	run_process_fine(make_segment, (void *)(uintptr_t)"maker");
	for (i = 0; i < 2; i++) {
		pid[i] = start(run_steady, i);
		pid[2 + i] = start(run_passing, i + 1);
		pid[4 + i] = start(run_reader, i);
	}
	while (seconds < SECONDS_MIN || (!enough() && seconds < SECONDS_MAX)) {
		nanosleep(&pause, NULL);
		seconds = (now_ns() - begin) / 1000000000u;
		for (i = 0; i < 6; i++)
			if (waitpid(pid[i], &status, WNOHANG) == pid[i])
				FAIL("process %u of the cast ended with status 0x%x", i, status);
	}
	store_relaxed(&ledger->stop, 1);
	for (i = 0; i < 6; i++) {
		CHECK(waitpid(pid[i], &status, 0) == pid[i]);
		CHECK(was_fine(status));
	}
	tell();
	CHECK(enough());
	CHECK(ledger->removed > 0 && ledger->lines > 0);
	segment_check_clean();
	return 0;
}
