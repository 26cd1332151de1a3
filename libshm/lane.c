/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lane.c - see lane.h.
 *
 * What a forked child finds: the control block and all rows are zero. So no region is claimed, no
 * lane is prepared, no row is owned. The thread that forked still has its row in thread-local
 * storage, and so have its source files; rows are never given out twice within a family of
 * processes but to threads of the same process (next_row only grows and is inherited), so that row
 * is its own in the child, too.
 *
 * A lane's owner word, in the control block:
 *	0			not prepared
 *	LANE_FREE		prepared, nobody's
 *	kernel thread id + 1	taken
 */
#include "lane.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "writer.h"

#define ROWS		1024u
#define MUTEX_WAIT_NS	UINT64_C(5000000000)
#define LANE_FREE	1u

#define KEY_SHIFT	48

struct row {
	char *lane[2 * LANE_REGIONS];
};

struct control {
	uint32_t mutex;			/* 0 free, 1 taken, 2 taken and waited for */
	uint32_t process;		/* kernel process id; 0 not asked yet */
	uint32_t failed_claims;		/* of a forked child: it asks again from time to time only */
	uint32_t claimed[LANE_REGIONS];
	uint32_t wanted[LANE_REGIONS];
	uint32_t owner[LANE_REGIONS][SM_MAX_LANES_PER_SLOT];
	char *shared[LANE_REGIONS];
	char *lane[LANE_REGIONS][SM_MAX_LANES_PER_SLOT];
	uint32_t row_owner[ROWS];	/* kernel thread id, 0 none in this process */
	uint64_t inline_region;		/* key << KEY_SHIFT | number; 0 none */
	uint32_t generation;		/* of what bindings keep, see sm_lane_view(); 0 in a new child */
};

static struct control *control;		/* NULL until lanes_init() */
static struct row *rows;
static uint32_t next_row;
static struct sm *region_owner[LANE_REGIONS];	/* ordinary memory: inherited */
static uint32_t last_generation;		/* the same, so that a child never repeats one */
uint32_t lanes_keys_left = UINT16_MAX;		/* the same: the next key, descending to 1 */

static __thread struct row *my_row;
static __thread uint32_t my_tries;

/* ---- set-up ------------------------------------------------------------------------------- */

static __thread bool fork_locked;

static void before_fork(void)
{
	/* Whatever is under way ends first, so that the child's copy is whole. A holder that does
	 * not finish in time is stopped in a debugger; forking then is no worse than _Fork(). */
	fork_locked = process_lock() == 0;
}

static void after_fork_parent(void)
{
	if (fork_locked)
		process_unlock();
}

int lanes_init(void)
{
	static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
	size_t head = (sizeof(struct control) + SM_PAGE - 1) / SM_PAGE * SM_PAGE;
	size_t bytes = head + ROWS * sizeof(struct row);
	char *p;
	int rc = 0;

	pthread_mutex_lock(&once);
	if (!load_acquire(&control)) {
		p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED) {
			rc = -errno;
		} else if (madvise(p, bytes, MADV_WIPEONFORK) != 0) {
			munmap(p, bytes);
			rc = -ENOSYS;
		} else {
			rows = (struct row *)(void *)(p + head);
			/* The child's mutex is wiped, so it needs no handler there. */
			pthread_atfork(before_fork, after_fork_parent, NULL);
			store_release(&control, (struct control *)(void *)p);
		}
	}
	pthread_mutex_unlock(&once);
	return rc;
}

static long futex(uint32_t *word, int op, uint32_t value, const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, timeout, NULL, 0);
}

bool process_trylock(void)
{
	uint32_t free_word = 0;

	return cas_acq_rel(&control->mutex, &free_word, 1u);
}

int process_lock(void)
{
	struct timespec step = { 0, 100000000 };
	uint64_t until = 0, now;

	if (process_trylock())
		return 0;
	while (__atomic_exchange_n(&control->mutex, 2u, __ATOMIC_ACQ_REL) != 0) {
		/* By the clock: among busy threads one may be woken many times and come too late. */
		now = clock_ns(CLOCK_MONOTONIC);
		if (!until)
			until = now + MUTEX_WAIT_NS;
		else if (now >= until)
			return -ETIMEDOUT;
		futex(&control->mutex, FUTEX_WAIT, 2, &step);
	}
	return 0;
}

void process_unlock(void)
{
	if (__atomic_exchange_n(&control->mutex, 0u, __ATOMIC_ACQ_REL) == 2)
		futex(&control->mutex, FUTEX_WAKE, 1, NULL);
}

/* ---- rows --------------------------------------------------------------------------------- */

static uint32_t thread_id(void)
{
	return (uint32_t)syscall(SYS_gettid);
}

/* The process whose memory this is: in a vfork child that is its parent. */
static uint32_t process_id(void)
{
	uint32_t id = load_relaxed(&control->process);

	if (!id) {
		id = (uint32_t)getpid();
		store_relaxed(&control->process, id);
	}
	return id;
}

/* A thread of this process that the kernel does not know any more runs no code of anybody. */
static bool thread_gone(uint32_t tid)
{
	return syscall(SYS_tgkill, (int)process_id(), (int)tid, 0) != 0 && errno == ESRCH;
}

static struct row *take_row(uint32_t tid)
{
	uint32_t i, n = load_relaxed(&next_row), owner;

	n = n < ROWS ? n : ROWS;
	for (i = 0; i < n; i++) {
		owner = load_relaxed(&control->row_owner[i]);
		/* Our own number on a row that is not ours: a thread that had our id before us. */
		if (owner && (owner == tid || thread_gone(owner)) &&
		    cas_relaxed(&control->row_owner[i], &owner, tid)) {
			memset(rows[i].lane, 0, sizeof(rows[i].lane));
			return &rows[i];
		}
	}
	i = load_relaxed(&next_row);
	if (i < ROWS)
		i = fetch_add_relaxed(&next_row, 1);
	if (i >= ROWS)
		return NULL;
	store_relaxed(&control->row_owner[i], tid);
	return &rows[i];
}

/* The calling thread's row; NULL if all are taken. */
static struct row *have_row(void)
{
	if (!my_row)
		my_row = take_row(thread_id());
	else if (!load_relaxed(&control->row_owner[my_row - rows]))
		store_relaxed(&control->row_owner[my_row - rows], thread_id());	/* forked */
	return my_row;
}

/* ---- regions ------------------------------------------------------------------------------ */

int lanes_region_new(struct sm *m)
{
	unsigned i;

	for (i = 1; i < LANE_REGIONS; i++)
		if (!region_owner[i]) {
			store_release(&region_owner[i], m);
			return (int)i;
		}
	return -ENOSPC;
}

void lanes_changed(void)
{
	uint32_t next = fetch_add_relaxed(&last_generation, 1) + 1;

	/* Release: who sees it finds the new cells. Pairs with sm_lane_view()'s caller. */
	store_release(&control->generation, next ? next : fetch_add_relaxed(&last_generation, 1) + 1);
}

const uint32_t *lanes_generation_word(void)
{
	return &control->generation;
}

uint32_t lanes_generation(void)
{
	if (!load_relaxed(&control->generation))
		lanes_changed();
	return load_acquire(&control->generation);
}

void lanes_withdraw(unsigned number)
{
	uint32_t i, n = load_relaxed(&next_row);

	lanes_changed();
	if (lanes_inline() == number)
		store_relaxed(&control->inline_region, 0);
	store_release(&control->claimed[number], 0);
	for (i = 0; i < SM_MAX_LANES_PER_SLOT; i++)
		store_relaxed(&control->owner[number][i], 0);
	for (i = 0; i < n && i < ROWS; i++) {
		store_relaxed(&rows[i].lane[2 * number], NULL);
		store_relaxed(&rows[i].lane[2 * number + 1], NULL);
	}
	store_relaxed(&control->shared[number], NULL);
	store_relaxed(&control->wanted[number], 0);
}

void lanes_region_free(unsigned number)
{
	lanes_withdraw(number);
	store_release(&region_owner[number], NULL);
}

void lanes_publish_shared(unsigned number, char *shared)
{
	store_relaxed(&control->shared[number], shared);
	store_release(&control->claimed[number], 1);
}

void lanes_publish(unsigned number, unsigned i, char *lane)
{
	store_relaxed(&control->lane[number][i], lane);
	store_release(&control->owner[number][i], LANE_FREE);
}

bool lanes_claimed(unsigned number)
{
	return control && load_acquire(&control->claimed[number]);
}

unsigned lanes_prepared(unsigned number)
{
	unsigned i, n = 0;

	for (i = 1; i < SM_MAX_LANES_PER_SLOT; i++)
		n += load_relaxed(&control->owner[number][i]) != 0;
	return n;
}

unsigned lanes_free(unsigned number)
{
	uint32_t owner;
	unsigned i, n = 0;

	for (i = 1; i < SM_MAX_LANES_PER_SLOT; i++) {
		owner = load_relaxed(&control->owner[number][i]);
		n += owner == LANE_FREE || (owner && thread_gone(owner - 1));
	}
	return n;
}

bool lanes_wanted(unsigned number)
{
	return __atomic_exchange_n(&control->wanted[number], 0u, __ATOMIC_RELAXED) != 0;
}

/* ---- the inline region --------------------------------------------------------------------- */

void lanes_inline_begin(unsigned number, uintptr_t end)
{
	uint64_t key = lanes_keys_left;

	if (!key || end >> KEY_SHIFT) {
		store_relaxed(&control->inline_region, 0);
		return;
	}
	/* Counted down first: a child forked between the two (_Fork) takes the next one. */
	store_relaxed(&lanes_keys_left, (uint32_t)key - 1);
	/* Release: who makes a word of this key sees that no handle has an older one. */
	store_release(&control->inline_region, key << KEY_SHIFT | number);
}

unsigned lanes_inline(void)
{
	return (unsigned)(load_relaxed(&control->inline_region) & (LANE_REGIONS - 1));
}

struct sm *lanes_inline_writer(void)
{
	return load_relaxed(&region_owner[lanes_inline()]);
}

sm_where_ lanes_inline_where(sm_where_ place)
{
	uint64_t now = load_relaxed(&control->inline_region);

	return now && WHERE_ENTRY(place) == 2 * lanes_inline() ?
		       now >> KEY_SHIFT << KEY_SHIFT | WHERE_BYTE(place) : 0;
}

uint64_t lane_inline_word(void)
{
	const char *lane;
	uint64_t now;

	if (!my_row)
		return UINT64_MAX;
	now = load_acquire(&control->inline_region);
	/* Between the two the number may become another region's: then the word has an old key and
	 * is good for nothing. */
	lane = load_relaxed(&my_row->lane[2 * (now & (LANE_REGIONS - 1))]);
	return lane ? (now >> KEY_SHIFT << KEY_SHIFT) - (uintptr_t)lane : UINT64_MAX;
}

/* ---- the slow path of updates ------------------------------------------------------------- */

/* A lane of its own for the calling thread, or NULL. */
static char *take_lane(unsigned number, struct row *row)
{
	uint32_t owner, tid, i;
	struct sm *m;

	/* A thread that found none asks again from time to time only: asking costs system calls. */
	if (my_tries && my_tries++ % 1024)
		return NULL;
	tid = thread_id();
	for (i = 1; i < SM_MAX_LANES_PER_SLOT; i++) {
		owner = load_acquire(&control->owner[number][i]);
		if (!owner)
			continue;
		if (owner != LANE_FREE && owner != tid + 1 && !thread_gone(owner - 1))
			continue;
		if (cas_acq_rel(&control->owner[number][i], &owner, tid + 1)) {
			my_tries = 0;
			m = load_acquire(&region_owner[number]);
			if (m)
				writer_lane_written(m, number, i, 0);
			store_relaxed(&row->lane[2 * number], control->lane[number][i]);
			return control->lane[number][i];
		}
	}
	my_tries++;
	store_relaxed(&control->wanted[number], 1);
	return NULL;
}

/* *ret_now: a forked child has claimed just now. */
static bool have_claim(unsigned number, bool *ret_now)
{
	struct sm *m = load_acquire(&region_owner[number]);

	*ret_now = false;
	if (load_acquire(&control->claimed[number]))
		return true;
	if (!m || fetch_add_relaxed(&control->failed_claims, 1) % 1024)
		return false;
	*ret_now = writer_claim_in_child(m);
	if (*ret_now)
		store_relaxed(&control->failed_claims, 0);
	return load_acquire(&control->claimed[number]);
}

static uint64_t *lost(struct sm *m)
{
	writer_refuse(m, SM_REFUSED_LOST_UPDATE);
	return NULL;
}

/* The common writer's cell, for an update that has no other place: atomic adds, nobody's lane. */
static uint64_t *common_cell(unsigned number, uint32_t cell, uint32_t ncells)
{
	struct sm *m = load_acquire(&region_owner[number]);
	struct region *r = m ? load_acquire(&m->region) : NULL;
	unsigned lane;

	while (r && r->number != number)
		r = r->older;
	if (!r)
		return NULL;
	lane = sm_lane_number(&r->geo, 0, 0);
	if (!writer_common_cell(m, r, cell) || region_reserve_cells(r, -1, lane, cell, ncells) != 0)
		return lost(m);
	return region_lane(r, lane) + cell;
}

/* As lane_cell(), for a thread that has no lane yet or shares one. */
static uint64_t *find_cell(sm_where_ where, uint32_t ncells, bool *ret_shared)
{
	unsigned entry = WHERE_ENTRY(where), number = entry / 2;
	struct row *row;
	struct sm_slot *slot;
	struct sm *m;
	char *lane = NULL;
	bool now;

	*ret_shared = true;
	if (!number || number >= LANE_REGIONS || !load_acquire(&control))
		return NULL;
	row = have_row();
	if (!have_claim(number, &now))
		return common_cell(number, WHERE_BYTE(where) / 8, ncells);
	m = load_acquire(&region_owner[number]);
	if (now && !writer_has_cell(m, number, WHERE_BYTE(where) / 8))
		return lost(m);		/* removed before this child took hold of it */
	if (entry % 2 == 0 && row) {
		lane = load_relaxed(&row->lane[entry]);
		if (!lane)
			lane = take_lane(number, row);
		*ret_shared = !lane;
	}
	if (!lane) {
		lane = load_relaxed(&control->shared[number]);
		/* Remembered only once the lane is known to have counts: then nobody asks again. */
		if (m && writer_lane_written(m, number, 0, WHERE_BYTE(where) / 8) && row && entry % 2)
			store_relaxed(&row->lane[entry], lane);
		slot = entry % 2 == 0 && m ? writer_slot(m) : NULL;
		if (slot)
			add_relaxed(&slot->shared_updates, 1);
	}
	return lane ? (uint64_t *)(void *)(lane + WHERE_BYTE(where)) : NULL;
}

uint64_t *lane_cell(sm_where_ where, uint32_t ncells, bool *ret_shared)
{
	const struct row *row = my_row;
	unsigned entry = WHERE_ENTRY(where);
	uint64_t *cell;
	char *lane;
	int saved;

	/* Zero in a child, as the whole row. */
	lane = row && entry < 2 * LANE_REGIONS ? load_relaxed(&row->lane[entry]) : NULL;
	if (SM_LIKELY_(lane)) {
		*ret_shared = entry & 1;
		return (uint64_t *)(void *)(lane + WHERE_BYTE(where));
	}
	saved = errno;
	cell = find_cell(where, ncells, ret_shared);
	errno = saved;
	return cell;
}

uint64_t *lane_shared_cell(sm_where_ where, uint32_t ncells)
{
	bool shared;

	return lane_cell(where | 1, ncells, &shared);
}

char *lane_own(unsigned number)
{
	struct row *row = have_row();
	char *lane;

	if (!row)
		return NULL;
	lane = load_relaxed(&row->lane[2 * number]);
	my_tries = 0;
	return lane ? lane : take_lane(number, row);
}

char *lane_shared(unsigned number)
{
	return load_relaxed(&control->shared[number]);
}

void lane_add_double(uint64_t *cell, double v)
{
	uint64_t old = load_relaxed(cell), bits;
	double sum;

	do {
		memcpy(&sum, &old, sizeof(sum));
		sum += v;
		memcpy(&bits, &sum, sizeof(bits));
	} while (!cas_relaxed(cell, &old, bits));
}
