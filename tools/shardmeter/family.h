/* SPDX-License-Identifier: Apache-2.0 */
/*
 * family.h - the way from NAME label=value ... to a handle, for updates and removal.
 *
 * A family that exists is declared again exactly as it stands in the segment, whoever made it, so
 * that a shell command never replaces a program's definition; labels are matched by name, in any
 * order. A family that does not exist is made as the verb and the options say, its labels in the
 * order in which they were typed.
 *
 * All updates go through the common writer (SM_OPEN_COMMON): atomic adds, no slot of its own, and
 * gauges that stay when this process ends.
 */
#ifndef CLI_FAMILY_H
#define CLI_FAMILY_H

#include "args.h"
#include "cli.h"
#include "sel.h"
#include "series.h"

/* The options of every update, first in its table. */
enum { UPDATE_STRICT, UPDATE_CREATE, UPDATE_HELP, UPDATE_OPTIONS };
#define UPDATE_STRICT_HELP                                                                     \
	"Exit with the code of the failure. Without it the exit code is 0 when nothing could " \
	"be counted, so that metrics never break a script; mistakes in the arguments are 2 "   \
	"in any case."
#define UPDATE_CREATE_HELP \
	"Create the segment if it does not exist. Without a name it is called \"default\"."
#define UPDATE_OPTION_STRICT [UPDATE_STRICT] = { "strict", 0, NULL, NULL, UPDATE_STRICT_HELP }
#define UPDATE_OPTION_CREATE [UPDATE_CREATE] = { "create", 0, NULL, NULL, UPDATE_CREATE_HELP }
#define UPDATE_OPTION_HELP \
	[UPDATE_HELP] = { "help-text", 0, "TEXT", NULL, "First use: the family's help text." }

/* An open segment for updates. */
struct fam {
	struct sm *sm;
	struct sm_reader *reader;
	const struct sm_snapshot *snapshot;
	bool disabled; /* by SHARDMETER_DISABLE: not an error, nothing to do */
	struct sel sel;
};

/* 0 or an exit code after a message. Close also after an error. */
int fam_open(const struct cli *c, bool create, struct fam *f);
void fam_close(struct fam *f);

/* What a verb wants. */
struct fam_want {
	unsigned kinds;		 /* bit 1 << SM_x for each kind that it can update */
	enum sm_kind make;	 /* kind on first use */
	bool exactly;		 /* a family that exists must be of that kind, too */
	const char *help, *unit; /* on first use; unit NULL: by the name */
	enum sm_gauge_mode mode;
	bool mode_exactly;		 /* a gauge that exists must have that mode, too */
	const struct cli_amount *amount; /* counter: what will be added; NULL: 1 */
	const double *bounds;
	size_t nbounds;
};

/* "seconds" for x_seconds and x_seconds_total, and so on; NULL if the name says nothing. */
const char *fam_unit_of_name(const char *name);

/* A resolved series. */
struct fam_series {
	struct sm_family *family;
	enum sm_kind kind;
	enum sm_number number; /* counter: how to count the amount, exactly if that can be had */
	unsigned decimals;     /* counter: of SM_NUMBER_FIXED */
	const struct sm_family_info *info; /* NULL: it is new */
	struct sm_str values[SM_LABELS_MAX];
	unsigned n;
};

/* 0 or an exit code after a message. Values point into s, info into the snapshot, which is taken
 * anew if somebody else declared the family just now. */
int fam_declare(const struct cli *c, struct fam *f, const struct cli_series *s,
	const struct fam_want *want, struct fam_series *ret_series);

/* The values of s in the order of the family's labels; wrong or missing labels are an error that
 * names them and those of the family. */
int fam_match_labels(const struct cli *c, const struct sm_family_info *info,
	const struct cli_series *s, struct sm_str *ret_values);

/* Seconds since 1970, to the millisecond. */
double fam_now(void);

/* Declare a family again as the snapshot has it. */
struct sm_family *fam_redeclare(struct sm *sm, const struct sm_family_info *info,
	enum sm_number number, struct sm_diag *diag);

/*
 * fam_verify - was the update counted? Compares what shell commands were refused with the snapshot
 * of fam_open(); another command's refusal in the same moment looks the same. 0, or an exit code
 * after a message.
 */
int fam_verify(const struct cli *c, struct fam *f);

#endif
