/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_statsd.c - statsd lines, with DogStatsD's tags and packed values:
 *
 *	name:value[:value ...]|type[|@rate][|#tag:value,tag:value][|...]
 *
 * Types: c counter, g gauge, ms timer, h and d histogram. What names and tags have beyond letters,
 * digits and '_' becomes '_'. A timer's name gets the unit that it is kept in: load.time_ms is
 * load_time_seconds.
 */
#include "batch.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One observation stands for so many at most. */
#define RATE_MIN 1e-4

bool batch_is_statsd(const char *line)
{
	size_t len = strcspn(line, ":{ \t\"");

	if (strncmp(line, "_e{", 3) == 0 || strncmp(line, "_sc|", 4) == 0)
		return true; /* to be refused by name */
	return len > 0 && line[len] == ':' && strchr(line + len, '|');
}

int batch_split_statsd(const struct cli *c, const char *line, struct batch_split *ret)
{
	const char *colon = strchr(line, ':'), *bar = colon ? strchr(colon, '|') : NULL;

	if (strncmp(line, "_e{", 3) == 0 || strncmp(line, "_sc|", 4) == 0)
		return cli_fail(c, CLI_FAILED, "events and service checks are no metrics");
	if (!bar)
		return cli_fail(c, CLI_FAILED, "expected name:value|type");
	ret->statsd = true;
	ret->head = line;
	ret->head_len = (size_t)(colon - line);
	ret->value = colon + 1;
	ret->value_len = (size_t)(bar - colon - 1);
	ret->tail = bar + 1;
	ret->tail_len = strlen(bar + 1);
	return 0;
}

/* A metric's or label's name out of len bytes of text; returns how long it is. */
static size_t put_name(char *to, const char *text, size_t len)
{
	size_t n = 0;

	if (len && isdigit((unsigned char)text[0]))
		to[n++] = '_';
	for (size_t i = 0; i < len; i++)
		to[n++] =
			(char)(isascii(text[i]) && isalnum((unsigned char)text[i]) ? text[i] : '_');
	to[n] = '\0';
	return n;
}

/* Without one nothing of a name but '_' and digits would be left. */
static bool has_letter(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (isascii(text[i]) && isalpha((unsigned char)text[i]))
			return true;
	return false;
}

static bool cut_ending(char *name, size_t *len, const char *ending)
{
	size_t n = strlen(ending);

	if (*len <= n || strcmp(name + *len - n, ending) != 0)
		return false;
	*len -= n;
	name[*len] = '\0';
	return true;
}

static bool has_ending(const char *name, const char *ending)
{
	size_t len = strlen(name), n = strlen(ending);

	return len > n && strcmp(name + len - n, ending) == 0;
}

/* The name as it is kept: counters end in _total, timers in _seconds. */
static void finish_name(char *name, size_t len, const struct batch_meaning *m)
{
	if (m->action == BATCH_ADD && !has_ending(name, "_total"))
		strcpy(name + len, "_total");
	if (!m->milliseconds)
		return;
	if (!cut_ending(name, &len, "_milliseconds") && !cut_ending(name, &len, "_msec"))
		cut_ending(name, &len, "_ms");
	if (!has_ending(name, "_seconds"))
		strcpy(name + len, "_seconds");
}

static int take_type(const struct cli *c, const char *type, size_t len, struct batch_meaning *m)
{
	if (len == 1 && *type == 'c')
		m->action = BATCH_ADD;
	else if (len == 1 && *type == 'g')
		m->action = BATCH_GAUGE;
	else if (len == 1 && (*type == 'h' || *type == 'd'))
		m->action = BATCH_OBSERVE;
	else if (len == 2 && memcmp(type, "ms", 2) == 0)
		m->action = BATCH_OBSERVE;
	else if (len == 1 && *type == 's')
		return cli_fail(c, CLI_FAILED,
			"sets (|s) are not supported: distinct values cannot be counted without "
			"keeping them; count events (|c), or set a gauge (|g) to the number");
	else
		return cli_fail(c, CLI_FAILED, "type \"%.*s\" is none of c, g, ms, h, d",
			len > 20 ? 20 : (int)len, type);
	m->milliseconds = len == 2;
	return 0;
}

static int take_rate(const struct cli *c, const char *text, size_t len, struct batch_meaning *m)
{
	if (!number_parse(text, len, &m->rate) || !(m->rate.value <= 1) || m->rate.value < RATE_MIN)
		return cli_fail(c, CLI_FAILED, "sample rate \"@%.*s\" is not %g to 1",
			len > 20 ? 20 : (int)len, text, RATE_MIN);
	return 0;
}

/* key:value of len bytes to a label; *room is where names and values go. A tag without value is
 * "true". */
static int take_tag(
	const struct cli *c, const char *tag, size_t len, struct batch_meaning *m, char **room)
{
	const char *colon = memchr(tag, ':', len);
	size_t key_len = colon ? (size_t)(colon - tag) : len;
	char *name = *room, *value;

	if (len == 0)
		return 0;
	if (key_len == 0)
		return cli_fail(
			c, CLI_FAILED, "tag \"%.*s\" has no name", len > 60 ? 60 : (int)len, tag);
	*room += put_name(name, tag, key_len) + 1;
	value = *room;
	if (colon)
		memcpy(value, colon + 1, len - key_len - 1);
	else
		strcpy(value, "true");
	*room += colon ? len - key_len - 1 : 4;
	*(*room)++ = '\0';
	for (unsigned i = 0; i < m->series.nlabels; i++)
		if (strcmp(m->series.label[i].name, name) == 0)
			return cli_fail(c, CLI_FAILED, "tag \"%s\" is given twice", name);
	if (m->series.nlabels == SM_LABELS_MAX)
		return cli_fail(c, CLI_FAILED, "more than %d tags", SM_LABELS_MAX);
	m->series.label[m->series.nlabels].name = name;
	m->series.label[m->series.nlabels++].value = value;
	return 0;
}

/* Between two '|'. Container ids, timestamps and the like ("c:", "T", "e:", "card:") say nothing that
 * is kept here. */
static int take_part(
	const struct cli *c, const char *part, size_t len, struct batch_meaning *m, char **room)
{
	size_t n;
	int rc = 0;

	if (len && *part == '@')
		return take_rate(c, part + 1, len - 1, m);
	if (!len || *part != '#')
		return 0;
	part++;
	len--;
	for (; !rc; part += n + 1, len -= n + 1) {
		const char *comma = memchr(part, ',', len);

		n = comma ? (size_t)(comma - part) : len;
		rc = take_tag(c, part, n, m, room);
		if (!comma)
			break;
	}
	return rc;
}

int batch_statsd_meaning(
	const struct cli *c, const struct batch_split *s, struct batch_meaning *ret)
{
	const char *part = s->tail;
	size_t len = strcspn(part, "|");
	char *room;
	int rc;

	memset(ret, 0, sizeof(*ret));
	ret->rate = number_of_units(1, 0);
	rc = take_type(c, part, len, ret);
	if (!rc && !has_letter(s->head, s->head_len))
		rc = cli_fail(c, CLI_FAILED, "the name has no letter");
	if (rc)
		return rc;
	/* Each tag may grow by a '_' or "true", and two NULs. */
	ret->memory = malloc(s->head_len + 32 + 8 * (s->tail_len + 1));
	if (!ret->memory)
		return cli_fail(c, CLI_FAILED, "out of memory");
	ret->series.name = ret->memory;
	finish_name(ret->memory, put_name(ret->memory, s->head, s->head_len), ret);
	room = ret->memory + s->head_len + 32;
	while (part[len] && !rc) {
		part += len + 1;
		len = strcspn(part, "|");
		rc = take_part(c, part, len, ret, &room);
	}
	return rc;
}
