/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feeder.c - a writer driven by lines on stdin, for the tests of the exporter (exporter_util.py).
 * Each line is answered by "ok" or "error: ...". Words are separated by blanks and percent-encoded;
 * "-" stands for no labels, else name=value,name=value.
 *
 *	counter NAME LABELS N            count N more
 *	gauge NAME LABELS MODE VALUE     set; MODE as enum sm_gauge_mode
 *	updown NAME LABELS N
 *	histogram NAME LABELS VALUE
 *	state NAME LABELS STATES I       STATES separated by commas
 *	series NAME COUNT                a counter of COUNT series, each counted once
 *	refuse NAME COUNT                a counter that may have one series, of COUNT: the rest is refused
 *	slow OPERATION STATUS MS TRACEPARENT ATTRIBUTE
 *	flow NAME TRACEPARENT STAGES     a flow that is always slow; STAGES separated by commas
 *	health COMPONENT STATE CRITICAL  STATE as enum sm_health; CRITICAL 0 or 1
 *	heartbeat | path | close
 *
 * FEEDER_METADATA is a key=value of the writer.
 */
#include <shardmeter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS 8

static void decode(char *text)
{
	char *to = text, hex[3] = "";

	for (; *text; text++) {
		if (*text == '%' && text[1] && text[2]) {
			memcpy(hex, text + 1, 2);
			*to++ = (char)strtoul(hex, NULL, 16);
			text += 2;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

struct labels {
	unsigned n;
	const char *names[SM_LABELS_MAX];
	struct sm_str values[SM_LABELS_MAX];
};

static struct labels parse_labels(char *text)
{
	struct labels l = { 0 };
	char *save = NULL, *pair, *value;

	if (strcmp(text, "-") == 0)
		return l;
	for (pair = strtok_r(text, ",", &save); pair; pair = strtok_r(NULL, ",", &save)) {
		value = strchr(pair, '=');
		*value++ = '\0';
		decode(value);
		l.names[l.n] = pair;
		l.values[l.n++] = SM_STR(value);
	}
	return l;
}

static struct sm_family *declare(struct sm *m, struct sm_family_options *f, const struct labels *l,
	struct sm_diag *diag)
{
	unsigned i;

	for (i = 0; i < l->n; i++)
		f->labels[i] = l->names[i];
	f->help = f->help ? f->help : "A family of the feeder.";
	return sm_declare(m, f, diag);
}

static void feed(struct sm *m, char **w, struct sm_diag *diag)
{
	struct sm_family_options f = { .name = w[1] };
	struct labels l = parse_labels(w[2]);
	const char *states[64];
	char *save = NULL, *state;

	if (strcmp(w[0], "counter") == 0) {
		f.kind = SM_COUNTER;
		sm_counter_add(sm_counter(declare(m, &f, &l, diag), l.values, l.n),
			strtoull(w[3], NULL, 10));
	} else if (strcmp(w[0], "gauge") == 0) {
		f.kind = SM_GAUGE;
		f.mode = (enum sm_gauge_mode)atoi(w[3]);
		sm_gauge_set(sm_gauge(declare(m, &f, &l, diag), l.values, l.n), strtod(w[4], NULL));
	} else if (strcmp(w[0], "updown") == 0) {
		f.kind = SM_UPDOWN;
		sm_updown_add(sm_updown(declare(m, &f, &l, diag), l.values, l.n),
			strtoll(w[3], NULL, 10));
	} else if (strcmp(w[0], "histogram") == 0) {
		f.kind = SM_HISTOGRAM;
		f.unit = SM_SECONDS;
		sm_histogram_observe(sm_histogram(declare(m, &f, &l, diag), l.values, l.n),
			strtod(w[3], NULL));
	} else {
		f.kind = SM_STATESET;
		f.states = states;
		for (state = strtok_r(w[3], ",", &save); state; state = strtok_r(NULL, ",", &save))
			states[f.nstates++] = state;
		sm_stateset_set(sm_stateset(declare(m, &f, &l, diag), l.values, l.n),
			(unsigned)atoi(w[4]));
	}
}

static void feed_series(struct sm *m, char **w, unsigned cap, struct sm_diag *diag)
{
	struct labels l = { .n = 1, .names = { "number" } };
	struct sm_family_options f = { .kind = SM_COUNTER, .name = w[1],
		.cap = cap };
	struct sm_family *family = declare(m, &f, &l, diag);
	char value[16];
	int i;

	for (i = 0; i < atoi(w[2]); i++) {
		snprintf(value, sizeof(value), "%d", i);
		l.values[0] = SM_STR(value);
		sm_counter_add(sm_counter(family, l.values, 1), 1);
	}
}

static void feed_flow(struct sm *m, char **w, struct sm_diag *diag)
{
	struct sm_flow_options o = { .name = w[1], .help = "A flow of the feeder.", .slow_ns = 1 };
	struct sm_flow_type *type = sm_flow_declare(m, &o, diag);
	char *save = NULL, *stage;
	struct sm_flow flow;

	diag->error = diag->error ? diag->error : sm_flow_start(&flow, type, SM_NO_LABELS, w[2]);
	if (diag->error)
		return;
	for (stage = strtok_r(w[3], ",", &save); stage; stage = strtok_r(NULL, ",", &save))
		sm_flow_checkpoint(&flow, stage);
	sm_flow_end(&flow, "success");
}

int main(void)
{
	char line[4096], empty[] = "-", *w[WORDS], *save;
	struct sm_options o = { .metadata = { getenv("FEEDER_METADATA") } };
	struct sm_diag diag;
	struct sm *m = sm_open(&o, &diag);
	int n;

	printf(diag.error ? "error: %s\n" : "ok %s\n",
		diag.error ? diag.message : sm_writer_name(m));
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		save = NULL;
		for (n = 0; n < WORDS; n++)
			w[n] = strtok_r(n ? NULL : line, " ", &save);
		for (n = 0; n < WORDS; n++)
			w[n] = w[n] ? w[n] : empty;
		diag = (struct sm_diag){ 0 };
		if (strcmp(w[0], "heartbeat") == 0)
			diag.error = sm_heartbeat(m);
		else if (strcmp(w[0], "series") == 0)
			feed_series(m, w, (unsigned)atoi(w[2]), &diag);
		else if (strcmp(w[0], "refuse") == 0)
			feed_series(m, w, 1, &diag);
		else if (strcmp(w[0], "flow") == 0)
			feed_flow(m, w, &diag);
		else if (strcmp(w[0], "slow") == 0)
			diag.error = sm_slow_record(m, w[1], w[2], strtoull(w[3], NULL, 10) * 1000000,
				w[4], w[5]);
		else if (strcmp(w[0], "health") == 0)
			diag.error = sm_health_set(m, w[1], (enum sm_health)atoi(w[2]), atoi(w[3]));
		else if (strcmp(w[0], "close") == 0)
			sm_close(m);
		else if (strcmp(w[0], "path") != 0)
			feed(m, w, &diag);
		printf(diag.error ? "error: %s\n" : "ok %s\n",
			diag.error ? diag.message : w[0][0] == 'p' ? sm_segment_path(m) : "");
		fflush(stdout);
	}
	return 0;
}
