/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pattern.c - see pattern.h.
 *
 * A pattern becomes a small program; matching keeps the set of all places in it that are possible
 * after each character (Thompson). Jumps are relative, so that what repeats or branches can be put
 * in front of a piece by moving it. The nesting of groups is limited, so recursion is.
 */
#include "exporter/api/pattern.h"

#include <errno.h>
#include <string.h>

#include "common/utf8.h"

#define NESTING_MAX	32
#define NO_CODE		UINT32_MAX	/* a byte that is no UTF-8 */

enum { STEP_CHAR, STEP_ANY, STEP_SET, STEP_SPLIT, STEP_JUMP, STEP_MATCH };

struct parser {
	struct pattern *p;
	const char *at, *end;
	unsigned nesting;
	const char *why;
};

static int bad(struct parser *s, const char *why)
{
	if (!s->why)
		s->why = why;
	return -EINVAL;
}

static int emit(struct parser *s, struct pattern_step step)
{
	if (s->p->nsteps >= PATTERN_STEPS)
		return bad(s, "too long");
	s->p->step[s->p->nsteps++] = step;
	return 0;
}

/* Put a step in front of those from `start`. */
static int insert(struct parser *s, unsigned start, struct pattern_step step)
{
	if (emit(s, step) < 0)
		return -EINVAL;
	memmove(&s->p->step[start + 1], &s->p->step[start],
		(s->p->nsteps - 1 - start) * sizeof(step));
	s->p->step[start] = step;
	return 0;
}

static int add_range(struct parser *s, uint32_t first, uint32_t last)
{
	if (s->p->nranges >= PATTERN_RANGES)
		return bad(s, "too many ranges");
	if (first > last)
		return bad(s, "a range that ends before it begins");
	s->p->range[s->p->nranges][0] = first;
	s->p->range[s->p->nranges++][1] = last;
	return 0;
}

/* The ranges of \d, \w, \s: 1, or 0 when the letter is none of them, or -EINVAL. */
static int add_class(struct parser *s, char letter)
{
	int rc = 0;

	if (letter != 'd' && letter != 'w' && letter != 's')
		return 0;
	if (letter == 's')
		rc = add_range(s, '\t', '\r') < 0 ? -EINVAL : add_range(s, ' ', ' ');
	else
		rc = add_range(s, '0', '9');
	if (rc == 0 && letter == 'w')
		rc = add_range(s, 'A', 'Z') < 0 || add_range(s, '_', '_') < 0 ?
			-EINVAL : add_range(s, 'a', 'z');
	return rc < 0 ? rc : 1;
}

static int is_letter_or_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* One character, perhaps after a backslash. */
static int next_code(struct parser *s, uint32_t *ret_code)
{
	size_t n;

	if (*s->at == '\\') {
		s->at++;
		if (s->at == s->end)
			return bad(s, "a backslash at the end");
		if (is_letter_or_digit(*s->at))
			return bad(s, "a backslash before a letter or digit other than \\d \\w \\s");
	}
	n = utf8_next(s->at, (size_t)(s->end - s->at), ret_code);
	if (!n)
		return bad(s, "not UTF-8");
	s->at += n;
	return 0;
}

/* One member of a set. */
static int parse_member(struct parser *s)
{
	uint32_t first, last;
	int rc;

	if (*s->at == '\\' && s->end - s->at > 1) {
		rc = add_class(s, s->at[1]);
		s->at += rc > 0 ? 2 : 0;
		if (rc)
			return rc < 0 ? rc : 0;
	}
	if (next_code(s, &first) < 0)
		return -EINVAL;
	last = first;
	if (s->end - s->at > 1 && s->at[0] == '-' && s->at[1] != ']') {
		s->at++;
		if (next_code(s, &last) < 0)
			return -EINVAL;
	}
	return add_range(s, first, last);
}

static int parse_set(struct parser *s)
{
	struct pattern_step step = { .op = STEP_SET, .x = (int16_t)s->p->nranges };
	const char *first;

	s->at++;
	if (s->at < s->end && *s->at == '^') {
		step.negate = 1;
		s->at++;
	}
	/* A ] that comes first is a member. */
	for (first = s->at; s->at < s->end && (*s->at != ']' || s->at == first);)
		if (parse_member(s) < 0)
			return -EINVAL;
	if (s->at == s->end)
		return bad(s, "a [ without its ]");
	s->at++;
	step.y = (int16_t)(s->p->nranges - (unsigned)step.x);
	return emit(s, step);
}

static int parse_choice(struct parser *s);

static int parse_group(struct parser *s)
{
	s->at++;
	/* (?: is what other engines want for a group without a number. */
	if (s->end - s->at > 1 && s->at[0] == '?' && s->at[1] == ':')
		s->at += 2;
	if (++s->nesting > NESTING_MAX)
		return bad(s, "groups nested too deep");
	if (parse_choice(s) < 0)
		return -EINVAL;
	s->nesting--;
	if (s->at == s->end)
		return bad(s, "a ( without its )");
	s->at++;
	return 0;
}

static int parse_atom(struct parser *s)
{
	struct pattern_step step = { .op = STEP_CHAR };
	int rc;

	switch (*s->at) {
	case '(':
		return parse_group(s);
	case '[':
		return parse_set(s);
	case '*':
	case '+':
	case '?':
		return bad(s, "a repetition of nothing");
	case '{':
	case '}':
		return bad(s, "{ } is not supported: repeat the part, or write \\{");
	case '^':
	case '$':
		return bad(s, "^ or $ inside: a pattern matches the whole value");
	case '.':
		s->at++;
		step.op = STEP_ANY;
		return emit(s, step);
	case '\\':
		step = (struct pattern_step){ .op = STEP_SET, .x = (int16_t)s->p->nranges };
		rc = s->end - s->at > 1 ? add_class(s, s->at[1]) : 0;
		if (rc < 0)
			return rc;
		if (rc) {
			s->at += 2;
			step.y = (int16_t)(s->p->nranges - (unsigned)step.x);
			return emit(s, step);
		}
		step = (struct pattern_step){ .op = STEP_CHAR };
		break;
	}
	return next_code(s, &step.code) < 0 ? -EINVAL : emit(s, step);
}

static int parse_repeated(struct parser *s)
{
	unsigned start = s->p->nsteps, n;
	char how;

	if (parse_atom(s) < 0)
		return -EINVAL;
	/* x** says no more than x*. */
	for (; s->at < s->end && strchr("*+?", *s->at); s->at++) {
		how = *s->at;
		n = s->p->nsteps - start;
		if (how == '+') {
			if (emit(s, (struct pattern_step){ .op = STEP_SPLIT, .x = (int16_t)-n,
				.y = 1 }) < 0)
				return -EINVAL;
			continue;
		}
		if (insert(s, start, (struct pattern_step){ .op = STEP_SPLIT, .x = 1,
			.y = (int16_t)(how == '*' ? n + 2 : n + 1) }) < 0)
			return -EINVAL;
		if (how == '*' && emit(s, (struct pattern_step){ .op = STEP_JUMP,
			.x = (int16_t)-(n + 1) }) < 0)
			return -EINVAL;
	}
	return 0;
}

static int parse_row(struct parser *s)
{
	while (s->at < s->end && *s->at != '|' && !(*s->at == ')' && s->nesting))
		if (*s->at == ')')
			return bad(s, "a ) too many");
		else if (parse_repeated(s) < 0)
			return -EINVAL;
	return 0;
}

static int parse_choice(struct parser *s)
{
	unsigned start = s->p->nsteps, jump, n;

	if (parse_row(s) < 0)
		return -EINVAL;
	while (s->at < s->end && *s->at == '|') {
		s->at++;
		n = s->p->nsteps - start;
		if (insert(s, start, (struct pattern_step){ .op = STEP_SPLIT, .x = 1,
			.y = (int16_t)(n + 2) }) < 0)
			return -EINVAL;
		jump = s->p->nsteps;
		if (emit(s, (struct pattern_step){ .op = STEP_JUMP }) < 0 || parse_row(s) < 0)
			return -EINVAL;
		s->p->step[jump].x = (int16_t)(s->p->nsteps - jump);
	}
	return 0;
}

int pattern_compile(struct pattern *p, const char *text, size_t len, const char **ret_why)
{
	struct parser s = { .p = p, .at = text, .end = text + len };

	p->nsteps = p->nranges = 0;
	if (len > PATTERN_MAX) {
		bad(&s, "longer than 256 bytes");
	} else {
		s.at += len && *text == '^';
		/* An escaped $ is a character. */
		if (s.end > s.at && s.end[-1] == '$' && (s.end - s.at < 2 || s.end[-2] != '\\'))
			s.end--;
		if (parse_choice(&s) == 0)
			emit(&s, (struct pattern_step){ .op = STEP_MATCH });
	}
	if (s.why)
		*ret_why = s.why;
	return s.why ? -EINVAL : 0;
}

/* ---- matching ------------------------------------------------------------------------------- */

/* The places that are possible, without doubles. */
struct places {
	unsigned n;
	uint16_t list[PATTERN_STEPS];
	uint8_t there[PATTERN_STEPS];
};

static void add(const struct pattern *p, struct places *to, int at)
{
	uint16_t todo[PATTERN_STEPS + 1];
	unsigned n = 0;

	todo[n++] = (uint16_t)at;
	while (n) {
		at = todo[--n];
		if (to->there[at])
			continue;
		to->there[at] = 1;
		if (p->step[at].op != STEP_JUMP && p->step[at].op != STEP_SPLIT) {
			to->list[to->n++] = (uint16_t)at;
			continue;
		}
		/* Each place pushes at most once, two at most: never more than there are. */
		if (!to->there[at + p->step[at].x] && n < PATTERN_STEPS)
			todo[n++] = (uint16_t)(at + p->step[at].x);
		if (p->step[at].op == STEP_SPLIT && !to->there[at + p->step[at].y] &&
			n < PATTERN_STEPS)
			todo[n++] = (uint16_t)(at + p->step[at].y);
	}
}

static int step_matches(const struct pattern *p, const struct pattern_step *step, uint32_t code)
{
	int i;

	if (step->op == STEP_ANY)
		return 1;
	if (step->op == STEP_CHAR)
		return step->code == code;
	if (step->op != STEP_SET)
		return 0;
	for (i = step->x; i < step->x + step->y; i++)
		if (code >= p->range[i][0] && code <= p->range[i][1])
			return !step->negate;
	return step->negate;
}

int pattern_matches(const struct pattern *p, const char *text, size_t len)
{
	struct places a = { 0 }, b, *now = &a, *next = &b, *swap;
	uint32_t code;
	unsigned i;
	size_t n;

	add(p, now, 0);
	for (; len && now->n; text += n, len -= n) {
		n = utf8_next(text, len, &code);
		if (!n) {
			n = 1;
			code = NO_CODE;
		}
		next->n = 0;
		memset(next->there, 0, p->nsteps);
		for (i = 0; i < now->n; i++)
			if (step_matches(p, &p->step[now->list[i]], code))
				add(p, next, now->list[i] + 1);
		swap = now;
		now = next;
		next = swap;
	}
	for (i = 0; !len && i < now->n; i++)
		if (p->step[now->list[i]].op == STEP_MATCH)
			return 1;
	return 0;
}
