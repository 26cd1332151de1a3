/* SPDX-License-Identifier: Apache-2.0 */
/*
 * atomics.h - access to words that another thread or process may change, with the order in the
 * name. The words are plain integers in layout.h (C and C++ must agree on their size); nobody
 * touches them but through these.
 */
#ifndef SM_ATOMICS_H
#define SM_ATOMICS_H

#include <stdint.h>

#define load_relaxed(p)		__atomic_load_n((p), __ATOMIC_RELAXED)
#define load_acquire(p)		__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store_relaxed(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define add_relaxed(p, v)	((void)__atomic_fetch_add((p), (v), __ATOMIC_RELAXED))
#define fetch_add_relaxed(p, v)	__atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define fetch_or_full(p, v)	__atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST)
#define fetch_and_full(p, v)	__atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST)
#define cas_relaxed(p, old, v) \
	__atomic_compare_exchange_n((p), (old), (v), 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define cas_acq_rel(p, old, v) \
	__atomic_compare_exchange_n((p), (old), (v), 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
#define fence_acquire()		__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define fence_release()		__atomic_thread_fence(__ATOMIC_RELEASE)
#define fence_full()		__atomic_thread_fence(__ATOMIC_SEQ_CST)

#endif
