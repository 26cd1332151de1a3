/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow.c - operations with stages and an outcome: two histogram families and, for the slow ones,
 * a record in the ring.
 *
 * A running flow is the caller's memory; nothing here knows of it between two calls, so any
 * number may be open and those that are dropped leave nothing. Only what is cheap happens while
 * it runs: a clock read and a look-up for each stage. The record is put together at the end, if
 * the flow was slow.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "diag.h"
#include "ring.h"
#include "trace.h"

#define FLOW_NAME_MAX 160
#define VALUES_MAX 240			/* bytes of all label values */
#define OTHER "__other__"

/* sm_flow.flags; the low bits are those of a ring entry. */
#define FLOW_ENDED 0x100u
#define FLOW_TRACE_SHIFT 24		/* above: the flags of the traceparent */

struct sm_flow_type {
	struct sm_flow_type *next;
	struct sm *m;			/* NULL: the null type */
	struct sm_family *total;	/* one of the two may be null (switched off) */
	struct sm_family *stage;
	uint64_t slow_ns;
	uint32_t slow_per_second;
	unsigned nlabels;
	char name[FLOW_NAME_MAX + 1];
};

_Static_assert(VALUES_MAX + SM_LABELS_MAX <= sizeof(((struct sm_flow *)0)->labels),
	       "values and NULs");
_Static_assert(SM_LABELS_MAX * sizeof(OTHER) <= sizeof(((struct sm_flow *)0)->labels),
	       "all others");
_Static_assert(sizeof(((struct sm_flow *)0)->checkpoint) ==
	       sizeof(((struct sm_ring_entry *)0)->checkpoint), "copied in one piece");

static struct sm_flow_type null_type;
static struct sm_flow_type *types;	/* all of the process; process mutex */

/* ---- declaring ---------------------------------------------------------------------------- */

static uint64_t seconds_ns(double seconds)
{
	return seconds < 9e9 ? (uint64_t)(seconds * 1e9) : UINT64_MAX;
}

/* One of the two families: name and help with a suffix, one label more. */
static struct sm_family *declare_family(struct sm *m, const struct sm_flow_options *o,
					const char *suffix, const char *help_suffix,
					const char *label, struct sm_diag *diag)
{
	char name[SM_NAME_MAX + 64], help[SM_HELP_MAX + 64];
	struct sm_family_options f = {
		.kind = SM_HISTOGRAM, .name = name, .help = help, .unit = SM_SECONDS, .cap = o->cap,
		.bounds = o->bounds, .nbounds = o->nbounds, .slo = o->slo, .grid = o->grid,
	};
	unsigned i;

	snprintf(name, sizeof(name), "%s%s", o->name, suffix);
	if (o->help) {
		/* Both get their own end of the sentence. */
		size_t len = strlen(o->help);

		len -= len && o->help[len - 1] == '.';
		snprintf(help, sizeof(help), "%.*s%s", (int)(len < SM_HELP_MAX ? len : SM_HELP_MAX), o->help,
			 help_suffix);
	} else {
		snprintf(help, sizeof(help), "Duration of %s%s", o->name, help_suffix);
	}
	for (i = 0; i < SM_LABELS_MAX - 1 && o->labels[i]; i++)
		f.labels[i] = o->labels[i];
	f.labels[i] = label;
	return sm_declare(m, &f, diag);
}

static struct sm_flow_type *find_type(const struct sm_flow_type *like)
{
	struct sm_flow_type *t;

	for (t = types; t; t = t->next)
		if (t->m == like->m && t->total == like->total && t->stage == like->stage &&
		    t->slow_ns == like->slow_ns && t->slow_per_second == like->slow_per_second)
			return t;
	return NULL;
}

/* The type like *like that is there, or a copy; NULL without memory. Process mutex held. */
static struct sm_flow_type *find_or_add_type(const struct sm_flow_type *like)
{
	struct sm_flow_type *t = find_type(like);

	if (t)
		return t;
	t = malloc(sizeof(*t));
	if (!t)
		return NULL;
	*t = *like;
	t->next = types;
	store_release(&types, t);	/* a child forked just now finds a whole list */
	return t;
}

/* Declare both families. False if there is nothing to count into. */
static bool declare_families(struct sm_flow_type *type, const struct sm_flow_options *o,
			     struct sm_diag *diag)
{
	type->total = declare_family(type->m, o, "_duration_seconds", ".", "status", diag);
	if (type->total->null && diag->error)
		return false;
	type->stage = declare_family(type->m, o, "_stage_duration_seconds", ", by stage.", "stage",
				     diag);
	if (type->stage->null && (diag->error || type->total->null))
		return false;
	return true;
}

struct sm_flow_type *sm_flow_declare(struct sm *m, const struct sm_flow_options *opts,
				     struct sm_diag *diag)
{
	struct sm_flow_type type = { .m = m }, *t;
	struct sm_flow_options o = { 0 };
	struct sm_diag own = { .error = 0 };
	int rc;

	diag = diag ? diag : &own;
	sm_diag_set(diag, 0, "%s", "");
	if (opts)
		memcpy(&o, opts, opts->size && opts->size < sizeof(o) ? opts->size : sizeof(o));
	if (!m || !o.name || !*o.name || strlen(o.name) > FLOW_NAME_MAX) {
		sm_diag_set(diag, -EINVAL, "a flow needs a writer and a name of 1 to %d bytes",
			    FLOW_NAME_MAX);
		return &null_type;
	}
	if (!declare_families(&type, &o, diag))
		return &null_type;
	while (type.nlabels < SM_LABELS_MAX - 1 && o.labels[type.nlabels])
		type.nlabels++;
	if (!o.slow_ns)
		o.slow_ns = seconds_ns(o.slo > 0 ? o.slo : 1);
	type.slow_ns = ring_threshold(m, o.name, o.slow_ns);
	type.slow_per_second = o.slow_per_second ? o.slow_per_second : m->slow_per_second;
	snprintf(type.name, sizeof(type.name), "%s", o.name);
	trace_init();

	rc = process_lock();
	if (rc) {
		sm_diag_set(diag, rc, "flow \"%s\": another thread has been in the library for 5 s",
			    o.name);
		return &null_type;
	}
	t = find_or_add_type(&type);
	process_unlock();
	if (!t)
		sm_diag_set(diag, -ENOMEM, "flow \"%s\": out of memory", o.name);
	return t ? t : &null_type;
}

/* ---- running ------------------------------------------------------------------------------ */

/* Observe ns in the family's series of the flow's labels and one more. */
static void observe(const struct sm_flow *flow, struct sm_family *family, const char *last,
		    uint64_t ns)
{
	struct sm_str values[SM_LABELS_MAX];
	const char *p = flow->labels;
	unsigned i;

	if (!family)
		return;
	for (i = 0; i < flow->nlabels; i++) {
		values[i] = SM_STR(p);
		p += values[i].len + 1;
	}
	values[i] = SM_STR(last);
	sm_histogram_observe_ns(sm_histogram(family, values, i + 1), ns);
}

static int copy_values(struct sm_flow *flow, const struct sm_str *values, size_t n)
{
	size_t i, len = 0;

	if (n != flow->type->nlabels)
		return -EINVAL;
	for (i = 0; i < n; i++) {
		if (values[i].len > VALUES_MAX + i - len)
			return -E2BIG;
		if (values[i].len && memchr(values[i].ptr, '\0', values[i].len))
			return -EINVAL;
		if (values[i].len)
			memcpy(flow->labels + len, values[i].ptr, values[i].len);
		len += values[i].len;
		flow->labels[len++] = '\0';
	}
	flow->nlabels = (uint32_t)n;
	flow->labels_len = (uint32_t)len;
	return 0;
}

static void set_other_values(struct sm_flow *flow)
{
	unsigned i;

	for (i = 0; i < flow->type->nlabels; i++)
		memcpy(flow->labels + i * sizeof(OTHER), OTHER, sizeof(OTHER));
	flow->nlabels = i;
	flow->labels_len = (uint32_t)(i * sizeof(OTHER));
}

static int set_ids(struct sm_flow *flow, const char *traceparent)
{
	struct trace_parent parent;

	trace_id(flow->span_id, sizeof(flow->span_id));
	if (traceparent && *traceparent && trace_parse(traceparent, &parent) == 0) {
		memcpy(flow->trace_id, parent.trace_id, sizeof(flow->trace_id));
		memcpy(flow->parent_id, parent.parent_id, sizeof(flow->parent_id));
		flow->flags = (parent.flags & TRACE_SAMPLED) << FLOW_TRACE_SHIFT | RING_REMOTE;
		return 0;
	}
	trace_id(flow->trace_id, sizeof(flow->trace_id));
	memset(flow->parent_id, 0, sizeof(flow->parent_id));
	flow->flags = TRACE_SAMPLED << FLOW_TRACE_SHIFT;
	return traceparent && *traceparent ? -EINVAL : 0;
}

int sm_flow_start(struct sm_flow *flow, struct sm_flow_type *type, const struct sm_str *values,
		  size_t n, const char *traceparent)
{
	int rc, ids_rc;

	flow->type = type ? type : &null_type;
	flow->start_real_ns = 0;
	flow->ncheckpoints = 0;
	flow->attributes_len = 0;
	flow->parts_refused = 0;
	flow->nlabels = 0;
	flow->labels_len = 0;
	ids_rc = set_ids(flow, traceparent);
	rc = flow->type->m ? copy_values(flow, values, n) : 0;
	if (rc)
		set_other_values(flow);
	flow->start_ns = flow->last_ns = sm_now_ns();
	return rc ? rc : ids_rc;
}

/* Started and not ended? A flow of zeros is neither. */
static bool is_running(const struct sm_flow *flow)
{
	return flow->type && !(flow->flags & FLOW_ENDED);
}

uint64_t sm_flow_checkpoint(struct sm_flow *flow, const char *name)
{
	uint64_t ns;

	if (!is_running(flow))
		return 0;
	ns = sm_since_ns_(flow->last_ns);
	flow->last_ns += ns;
	name = name ? name : "";
	observe(flow, flow->type->stage, name, ns);
	if (flow->ncheckpoints < SM_FLOW_CHECKPOINTS) {
		flow->checkpoint[flow->ncheckpoints].duration_ns = ns;
		flow->parts_refused += !ring_text(flow->checkpoint[flow->ncheckpoints].name,
						  sizeof(flow->checkpoint[0].name), name);
		flow->ncheckpoints++;
	} else {
		flow->parts_refused++;
	}
	return ns;
}

void sm_flow_attribute(struct sm_flow *flow, const char *key, const char *value)
{
	size_t key_len = key ? strlen(key) : 0, value_len = value ? strlen(value) : 0;
	char *to;

	if (!is_running(flow))
		return;
	if (!key_len || memchr(key, '=', key_len) || key_len >= SM_FLOW_ATTRIBUTES ||
	    value_len > SM_FLOW_ATTRIBUTES ||
	    key_len + value_len + 2 > SM_FLOW_ATTRIBUTES - flow->attributes_len) {
		flow->parts_refused++;
		return;
	}
	to = flow->attributes + flow->attributes_len;
	memcpy(to, key, key_len);
	to[key_len] = '=';
	if (value_len)
		memcpy(to + key_len + 1, value, value_len);
	to[key_len + 1 + value_len] = '\0';
	flow->attributes_len += (uint32_t)(key_len + value_len + 2);
}

void sm_flow_traceparent(const struct sm_flow *flow, char ret_header[56])
{
	trace_format(flow->trace_id, flow->span_id, (uint8_t)(flow->flags >> FLOW_TRACE_SHIFT),
		     ret_header);
}

/* ---- ending ------------------------------------------------------------------------------- */

/* The attributes of the record: the flow's labels first, for without them an operation means
 * little. */
static void put_attributes(struct sm_ring_entry *e, const struct sm_flow *flow)
{
	const struct sm_flow_type *type = flow->type;
	const struct family_def *def = &(type->total->null ? type->stage : type->total)->def;
	const char *p;
	size_t len;
	unsigned i;
	int n;

	for (i = 0, p = flow->labels; i < flow->nlabels; i++, p += strlen(p) + 1) {
		size_t room = sizeof(e->attributes) - e->attributes_len;

		n = snprintf(e->attributes + e->attributes_len, room, "%s=%s", def->labels[i], p);
		if (n < 0 || (size_t)n >= room) {
			memset(e->attributes + e->attributes_len, 0, room);
			e->parts_refused++;
		} else {
			e->attributes_len += (uint32_t)n + 1;
		}
	}
	for (p = flow->attributes; p < flow->attributes + flow->attributes_len; p += len) {
		len = strlen(p) + 1;
		if (len > sizeof(e->attributes) - e->attributes_len) {
			e->parts_refused++;
			continue;
		}
		memcpy(e->attributes + e->attributes_len, p, len);
		e->attributes_len += (uint32_t)len;
	}
}

static void record(struct sm_flow *flow, const char *status, uint64_t ns)
{
	const struct sm_flow_type *type = flow->type;
	struct sm_ring_entry e;

	memset(&e, 0, sizeof(e));
	flow->start_real_ns = clock_ns(CLOCK_REALTIME) - ns;
	e.start_real_ns = flow->start_real_ns;
	e.duration_ns = ns;
	e.threshold_ns = type->slow_ns;
	memcpy(e.trace_id, flow->trace_id, sizeof(e.trace_id));
	memcpy(e.span_id, flow->span_id, sizeof(e.span_id));
	memcpy(e.parent_id, flow->parent_id, sizeof(e.parent_id));
	e.flags = flow->flags & RING_REMOTE;
	e.parts_refused = flow->parts_refused;
	e.parts_refused += !ring_text(e.operation, sizeof(e.operation), type->name);
	e.parts_refused += !ring_text(e.status, sizeof(e.status), status);
	e.ncheckpoints = flow->ncheckpoints;
	memcpy(e.checkpoint, flow->checkpoint, flow->ncheckpoints * sizeof(e.checkpoint[0]));
	put_attributes(&e, flow);
	ring_record(type->m, &e, type->slow_per_second);
}

uint64_t sm_flow_end(struct sm_flow *flow, const char *status)
{
	uint64_t ns;

	if (!is_running(flow))
		return 0;
	ns = sm_since_ns_(flow->start_ns);
	flow->flags |= FLOW_ENDED;
	status = status ? status : "";
	observe(flow, flow->type->total, status, ns);
	if (flow->type->m && ns > flow->type->slow_ns)
		record(flow, status, ns);
	return ns;
}
