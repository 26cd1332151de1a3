/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.c - walk a YAML file; see config.h.
 *
 * By events, not as a document: that keeps every mark, needs no alias table, and memory stays
 * small whatever is in the file. A node that is refused is skipped with all that is in it, so that
 * what follows is looked at, too. An error of syntax ends the walk: libyaml cannot go on.
 */
#include "exporter/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include "common/utf8.h"

#define DEPTH_MAX	8
#define NESTING_MAX	64	/* of what is skipped, too: libyaml's time grows with its square */
#define NAME_MAX_BYTES	128
#define KEYS_MAX	256
#define ERRORS_MAX	50

struct walk {
	yaml_parser_t parser;
	const struct config_reader *reader;
	const char *where;
	struct buf *errors;
	size_t errors_before;		/* length of errors at the beginning */
	unsigned nerrors;
	unsigned nesting;
	int stopped;			/* nothing more can be read */
	char *seen[KEYS_MAX];		/* names of settings and sections that were given */
	unsigned nseen;
};

/* A message with foreign text in it: nothing that a terminal acts on. */
static void put_foreign(struct buf *b, const char *text)
{
	size_t n, i, len = strlen(text);
	uint32_t code;

	for (i = 0; i < len; i += n) {
		n = utf8_next(text + i, len - i, &code);
		if (!n || utf8_is_hidden(code)) {
			n = n ? n : 1;
			buf_puts(b, "?");
		} else {
			buf_put(b, text + i, n);
		}
	}
}

__attribute__((format(printf, 3, 4)))
static void complain(struct walk *w, const yaml_mark_t *at, const char *format, ...)
{
	char text[400];
	va_list ap;

	if (w->nerrors++ >= ERRORS_MAX) {
		w->stopped = 1;
		return;
	}
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	buf_printf(w->errors, "%s:%zu:%zu: ", w->where, at->line + 1, at->column + 1);
	put_foreign(w->errors, text);
	buf_puts(w->errors, "\n");
}

static int opens(const yaml_event_t *e)
{
	return e->type == YAML_MAPPING_START_EVENT || e->type == YAML_SEQUENCE_START_EVENT;
}

static int closes(const yaml_event_t *e)
{
	return e->type == YAML_MAPPING_END_EVENT || e->type == YAML_SEQUENCE_END_EVENT;
}

/* What is said about the syntax is all that is said: values were read out of a text that is not what
 * its writer meant. */
static void forget_errors(struct walk *w)
{
	w->nerrors = 0;
	if (!w->errors->data)
		return;
	w->errors->len = w->errors_before;
	w->errors->data[w->errors->len] = '\0';
}

/* The next event; 0 when there is none, and the walk is over. */
static int next(struct walk *w, yaml_event_t *ret_event)
{
	const yaml_parser_t *p = &w->parser;

	if (w->stopped)
		return 0;
	if (yaml_parser_parse(&w->parser, ret_event)) {
		w->nesting += opens(ret_event) ? 1 : 0;
		w->nesting -= closes(ret_event) ? 1 : 0;
		if (w->nesting <= NESTING_MAX)
			return 1;
		complain(w, &ret_event->start_mark, "nested too deeply");
		yaml_event_delete(ret_event);
		w->stopped = 1;
		return 0;
	}
	forget_errors(w);
	if (p->error == YAML_MEMORY_ERROR)
		complain(w, &p->problem_mark, "out of memory");
	else if (p->error == YAML_READER_ERROR)
		complain(w, &p->mark, "not UTF-8 text: %s", p->problem ? p->problem : "?");
	else
		complain(w, &p->problem_mark, "not YAML: %s%s%s",
			p->problem ? p->problem : "?", p->context ? " " : "",
			p->context ? p->context : "");
	w->stopped = 1;
	return 0;
}

/* Pass over the node that an event began. */
static void skip(struct walk *w, const yaml_event_t *first)
{
	unsigned long depth = opens(first) ? 1 : 0;
	yaml_event_t e;

	while (depth && next(w, &e)) {
		if (opens(&e))
			depth++;
		else if (closes(&e))
			depth--;
		yaml_event_delete(&e);
	}
}

static int is_null(const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;

	return e->data.scalar.plain_implicit && e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
		(!*text || !strcmp(text, "~") || !strcmp(text, "null"));
}

/* A scalar that may be a key or a value: no NUL inside, no tag of its own. */
static int is_plain(struct walk *w, const yaml_event_t *e)
{
	if (e->type != YAML_SCALAR_EVENT) {
		complain(w, &e->start_mark, e->type == YAML_ALIAS_EVENT ?
			"aliases are not understood here" : "a single value is expected here");
		return 0;
	}
	if (strlen((const char *)e->data.scalar.value) != e->data.scalar.length) {
		complain(w, &e->start_mark, "a value with a NUL character");
		return 0;
	}
	if (e->data.scalar.tag) {
		complain(w, &e->start_mark, "tags are not understood here");
		return 0;
	}
	return 1;
}

static void set_value(struct walk *w, const char *name, const yaml_event_t *e)
{
	char error[300];

	if (!is_plain(w, e))
		return;
	if (is_null(e))
		complain(w, &e->start_mark, "%s needs a value", name);
	else if (w->reader->set(w->reader->ctx, name, (const char *)e->data.scalar.value, error,
			sizeof(error)) < 0)
		complain(w, &e->start_mark, "%s", error);
}

static void walk_list(struct walk *w, const char *name)
{
	yaml_event_t e;
	int end = 0;

	while (!end && next(w, &e)) {
		end = e.type == YAML_SEQUENCE_END_EVENT;
		if (!end) {
			set_value(w, name, &e);
			skip(w, &e);
		}
		yaml_event_delete(&e);
	}
}

/* Remember a name. 0 if it was there before. */
static int is_first(struct walk *w, const char *name)
{
	unsigned i;

	for (i = 0; i < w->nseen; i++)
		if (strcmp(w->seen[i], name) == 0)
			return 0;
	if (w->nseen < KEYS_MAX && (w->seen[w->nseen] = strdup(name)) != NULL)
		w->nseen++;
	return 1;
}

static void walk_mapping(struct walk *w, const char *prefix, unsigned depth);

/* The value of a key, whose first event is e. */
static void walk_value(struct walk *w, const char *name, const yaml_mark_t *at, const yaml_event_t *e,
	unsigned depth)
{
	enum config_key kind = w->reader->kind(w->reader->ctx, name);

	if (kind == CONFIG_UNKNOWN)
		complain(w, at, "unknown setting \"%s\"", name);
	else if (!is_first(w, name))
		complain(w, at, "\"%s\" is given twice", name);
	else if (kind == CONFIG_SECTION && e->type == YAML_MAPPING_START_EVENT) {
		walk_mapping(w, name, depth + 1);
		return;
	} else if (kind == CONFIG_SECTION)
		complain(w, &e->start_mark, "settings are expected below \"%s\"", name);
	else if (kind == CONFIG_LIST && e->type == YAML_SEQUENCE_START_EVENT) {
		walk_list(w, name);
		return;
	} else {
		set_value(w, name, e);
	}
	skip(w, e);
}

static int join(char *ret_name, const char *prefix, const yaml_event_t *key)
{
	const char *text = (const char *)key->data.scalar.value;
	size_t i;
	int n = snprintf(ret_name, NAME_MAX_BYTES, "%s%s%s", prefix, *prefix ? "." : "", text);

	for (i = 0; text[i]; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return -EINVAL;
	return n < NAME_MAX_BYTES && *text ? 0 : -EINVAL;
}

static void walk_mapping(struct walk *w, const char *prefix, unsigned depth)
{
	char name[NAME_MAX_BYTES];
	yaml_event_t key, value;
	int usable;

	while (next(w, &key)) {
		if (key.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&key);
			return;
		}
		usable = is_plain(w, &key);
		if (usable && (join(name, prefix, &key) < 0 || depth > DEPTH_MAX)) {
			complain(w, &key.start_mark, "this cannot be a setting's name");
			usable = 0;
		}
		skip(w, &key);
		if (next(w, &value)) {
			if (usable)
				walk_value(w, name, &key.start_mark, &value, depth);
			else
				skip(w, &value);
			yaml_event_delete(&value);
		}
		yaml_event_delete(&key);
	}
}

/* The whole stream: at most one document, which is a mapping or nothing. */
static void walk_stream(struct walk *w)
{
	unsigned documents = 0;
	yaml_event_t e;
	int end = 0;

	while (!end && next(w, &e)) {
		end = e.type == YAML_STREAM_END_EVENT;
		if (e.type == YAML_DOCUMENT_START_EVENT && documents++) {
			complain(w, &e.start_mark, "a second document");
			w->stopped = 1;
		} else if (e.type == YAML_MAPPING_START_EVENT) {
			walk_mapping(w, "", 1);
		} else if (e.type == YAML_SCALAR_EVENT ? !is_null(&e) :
			   e.type == YAML_SEQUENCE_START_EVENT || e.type == YAML_ALIAS_EVENT) {
			complain(w, &e.start_mark, "settings are expected, as in \"web:\"");
			skip(w, &e);
		}
		yaml_event_delete(&e);
	}
}

int config_parse(const char *text, size_t len, const char *where, const struct config_reader *reader,
	struct buf *errors)
{
	struct walk w = { .reader = reader, .where = where, .errors = errors,
		.errors_before = errors->len };

	if (!yaml_parser_initialize(&w.parser)) {
		buf_printf(errors, "%s: out of memory\n", where);
		return -EINVAL;
	}
	yaml_parser_set_encoding(&w.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&w.parser, (const unsigned char *)text, len);
	walk_stream(&w);
	yaml_parser_delete(&w.parser);
	while (w.nseen)
		free(w.seen[--w.nseen]);
	return w.nerrors ? -EINVAL : 0;
}

static int read_file(const char *path, struct buf *b)
{
	char chunk[16384];
	struct stat st;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	while (rc == 0 && (n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0)
			rc = errno == EINTR ? 0 : -errno;
		else
			buf_put(b, chunk, (size_t)n);
		if (b->failed || b->len > CONFIG_BYTES_MAX)
			rc = b->failed ? -ENOMEM : -EFBIG;
	}
	close(fd);
	return rc;
}

int config_read(const char *path, const struct config_reader *reader, struct buf *errors)
{
	struct buf text = { 0 };
	int rc = read_file(path, &text);

	if (rc == 0)
		rc = config_parse(text.data ? text.data : "", text.len, path, reader, errors);
	else if (rc != -ENOENT)
		buf_printf(errors, "%s: %s\n", path, rc == -EINVAL ? "Not a regular file" :
			strerror(-rc));
	buf_free(&text);
	return rc == 0 || rc == -ENOENT ? rc : -EINVAL;
}
