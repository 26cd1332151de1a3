/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conns.c - the open connections; see conns.h.
 *
 * The list is walked for each new connection and a few times a second: at the highest limit
 * (10,000) that is some 20 us.
 */
#include "exporter/conns.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
/* The kernel's, not the C library's: that one's struct tcp_info ends before tcpi_bytes_received. */
#include <linux/tcp.h>

#include "exporter/clock.h"

#define KEPT_FOR_LOCAL_MAX	32
/* The kernel is asked about each connection in one of so many rounds of conns_watch(), so that a
 * thousand do not hold the mutex for long. */
#define WATCH_SLICES		4u
#define TAKING_NS		(2 * CLOCK_S)	/* more than any scraper needs that does take */
#define SILENT_NS		(CLOCK_S / 2)	/* who wanted something would have said so */

enum conn_state { CONN_WAITING, CONN_BUSY, CONN_IDLE };

struct conn {
	struct conn *next, **link;
	int fd;
	enum conn_state state;
	int is_local, is_unix;
	int is_cut;
	uint64_t since_ns;		/* in this state */
	uint64_t deadline_ns;		/* of busy */
	uint64_t takes_ns;		/* since then it takes an answer; 0: it does not */
	int64_t received;		/* bytes, when it became idle */
	struct in6_addr ip;		/* IPv4 mapped; zero: none */
};

struct conns {
	pthread_mutex_t mutex;
	struct conn *list;
	struct conns_limits limits;
	unsigned round;			/* of conns_watch() */
	struct conns_stats stats;	/* open and outside without those that are cut */
};

/* ---- what the kernel knows ------------------------------------------------------------------ */

static int is_loopback(const struct in6_addr *ip)
{
	return IN6_IS_ADDR_LOOPBACK(ip) || (IN6_IS_ADDR_V4MAPPED(ip) && ip->s6_addr[12] == 127);
}

/* The peer's address; 0 if it has none. */
static int peer(int fd, struct in6_addr *ret_ip)
{
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	const struct sockaddr_in *in = (const void *)&sa;
	const struct sockaddr_in6 *in6 = (const void *)&sa;
	socklen_t len = sizeof(sa);

	memset(ret_ip, 0, sizeof(*ret_ip));
	if (getpeername(fd, (struct sockaddr *)&sa, &len) < 0)
		return 0;
	if (sa.ss_family == AF_INET6) {
		*ret_ip = in6->sin6_addr;
		return 1;
	}
	if (sa.ss_family != AF_INET)
		return 0;
	ret_ip->s6_addr[10] = ret_ip->s6_addr[11] = 0xff;
	memcpy(ret_ip->s6_addr + 12, &in->sin_addr, 4);
	return 1;
}

int conns_is_local(int fd, int *ret_unix)
{
	int domain = AF_UNSPEC;
	socklen_t len = sizeof(domain);
	struct in6_addr ip;

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	*ret_unix = domain == AF_UNIX;
	return *ret_unix || (peer(fd, &ip) && is_loopback(&ip));
}

/* Bytes received so far; -1 where nobody counts them: sockets in the file system, kernels that give a
 * shorter struct, emulators that do not know the option. */
static int64_t bytes_received(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
	    len < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(info.tcpi_bytes_received))
		return -1;
	return (int64_t)info.tcpi_bytes_received;
}

/* Has the peer ended the connection? libmicrohttpd 0.9.75 does not always notice. */
static int is_gone(const struct conn *c)
{
	char one;

	return c->state != CONN_BUSY && recv(c->fd, &one, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Has an idle connection sent something? Where no bytes are counted, what is seen is what waits there
 * unread. */
static int has_begun(const struct conn *c)
{
	int64_t received = c->is_unix ? -1 : bytes_received(c->fd);
	char one;

	if (received >= 0)
		return received > c->received;
	return recv(c->fd, &one, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* ---- cutting -------------------------------------------------------------------------------- */

static void uncount(struct conns *s, const struct conn *c)
{
	if (c->is_cut)
		return;
	s->stats.open--;
	s->stats.outside -= !c->is_local;
}

/* With the mutex held. */
static void cut(struct conns *s, struct conn *c)
{
	const struct linger at_once = { .l_onoff = 1 };

	if (c->is_cut)
		return;
	uncount(s, c);
	c->is_cut = 1;
	/* What a client does not take would stay in the kernel for minutes after close(). */
	if (c->state == CONN_BUSY)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	shutdown(c->fd, SHUT_RDWR);
}

static int same_ip(const struct conn *a, const struct conn *b)
{
	return !a->is_unix && !b->is_unix && memcmp(&a->ip, &b->ip, sizeof(a->ip)) == 0;
}

/* Who waits goes before who is idle; of two such who does so longer. */
static int goes_before(const struct conn *a, const struct conn *b)
{
	if (a->state != b->state)
		return a->state == CONN_WAITING;
	return a->since_ns <= b->since_ns;
}

enum whom { ANYBODY, OUTSIDE, OF_ITS_IP };

/* Who has to go for `added`: one that is gone already if there is one, NULL if all are being answered. */
static struct conn *find_victim(struct conns *s, const struct conn *added, enum whom whom)
{
	struct conn *c, *victim = NULL;

	for (c = s->list; c; c = c->next) {
		if (c == added || c->is_cut || c->state == CONN_BUSY ||
		    (whom == OUTSIDE && c->is_local) || (whom == OF_ITS_IP && !same_ip(c, added)))
			continue;
		if (is_gone(c))
			return c;
		victim = victim && goes_before(victim, c) ? victim : c;
	}
	return victim;
}

static void make_room(struct conns *s, struct conn *added, enum whom whom)
{
	struct conn *victim = find_victim(s, added, whom);

	if (!victim && whom == OUTSIDE && added->is_local)
		victim = find_victim(s, added, ANYBODY);
	cut(s, victim ? victim : added);
	s->stats.cut_for_room++;
}

static uint64_t kept_for_local(const struct conns *s)
{
	uint64_t share = s->limits.max / 8;

	return share > KEPT_FOR_LOCAL_MAX ? KEPT_FOR_LOCAL_MAX : share;
}

static unsigned count_ip(const struct conns *s, const struct conn *of)
{
	const struct conn *c;
	unsigned n = 0;

	for (c = s->list; c; c = c->next)
		n += !c->is_cut && same_ip(c, of);
	return n;
}

/* ---- life of a connection ------------------------------------------------------------------- */

struct conn *conns_add(struct conns *s, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->fd = fd;
	c->since_ns = clock_now();
	c->is_local = conns_is_local(fd, &c->is_unix);
	peer(fd, &c->ip);
	pthread_mutex_lock(&s->mutex);
	c->next = s->list;
	c->link = &s->list;
	if (c->next)
		c->next->link = &c->next;
	s->list = c;
	s->stats.open++;
	s->stats.outside += !c->is_local;
	if (!c->is_unix && count_ip(s, c) > s->limits.max_per_ip)
		make_room(s, c, OF_ITS_IP);
	else if (!c->is_local && s->stats.outside > s->limits.max - kept_for_local(s))
		make_room(s, c, OUTSIDE);
	else if (s->stats.open > s->limits.max)
		make_room(s, c, OUTSIDE);
	pthread_mutex_unlock(&s->mutex);
	return c;
}

void conns_remove(struct conns *s, struct conn *c)
{
	pthread_mutex_lock(&s->mutex);
	uncount(s, c);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	pthread_mutex_unlock(&s->mutex);
	free(c);
}

int conn_is_unix(const struct conn *c)
{
	return c->is_unix;
}

void conn_busy(struct conns *s, struct conn *c, uint64_t deadline_ns)
{
	pthread_mutex_lock(&s->mutex);
	c->state = CONN_BUSY;
	c->takes_ns = 0;
	c->since_ns = clock_now();
	c->deadline_ns = deadline_ns;
	pthread_mutex_unlock(&s->mutex);
}

void conn_idle(struct conns *s, struct conn *c)
{
	int64_t received = c->is_unix ? -1 : bytes_received(c->fd);

	pthread_mutex_lock(&s->mutex);
	c->state = CONN_IDLE;
	c->takes_ns = 0;
	c->since_ns = clock_now();
	c->received = received;
	pthread_mutex_unlock(&s->mutex);
}

void conn_takes(struct conns *s, struct conn *c)
{
	pthread_mutex_lock(&s->mutex);
	c->takes_ns = clock_now();
	pthread_mutex_unlock(&s->mutex);
}

int conns_cut_taker(struct conns *s, const struct conn *of)
{
	uint64_t now = clock_now();
	struct conn *c, *victim = NULL;

	pthread_mutex_lock(&s->mutex);
	for (c = s->list; c; c = c->next)
		if (!c->is_cut && c->takes_ns && c->is_local == of->is_local &&
		    now > c->takes_ns + TAKING_NS && (!victim || c->takes_ns < victim->takes_ns))
			victim = c;
	if (victim) {
		cut(s, victim);
		s->stats.cut_for_room++;
	}
	pthread_mutex_unlock(&s->mutex);
	return victim != NULL;
}

/* ---- all of them ---------------------------------------------------------------------------- */

void conns_watch(struct conns *s, uint64_t now_ns)
{
	struct conn *c;
	int late, asked;

	pthread_mutex_lock(&s->mutex);
	s->round++;
	for (c = s->list; c; c = c->next) {
		if (c->is_cut)
			continue;
		asked = (unsigned)c->fd % WATCH_SLICES == s->round % WATCH_SLICES;
		/* The first bytes of another request: its time begins. */
		if (asked && c->state == CONN_IDLE && has_begun(c)) {
			c->state = CONN_WAITING;
			c->since_ns = now_ns;
		}
		late = c->state == CONN_WAITING ?
			now_ns > c->since_ns + s->limits.header_timeout_ms * CLOCK_MS :
			c->state == CONN_BUSY && now_ns > c->deadline_ns;
		if (late)
			s->stats.cut_late++;
		if (late || (asked && is_gone(c)))
			cut(s, c);
	}
	pthread_mutex_unlock(&s->mutex);
}

/* Has this connection asked for nothing? */
static int is_silent(const struct conn *c, uint64_t now_ns)
{
	return c->state == CONN_IDLE || (c->state == CONN_WAITING &&
		now_ns > c->since_ns + SILENT_NS && bytes_received(c->fd) <= 0);
}

unsigned conns_drain(struct conns *s)
{
	uint64_t now = clock_now();
	struct conn *c;
	unsigned n = 0;
	char one;

	pthread_mutex_lock(&s->mutex);
	for (c = s->list; c; c = c->next, n++) {
		if (c->is_cut || !is_silent(c, now))
			continue;
		/* Only the receiving side, and only if nothing waits there: a request that
		 * arrives in this moment is still read and answered. */
		if (recv(c->fd, &one, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
		    (errno == EAGAIN || errno == EWOULDBLOCK))
			shutdown(c->fd, SHUT_RD);
	}
	pthread_mutex_unlock(&s->mutex);
	return n;
}

void conns_cut_all(struct conns *s)
{
	struct conn *c;

	pthread_mutex_lock(&s->mutex);
	for (c = s->list; c; c = c->next)
		cut(s, c);
	pthread_mutex_unlock(&s->mutex);
}

void conns_set_limits(struct conns *s, const struct conns_limits *limits)
{
	pthread_mutex_lock(&s->mutex);
	s->limits = *limits;
	pthread_mutex_unlock(&s->mutex);
}

void conns_stats(struct conns *s, struct conns_stats *ret_stats)
{
	pthread_mutex_lock(&s->mutex);
	*ret_stats = s->stats;
	pthread_mutex_unlock(&s->mutex);
}

int conns_create(const struct conns_limits *limits, struct conns **ret_conns)
{
	struct conns *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->mutex, NULL);
	s->limits = *limits;
	*ret_conns = s;
	return 0;
}

void conns_free(struct conns *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->mutex);
	free(s);
}
