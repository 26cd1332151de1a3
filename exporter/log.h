/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - one line per event on stderr.
 *
 * Depends on nothing. A line is logfmt (ts=... level=info msg="listening" address=127.0.0.1:10464)
 * or a JSON object with the same fields. Values are escaped: what a segment or a client says
 * cannot start a line of its own or reach a terminal as a control character. Each line is one
 * write, so that lines of several threads do not mix.
 *
 *	log_info("listening", "address", address);
 *
 * After the message come pairs of name and text; a pair whose text is NULL or "" is left out.
 * Names of things are values, not parts of the message, so that events can be counted.
 * Thread: safe. Signal: unsafe.
 */
#ifndef EXPORTER_LOG_H
#define EXPORTER_LOG_H

#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

/* log_setup - may be called again. Without it: logfmt, info. */
void log_setup(enum log_level level, enum log_format format);

void log_event(enum log_level level, const char *message, ...) __attribute__((sentinel));

#define log_at(level, ...)	log_event((level), __VA_ARGS__, (const char *)NULL)
#define log_error(...)		log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)		log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)		log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)		log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif /* EXPORTER_LOG_H */
