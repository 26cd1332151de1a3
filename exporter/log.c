/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.c - one line per event on stderr; see log.h.
 *
 * A line is built in a buffer on the stack and cut there: a log never allocates. Under systemd,
 * when stderr is the journal, lines begin with their priority ("<4>").
 */
#include "exporter/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/json.h"
#include "common/utf8.h"

#define LINE_MAX_BYTES 4096

/* Atomic, since a reload may change them while others log. */
static atomic_int lowest = LOG_LEVEL_INFO;
static atomic_int line_format = LOG_FORMAT_LOGFMT;
static atomic_int to_journal;

static const char *const level_names[] = { "error", "warn", "info", "debug" };
static const int priorities[] = { 3, 4, 6, 7 };

/* One line being built; the last byte is kept for the newline. */
struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
};

static void add(struct line *line, const char *text, size_t len)
{
	size_t room = sizeof(line->text) - 1 - line->len;

	if (len > room)
		len = room;
	memcpy(line->text + line->len, text, len);
	line->len += len;
}

static void add_text(struct line *line, const char *text)
{
	add(line, text, strlen(text));
}

/* Does a logfmt value need no quotes? */
static int is_plain(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	while (*s > ' ' && *s != '"' && *s != '=' && *s != '\\' && *s < 0x7f)
		s++;
	return *s == '\0';
}

/* A quoted text in JSON's escapes, which logfmt readers know too. */
static void add_quoted(struct line *line, const char *text)
{
	size_t n, left = strlen(text);
	char one[JSON_CHAR];

	add_text(line, "\"");
	/* Keep room for one escape, the quote and a brace. */
	for (; left && line->len < sizeof(line->text) - 16; text += n, left -= n) {
		n = json_next(text, left, one);
		add_text(line, one);
	}
	add_text(line, "\"");
}

static void add_field(struct line *line, const char *name, const char *value)
{
	if (line->len > sizeof(line->text) - 128)
		return;
	if (line_format == LOG_FORMAT_JSON) {
		add_text(line, line->text[line->len - 1] == '{' ? "\"" : ",\"");
		add_text(line, name);
		add_text(line, "\":");
		add_quoted(line, value);
		return;
	}
	if (line->len && line->text[line->len - 1] != '>')
		add_text(line, " ");
	add_text(line, name);
	add_text(line, "=");
	if (is_plain(value))
		add_text(line, value);
	else
		add_quoted(line, value);
}

static void timestamp(char *text, size_t size)
{
	struct timespec ts;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, size - n, ".%03ldZ", ts.tv_nsec / 1000000);
}

void log_setup(enum log_level level, enum log_format format)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	lowest = level;
	line_format = format;
	to_journal = stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
		fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_event(enum log_level level, const char *message, ...)
{
	struct line line = { .len = 0 };
	const char *name, *value;
	char when[48], priority[8];
	va_list ap;

	if ((int)level > lowest)
		return;
	if (to_journal) {
		snprintf(priority, sizeof(priority), "<%d>", priorities[level]);
		add_text(&line, priority);
	}
	if (line_format == LOG_FORMAT_JSON)
		add_text(&line, "{");
	timestamp(when, sizeof(when));
	add_field(&line, "ts", when);
	add_field(&line, "level", level_names[level]);
	add_field(&line, "msg", message);
	va_start(ap, message);
	while ((name = va_arg(ap, const char *)) != NULL) {
		value = va_arg(ap, const char *);
		if (value && *value)
			add_field(&line, name, value);
	}
	va_end(ap);
	if (line_format == LOG_FORMAT_JSON)
		add_text(&line, "}");
	line.text[line.len++] = '\n';
	/* A log that cannot be written has nowhere to be reported. */
	if (write(STDERR_FILENO, line.text, line.len) < 0)
		return;
}
