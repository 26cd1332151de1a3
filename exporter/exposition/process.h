/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.h - what the kernel knows about a process.
 *
 * Depends on nothing. Reading /proc costs some 10 us a process, more than a small exposition; so what
 * was read is kept for a second, for all who ask.
 *
 *	struct process_table *t;
 *	process_table_create(&t);
 *	process_get(t, getpid(), 0, &p);
 *	process_table_free(t);
 */
#ifndef EXPOSITION_PROCESS_H
#define EXPOSITION_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

#define PROCESS_UNKNOWN UINT64_MAX	/* absent is better than wrong */

struct process {
	uint64_t cpu_ns;		/* user and system */
	uint64_t start_boot_ns;		/* CLOCK_BOOTTIME */
	uint64_t resident_bytes, virtual_bytes;
	uint64_t threads;
	uint64_t open_fds;		/* PROCESS_UNKNOWN without permission */
	uint64_t max_fds;		/* also when there is no limit */
};

struct process_table;

/* process_table_create - 0 or -ENOMEM. */
int process_table_create(struct process_table **ret_table);
void process_table_free(struct process_table *t);

/*
 * process_get - what was read within the last second, or now.
 *
 * start_boot_ns  when it started, to be told from another process of the same number; 0: any
 *
 * 0; -ESRCH: there is none, or another one, or /proc does not show it. Thread: safe.
 */
int process_get(struct process_table *t, pid_t pid, uint64_t start_boot_ns,
	struct process *ret_process);

/* process_namespace - of pids of this process, as sm_writer.pidns; 0: not known. */
uint64_t process_namespace(void);

/* process_boot_real_ns - when the system booted, since 1970; read once, so that what is derived from
 * it does not change with each adjustment of the clock. */
uint64_t process_boot_real_ns(void);

#endif /* EXPOSITION_PROCESS_H */
