/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lane.h - which lane a thread writes to: rows, prepared lanes, fork.
 *
 * The process has one mapping marked MADV_WIPEONFORK: a control block and an array of rows. Each
 * thread owns a row: per region two lanes, [2r] its own lane, [2r + 1] the writer's
 * shared lane. A forked child (also of _Fork() or clone()) sees zeros, as it does in the handles'
 * public parts (handle.h), so that its first update is sent to the slow path and it becomes a
 * writer of its own.
 *
 * Threads are known by their kernel id. A row or lane whose thread is gone (tgkill() says ESRCH) is
 * taken over by the next thread that needs one; nothing is registered for thread exit, so
 * updates from the last destructor of a thread are as good as any, and no destructor of ours
 * runs. All of this is lock-free and safe in signal handlers.
 *
 * Region 0 is nowhere: its row entries are always NULL.
 *
 * The inline code of shardmeter.h knows one lane a thread, its own in the process' inline region:
 * the first one that the process claims, and after that was given up or its file replaced the next.
 * It finds it by thread-local words of the program's source files, which a child inherits and nobody
 * can take back. So lanes have keys: where the inline code is to find a cell of the inline region,
 * `where` is key << 48 | byte of the cell, and the word is (key << 48) - the lane's address, never
 * below any `where` but those of its own key. Each claim has another key, smaller than all before it in
 * this process and in those that it descends from. A word that is older than `where` has the greater
 * key, and the subtraction borrows. The other way round it would not, and must never happen. These
 * three together see to it:
 *
 *  - No handle keeps a `where` of the old key when a new one is told (publish_handles() in bind.h).
 *  - A word is made by the thread it belongs to, by acquiring what tells the key.
 *  - The inline code reads its word first, then `where`. A signal handler that comes between them
 *    may change the word, but the old one is used.
 */
#ifndef SM_LANE_H
#define SM_LANE_H

#include <shardmeter.h>
#include <stdbool.h>
#include "region.h"

#define LANE_REGIONS 64u

struct sm;

#define WHERE(entry, cell) ((sm_where_)(cell) << 35 | (entry))
#define WHERE_ENTRY(where) ((uint8_t)(where))
#define WHERE_BYTE(where) ((uint32_t)((where) >> 32))

/* Set up the process-wide mapping; 0 or -errno (-ENOSYS: kernel too old). Thread: safe. */
int lanes_init(void);

/* The process mutex: around everything but updates. lock waits up to 5 s and returns
 * 0 or -ETIMEDOUT; trylock never waits (for the update path, also in signal handlers). */
int process_lock(void);
bool process_trylock(void);
void process_unlock(void);

/* A number for a new region (1 to LANE_REGIONS - 1), or -ENOSPC. Process mutex held. */
int lanes_region_new(struct sm *m);
/* No thread updates through it any more: clear every row's entries and free the number. */
void lanes_region_free(unsigned number);

/* This process holds a slot in region `number` from now on, with these lanes: lane[0] is the shared
 * one. Prepared lanes are added one by one; 1 <= i < SM_MAX_LANES_PER_SLOT. */
void lanes_publish_shared(unsigned number, char *shared);
void lanes_publish(unsigned number, unsigned i, char *lane);
bool lanes_claimed(unsigned number);
/* Give up the claim (sm_close(), or a claim that failed half way): rows forget their lanes. */
void lanes_withdraw(unsigned number);

/*
 * From now on region `number`, which is claimed, is the inline region, with a new key. Not if this
 * process and its forebears have used up all keys, or the memory behind the lanes ends at `end`, too
 * high up to leave room for a key: then the process has none. Process mutex held.
 */
void lanes_inline_begin(unsigned number, uintptr_t end);

/* The inline region's number, and its writer: 0 and NULL if there is none. */
unsigned lanes_inline(void);
struct sm *lanes_inline_writer(void);

/* What the inline code needs to find a thread's own cell at `place`: 0 unless that is in the inline region.
 * Process mutex held. */
sm_where_ lanes_inline_where(sm_where_ place);

/* The calling thread's word for it: UINT64_MAX while it has no lane there. Signal: safe. */
uint64_t lane_inline_word(void);

extern uint32_t lanes_keys_left;	/* for tests only */

/* Some handle has another cell than before, or none: bindings that keep cells must ask again. */
void lanes_changed(void);
/* The word that says so, 0 in a new process; and a value of it that is not. Process mutex held. */
const uint32_t *lanes_generation_word(void);
uint32_t lanes_generation(void);

/* Lanes of region `number` that are prepared and free, and that are prepared at all. */
unsigned lanes_free(unsigned number);
unsigned lanes_prepared(unsigned number);
/* A thread wanted a lane and there was none, since the last call. */
bool lanes_wanted(unsigned number);

/*
 * lane_cell - where the calling thread shall write `where`. Returns the cell and sets *ret_shared:
 * false, the cell is this thread's own (plain add); true, others write it, too (atomic add).
 * In a forked child it claims a slot first. If no slot can be had: the common writer's shared lane, for
 * what is not a gauge. ncells from there are usable. NULL: nowhere (null handle; or counted as a lost
 * update: a gauge without a slot, a series that was removed before the child claimed, or not even the
 * common lane has the page).
 * For the slow paths of updates. Signal: safe.
 */
uint64_t *lane_cell(sm_where_ where, uint32_t ncells, bool *ret_shared);

/* The writer's shared lane's cell, claiming as lane_cell() does. */
uint64_t *lane_shared_cell(sm_where_ where, uint32_t ncells);

/* The calling thread's own lane in region `number`, taking one if need be: NULL if there is none.
 * And the writer's shared lane: NULL if the region is not claimed in this process. */
char *lane_own(unsigned number);
char *lane_shared(unsigned number);

/* Add by the right method for *shared. */
static inline void lane_add(uint64_t *cell, bool shared, uint64_t n)
{
	if (shared)
		add_relaxed(cell, n);
	else
		sm_cell_add_(cell, n);
}

/* Add to a cell that holds the bits of a double. Compare-and-swap: exact also when a signal handler
 * of the same thread falls between. */
void lane_add_double(uint64_t *cell, double v);

#endif
