/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor.h - findings of the doctor command. doctor.c looks at segment and writers, doctor_place.c
 * at the file and the file system under it, doctor_refused.c at what was refused, doctor_exporter.c
 * at the exporter.
 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "json.h"

enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor {
	const struct cli *c;
	struct cli_json *json; /* NULL: text */
	bool terminal;
	bool warned;
	int code; /* exit code of the first failure, 0 none */
};

/* One finding. code: exit code if it is a failure. remedy: what to do, NULL if nothing. */
void doctor_say(struct doctor *d, enum doctor_level level, int code, const char *check,
	const char *remedy, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

#define doctor_ok(d, check, ...)	   doctor_say(d, DOCTOR_OK, 0, check, NULL, __VA_ARGS__)
#define doctor_warn(d, check, remedy, ...) doctor_say(d, DOCTOR_WARN, 0, check, remedy, __VA_ARGS__)
#define doctor_fail(d, code, check, remedy, ...) \
	doctor_say(d, DOCTOR_FAIL, code, check, remedy, __VA_ARGS__)

/* Owner, group and mode of the segment's file, and whether this user may write. */
void doctor_rights(struct doctor *d, const struct sm_segment_info *info);
/* The file system: is it a tmpfs, how large, how much is free. */
void doctor_space(struct doctor *d, const char *path);
/* Will logind delete the file when its owner logs out? */
void doctor_remove_ipc(struct doctor *d, const struct sm_segment_info *info);

/* What is being refused, and what was: compares with first, watch_ns after that. */
void doctor_refused(
	struct doctor *d, struct sm_reader *r, const struct sm_snapshot *first, uint64_t watch_ns);

/* Does the exporter answer, and does it serve this segment? said NULL: where it is by its
 * environment or by default. info NULL: there is no segment to compare with. */
void doctor_exporter(struct doctor *d, const char *said, uint64_t timeout_ns,
	const struct sm_segment_info *info);

#endif
