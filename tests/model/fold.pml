/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fold.pml - a model of claim, adopt, fold and recovery with deaths at any step, and of a reader.
 *
 * Writers share SLOTS slots of two lanes each. A writer takes the catalog lock, recovers if somebody
 * died in an operation, gets a slot (adopts the dead one of its name, or claims a free one, after a
 * fold if there is none), lets go of the lock, counts, and ends. Then it starts again, LIVES times in
 * all. Between any two steps it may be killed, KILLS times in all; the kernel then drops its locks. A
 * reader makes one attempt at a snapshot, at any time.
 *
 * What is claimed: a snapshot is at least what had been counted when it began and at most what has been
 * counted when it ends, so that no reader ever sees a step back; nothing deadlocks; and at the end
 * there is exactly what was counted. An update is two steps, load and store: two writers on one lane
 * would lose one. Whoever finds no operation under way finds nothing half done.
 *
 * The steps are those of libshm/slot.c, fold.c, recover.c and snapshot.c, with a lane of one cell and a
 * memory that is sequentially consistent. tests/system/test_model.sh checks the model, and that each
 * of the mistakes below (-DBUG_...) is found.
 */
#ifndef SLOTS
#define SLOTS 1
#endif
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef LIVES
#define LIVES 2			/* of the first writer */
#endif
#ifndef OTHER_LIVES
#define OTHER_LIVES 1
#endif
#ifndef KILLS
#define KILLS 2
#endif

#define NOBODY 255

mtype = { FREE, CLAIMING, LIVE, ADOPTING };

bool op;				/* header.op: something is under way */
byte catalog_lock = NOBODY;
mtype state[SLOTS] = FREE;
byte incarnation[SLOTS];
byte fold[SLOTS];
byte name[SLOTS] = NOBODY;
byte life[SLOTS] = NOBODY;		/* who holds the life lock */
byte lane0[SLOTS], lane1[SLOTS];
byte R[2];
byte g;

byte counted;				/* what was really counted */
byte kills = KILLS;

/* After a step that others can see: death, or not. */
#define STEP if :: kills > 0 -> kills--; goto dead :: skip fi

/* ---- fold.c ---- */

#if defined(BUG_MARK_CLEARED_FIRST)
#define FINISH(s) \
	fold[s] = 0; STEP; \
	incarnation[s]++; STEP; \
	lane0[s] = 0; STEP; \
	lane1[s] = 0; STEP; \
	d_step { name[s] = NOBODY; state[s] = FREE }; STEP
#elif defined(BUG_LANES_LEFT)
#define FINISH(s) \
	incarnation[s]++; STEP; \
	d_step { name[s] = NOBODY; state[s] = FREE }; STEP; \
	fold[s] = 0; STEP
#else
#define FINISH(s) \
	incarnation[s]++; STEP; \
	lane0[s] = 0; STEP; \
	lane1[s] = 0; STEP; \
	d_step { name[s] = NOBODY; state[s] = FREE }; STEP; \
	fold[s] = 0; STEP
#endif

#define TO (1 - (g & 1))

#if defined(BUG_COMMIT_BEFORE_ADD)
#define ADD_AND_COMMIT(s) \
	g = g + 1; STEP; \
	R[g & 1] = R[TO]; STEP; \
	R[g & 1] = R[g & 1] + lane0[s]; STEP; \
	R[g & 1] = R[g & 1] + lane1[s]; STEP
#elif defined(BUG_ADD_IN_PLACE)
#define ADD_AND_COMMIT(s) \
	R[g & 1] = R[g & 1] + lane0[s]; STEP; \
	R[g & 1] = R[g & 1] + lane1[s]; STEP; \
	R[TO] = R[g & 1]; STEP; \
	g = g + 1; STEP
#elif defined(BUG_ZERO_BEFORE_COMMIT)
#define ADD_AND_COMMIT(s) \
	R[TO] = R[g & 1]; STEP; \
	R[TO] = R[TO] + lane0[s]; STEP; \
	R[TO] = R[TO] + lane1[s]; STEP; \
	lane0[s] = 0; STEP; \
	lane1[s] = 0; STEP; \
	g = g + 1; STEP
#elif defined(BUG_ADD_TO_WHAT_IS_THERE)
#define ADD_AND_COMMIT(s) \
	R[TO] = R[TO] + lane0[s]; STEP; \
	R[TO] = R[TO] + lane1[s]; STEP; \
	g = g + 1; STEP
#else
#define ADD_AND_COMMIT(s) \
	R[TO] = R[g & 1]; STEP; \
	R[TO] = R[TO] + lane0[s]; STEP; \
	R[TO] = R[TO] + lane1[s]; STEP; \
	g = g + 1; STEP
#endif

#ifdef BUG_NO_MARK
#define MARK(s)
#else
#define MARK(s) fold[s] = g + 1; STEP;
#endif

#define FOLD_SLOT(s) \
	op = true; STEP; \
	MARK(s) \
	ADD_AND_COMMIT(s); \
	FINISH(s); \
	op = false; STEP

/* ---- recover.c ---- */

#if defined(BUG_RECOVERY_ZEROES_UNCOMMITTED)
#define RECOVER_FOLD(s) \
	if \
	:: fold[s] > 0 -> FINISH(s) \
	:: else \
	fi
#elif defined(BUG_RECOVERY_FORGETS_COMMITTED)
#define RECOVER_FOLD(s) \
	if \
	:: fold[s] > 0 -> fold[s] = 0; STEP \
	:: else \
	fi
#elif defined(BUG_NO_RECOVERY)
#define RECOVER_FOLD(s) skip
#else
#define RECOVER_FOLD(s) \
	if \
	:: fold[s] > g -> fold[s] = 0; STEP \
	:: fold[s] > 0 && fold[s] <= g -> FINISH(s) \
	:: fold[s] == 0 \
	fi
#endif

#if defined(BUG_ADOPTING_IS_FREED)
#define AFTER_ADOPTING FREE
#else
#define AFTER_ADOPTING LIVE
#endif

#define RECOVER_SLOT(s) \
	if \
	:: state[s] == CLAIMING -> \
		d_step { lane0[s] = 0; lane1[s] = 0; name[s] = NOBODY }; STEP; \
		state[s] = FREE; STEP \
	:: state[s] == ADOPTING -> state[s] = AFTER_ADOPTING; STEP \
	:: else \
	fi

/* ---- slot.c ---- */

#ifdef BUG_CLAIM_WITHOUT_OP
#define BEGIN_CLAIM
#else
#define BEGIN_CLAIM op = true; STEP;
#endif

#define CLAIM_SLOT(s) \
	BEGIN_CLAIM \
	state[s] = CLAIMING; STEP; \
	life[s] = me; STEP; \
	incarnation[s]++; STEP; \
	name[s] = me; STEP; \
	state[s] = LIVE; STEP; \
	op = false; STEP

#ifdef BUG_ADOPTION_CLEARS
#define CLEAR(s) d_step { lane0[s] = 0; lane1[s] = 0 }; STEP;
#else
#define CLEAR(s)
#endif

#define ADOPT_SLOT(s) \
	op = true; STEP; \
	state[s] = ADOPTING; STEP; \
	life[s] = me; STEP; \
	incarnation[s]++; STEP; \
	CLEAR(s) \
	state[s] = LIVE; STEP; \
	op = false; STEP

#ifdef BUG_LIVING_ARE_FOLDED
#define DEAD(s) (state[s] == LIVE)
#else
#define DEAD(s) (state[s] == LIVE && life[s] == NOBODY)
#endif

/* The first slot for which this holds, else SLOTS. Under the lock nobody else changes them, but for a
 * death. */
#define FIND(condition) \
	d_step { \
		slot = 0; \
		do \
		:: slot < SLOTS && !(condition) -> slot++ \
		:: else -> break \
		od \
	}

/* One update by two instructions' worth of steps, though it is one. */
#define COUNT_IN(lane) \
	seen = lane; \
	atomic { lane = seen + 1; counted++; seen = 0 }; \
	STEP

proctype writer(byte me, lives)
{
	byte slot, i, seen;

	do
	:: lives == 0 -> break
	:: else ->
		lives--;
		atomic { catalog_lock == NOBODY -> catalog_lock = me };
		STEP;
		if
		:: op ->
			for (i : 0 .. SLOTS - 1) {
				RECOVER_FOLD(i)
			}
			for (i : 0 .. SLOTS - 1) {
				RECOVER_SLOT(i)
			}
			op = false; STEP
		:: else
		fi;
		/* With the lock in hand and no operation under way, nothing is half done. */
		d_step {
			for (i : 0 .. SLOTS - 1) {
				assert(fold[i] == 0 && (state[i] == FREE || state[i] == LIVE))
			}
		}
		FIND(state[slot] == LIVE && name[slot] == me && life[slot] == NOBODY);
		if
		:: slot < SLOTS -> ADOPT_SLOT(slot)
		:: else ->
			FIND(state[slot] == FREE);
			if
			:: slot == SLOTS ->
				FIND(DEAD(slot));
				if
				:: slot < SLOTS -> FOLD_SLOT(slot)
				:: else
				fi
			:: else
			fi;
			if
			:: slot < SLOTS -> CLAIM_SLOT(slot)
			:: else			/* all are alive: this one goes without */
			fi
		fi;
		catalog_lock = NOBODY;
		if
		:: slot == SLOTS -> goto dead
		:: else
		fi;
		STEP;
		if
		:: lives & 1 -> COUNT_IN(lane1[slot])
		:: else -> COUNT_IN(lane0[slot])
		fi;
dead:
		/* What the kernel does when a process is gone. */
		skip;
		d_step {
			if
			:: catalog_lock == me -> catalog_lock = NOBODY
			:: else
			fi;
			for (i : 0 .. SLOTS - 1) {
				if
				:: life[i] == me -> life[i] = NOBODY
				:: else
				fi
			}
			i = 0; slot = 0; seen = 0
		}
	od
}

/* ---- snapshot.c ---- */

#ifdef BUG_READER_IGNORES_MARK
#define TAKES_PART(s) (seen_state[s] != FREE)
#else
#define TAKES_PART(s) (seen_state[s] != FREE && !(seen_fold[s] > 0 && seen_fold[s] <= seen_g))
#endif

/* One attempt. One that finds that something has changed says nothing. */
proctype reader()
{
	byte least, sum, seen_g, i;
	mtype seen_state[SLOTS];
	byte seen_incarnation[SLOTS], seen_fold[SLOTS];

	atomic { least = counted; seen_g = g };
	for (i : 0 .. SLOTS - 1) {
		seen_state[i] = state[i];
		seen_incarnation[i] = incarnation[i];
		seen_fold[i] = fold[i]
	}
	sum = R[seen_g & 1];
	for (i : 0 .. SLOTS - 1) {
		if
		:: TAKES_PART(i) ->
			sum = sum + lane0[i];
			sum = sum + lane1[i]
		:: else
		fi
	}
	for (i : 0 .. SLOTS - 1) {
		if
		:: seen_state[i] != FREE ->
			if
			:: seen_state[i] != state[i] -> goto end
			:: else
			fi;
			if
			:: seen_incarnation[i] != incarnation[i] -> goto end
			:: else
			fi;
			if
			:: seen_fold[i] != fold[i] -> goto end
			:: else
			fi
		:: else
		fi
	}
#ifndef BUG_READER_DOES_NOT_LOOK_AT_G_AGAIN
	if
	:: seen_g != g -> goto end
	:: else
	fi;
#endif
	assert(least <= sum);
	assert(sum <= counted);
end:
	skip
}

/* What anybody finds when all is quiet. */
init
{
	byte i, sum;

	atomic {
		for (i : 0 .. WRITERS - 1) {
			run writer(i, (i == 0 -> LIVES : OTHER_LIVES))
		}
		run reader()
	};
	_nr_pr == 1;
	d_step {
		sum = R[g & 1];
		for (i : 0 .. SLOTS - 1) {
			if
			:: state[i] != FREE && !(fold[i] > 0 && fold[i] <= g) -> sum = sum + lane0[i] + lane1[i]
			:: else
			fi
		}
		assert(sum == counted)
	}
}
