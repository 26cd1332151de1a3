/* SPDX-License-Identifier: Apache-2.0 */
/* process.h - what the kernel knows about this process. Depends on nothing. */
#ifndef EXPOSITION_PROCESS_H
#define EXPOSITION_PROCESS_H

#include <stdint.h>

/* A value that could not be read is negative: absent is better than wrong. */
struct process {
	double cpu_seconds;
	double start_time_seconds;	/* since 1970 */
	double virtual_bytes, virtual_max_bytes;
	double resident_bytes;
	double threads;
	double open_fds, max_fds;
};

void process_read(struct process *ret_process);

#endif /* EXPOSITION_PROCESS_H */
