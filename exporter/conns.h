/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conns.h - the open connections: how many, how long each may take, who makes room.
 *
 * Depends on nothing. libmicrohttpd knows a limit and a timeout of inactivity, and both can be used
 * against it: a client that sends a byte a second never times out, and 64 of those are all that fit.
 * So every connection has a state with a deadline,
 *
 *	waiting	a request is expected: complete within header_timeout, from the connection's
 *		beginning or, on one that was idle, from its first byte
 *	busy	being answered: taken within the time that the request allows
 *	idle	after an answer: as long as it likes, but the first to go when room is needed
 *
 * and whoever comes is let in: beyond a limit the one that has waited longest is cut, else the one
 * that has been idle longest, and the new one only if all others are being answered. A client that
 * sends its request at once is always served, however many drip.
 *
 * Cutting is shutdown(): the server then sees the end and closes. A connection is taken off the list
 * before its descriptor is closed, under the lock that cutting takes, so that a descriptor
 * that was given to somebody else is never shut down. Thread: safe.
 */
#ifndef EXPORTER_CONNS_H
#define EXPORTER_CONNS_H

#include <stdint.h>

struct conns;
struct conn;

struct conns_limits {
	uint64_t max, max_per_ip;	/* 1/8 of max, at most 32, are kept for this machine */
	uint64_t header_timeout_ms;
};

struct conns_stats {
	uint64_t open, outside;		/* outside: not from this machine */
	uint64_t cut_late, cut_for_room;
};

int conns_create(const struct conns_limits *limits, struct conns **ret_conns);
void conns_free(struct conns *s);	/* none may be left */
void conns_set_limits(struct conns *s, const struct conns_limits *limits);
void conns_stats(struct conns *s, struct conns_stats *ret_stats);

/* conns_is_local - is the peer on this machine: loopback, a socket in the file system, or one end of
 * a pair? *ret_unix: the latter two. */
int conns_is_local(int fd, int *ret_unix);

/* conns_add - a new connection, waiting. NULL without memory. */
struct conn *conns_add(struct conns *s, int fd);

/* conns_remove - fd will be closed. */
void conns_remove(struct conns *s, struct conn *c);

int conn_is_unix(const struct conn *c);

/* conn_busy, conn_idle - a request is being answered, until deadline_ns at the latest; it was. */
void conn_busy(struct conns *s, struct conn *c, uint64_t deadline_ns);
void conn_idle(struct conns *s, struct conn *c);

/* conn_takes - an answer is ready, and the client has to take it. conns_cut_taker - cut the one of
 * of's kind (of this machine, or not) that has been taking one longest, if that is more than 2 s; 0 if
 * there is none. */
void conn_takes(struct conns *s, struct conn *c);
int conns_cut_taker(struct conns *s, const struct conn *of);

/* conns_watch - cut what is late. To be called a few times a second. */
void conns_watch(struct conns *s, uint64_t now_ns);

/* conns_drain - end those that ask for nothing, without touching a request that is on its way; returns how many
 * connections are left. conns_cut_all - end all. */
unsigned conns_drain(struct conns *s);
void conns_cut_all(struct conns *s);

#endif /* EXPORTER_CONNS_H */
