/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_exporter.c - see doctor.h. What answers may be anything that listens there. */
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "probe.h"

/* Characters of a segment's id. */
#define SEGMENT_ID_TEXT 32

/* Reasons and warnings of /-/ready, by their codes. */
static const struct {
	const char *code, *remedy;
} remedies[] = {
	{ "no_segment",
		"start the program that counts; the exporter must see the same directory and the same "
		"SHARDMETER_SEGMENT (its --segment)" },
	{ "not_ready", "start a writer: it finishes or replaces the file" },
	{ "no_permission", "run the exporter as the segment's owner or in its group" },
	{ "incompatible", "use exporter and programs of the same release" },
	{ "damaged",
		"\"shardmeter check\" says more; remove the segment, start the writers again" },
	{ "stopping", "it is shutting down: start it again" },
	{ "segment_removed",
		"writers make a new file at their next heartbeat; if not, restart them" },
	{ "store_down", "look at the exporter's log and at the disk of its --storage.path" },
};

static const char *remedy_for(const char *code)
{
	for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++)
		if (strcmp(remedies[i].code, code) == 0)
			return remedies[i].remedy;
	return "the exporter's log says more";
}

/* Where the exporter listens: as said, as its own environment variable says, or where it does by
 * default. An empty host means every address. */
static void exporter_address(const char *address, char *ret_text, size_t size)
{
	if (!address)
		address = getenv("SHARDMETER_EXPORTER_WEB_LISTEN_ADDRESS");
	if (!address || !*address)
		address = "127.0.0.1:10464";
	snprintf(ret_text, size, "%s%s", address[0] == ':' ? "127.0.0.1" : "", address);
	/* The variable may list several; one is enough. */
	ret_text[strcspn(ret_text, ",")] = '\0';
}

/* One line of a body that may have many. */
static void flatten(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++)
		if (!strchr(" \t\r\n", *from))
			*to++ = *from;
		else if (to > text && to[-1] != ' ')
			*to++ = ' ';
	*to = '\0';
}

/* The JSON string behind key in text, without escapes but for those that nobody needs to read here.
 * Returns what follows it; NULL if there is none. */
static const char *text_of(const char *text, const char *key, char *ret_text, size_t size)
{
	const char *at = strstr(text, key);
	size_t n = 0;

	ret_text[0] = '\0';
	if (!at)
		return NULL;
	for (at += strlen(key); *at && *at != '"'; at++) {
		if (*at == '\\' && at[1])
			at++;
		if (n + 1 < size)
			ret_text[n++] = *at;
	}
	ret_text[n] = '\0';
	return *at ? at + 1 : NULL;
}

/* Does a list of the answer ("reasons", "warnings") have something? Each entry is said. */
static unsigned say_list(struct doctor *d, enum doctor_level level, const char *address,
	const char *body, const char *list)
{
	const char *at = strstr(body, list), *end = at ? strchr(at, ']') : NULL;
	char code[64] = "", message[600] = "";
	unsigned n = 0;

	while (at && end) {
		at = strstr(at, "{\"code\": \"");
		if (!at || at > end)
			break;
		at = text_of(at, "\"code\": \"", code, sizeof(code));
		at = at ? text_of(at, "\"message\": \"", message, sizeof(message)) : NULL;
		if (at && at > end)
			end = strchr(at, ']'); /* that bracket was inside the text */
		doctor_say(d, level, CLI_FAILED, "exporter", remedy_for(code), "%s%s: %s%s%s",
			address, level == DOCTOR_FAIL ? " is not ready" : "", code,
			message[0] ? ": " : "", message);
		n++;
	}
	return n;
}

/* It is ready: does it read the segment that we look at? */
static void compare_segments(
	struct doctor *d, const char *address, const char *body, const struct sm_segment_info *info)
{
	char id[64], path[1024], ours[SEGMENT_ID_TEXT + 3] = "\"";

	text_of(body, "\"segment\": \"", path, sizeof(path));
	if (!text_of(body, "\"segment_id\": \"", id, sizeof(id))) {
		doctor_fail(d, CLI_FAILED, "exporter",
			"something else listens there; --exporter says where the exporter listens",
			"%s answers /-/ready, but not as shardmeter-exporter does", address);
		return;
	}
	if (!info) {
		doctor_warn(d, "exporter", "choose with -S the segment that the exporter serves",
			"%s is ready and serves %s", address, path);
		return;
	}
	for (size_t i = 0; i < sizeof(info->segment_id); i++)
		snprintf(ours + 1 + 2 * i, 4, "%02x\"", info->segment_id[i]);
	if (strstr(body, ours)) /* of any of the segments that it lists */
		doctor_ok(d, "exporter", "%s is ready and serves this segment", address);
	else
		doctor_fail(d, CLI_FAILED, "exporter",
			"start it with --segment of this one, or give this one with -S; compare "
			"SHARDMETER_SEGMENT",
			"%s serves another segment: %s, id %s, not %s, id %.32s", address, path, id,
			info->path, ours + 1);
}

static const char *probe_remedy(const struct probe *p)
{
	if (p->bad_address)
		return "use ADDRESS:PORT, such as 127.0.0.1:10464, unix:/PATH, or -e none; names "
		       "other than localhost are not looked up";
	if (p->foreign)
		return "something else listens there; --exporter says where the exporter listens";
	return "start shardmeter-exporter; --exporter says where it listens";
}

void doctor_exporter(
	struct doctor *d, const char *said, uint64_t timeout_ns, const struct sm_segment_info *info)
{
	char address[256];
	struct probe p;

	exporter_address(said, address, sizeof(address));
	if (strcmp(address, "none") == 0)
		return;
	if (probe_http(address, "/-/ready", (unsigned)(timeout_ns / 1000000), &p) != 0) {
		if (p.bad_address)
			doctor_fail(d, CLI_FAILED, "exporter", probe_remedy(&p), "%s", p.error);
		else
			doctor_fail(d, CLI_FAILED, "exporter", probe_remedy(&p), "%s: %s", address,
				p.error);
		return;
	}
	flatten(p.body);
	if (p.status == 200) {
		compare_segments(d, address, p.body, info);
		say_list(d, DOCTOR_WARN, address, p.body, "\"warnings\": [");
	} else if (p.status != 503) {
		doctor_fail(d, CLI_FAILED, "exporter",
			"something else listens there; --exporter says where the exporter listens",
			"%s answers /-/ready with status %d", address, p.status);
	} else if (say_list(d, DOCTOR_FAIL, address, p.body, "\"reasons\": [") == 0) {
		doctor_fail(d, CLI_FAILED, "exporter",
			"it says why; most often it looks at another segment: compare "
			"SHARDMETER_SEGMENT",
			"%s is not ready: %s", address, p.body);
	}
}
