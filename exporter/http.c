/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.c - the exporter's HTTP server; see http.h.
 *
 * What libmicrohttpd 0.9.75 leaves to us: malformed requests and unknown methods reach the handler
 * (request.c judges them), its timeout is of inactivity only and its limit can be filled (conns.c), it
 * does not close idle connections when it is told to stop, and a handler that takes long stops all
 * connections of its thread (jobs.c).
 *
 * An exchange is one request and its answer. libmicrohttpd makes it when it has the request line, gives
 * it to each call of the handler, and says when it is over. An exchange that is a job is suspended
 * meanwhile; its handler is called once more when the page is there.
 */
#include "exporter/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exporter/clock.h"
#include "exporter/conns.h"
#include "exporter/gate.h"
#include "exporter/jobs.h"
#include "exporter/log.h"
#include "exporter/request.h"

#define LANES			2	/* this machine, all others */
#define WORKERS			2	/* threads of a lane */
#define CONNECTION_MEMORY	16384u
#define KEEP_ALIVE_S		330u	/* Prometheus keeps an idle connection for 5 minutes */
#define JOBS_MAX		16u
#define JOBS_STOP_MS		1000u
#define DRAIN_STEP_NS		10000000
#define SPARE_FDS		64u	/* besides those of connections */
#define ARRIVING_MAX		64u
#define ARRIVING_STEP_NS	1000000
#define ARRIVING_STEPS		20
/* conns.c keeps the limit, which may change; this is beyond any, with room for connections that are
 * cut and not closed yet. */
#define DAEMON_CONNECTIONS	12000u
/* What a client says of its time is believed up to this many times --web.response-timeout. */
#define TIMEOUT_FACTOR_MAX	4u

#define SLOW_PATHS	"/api/v1"
#define PLAIN_TYPE	"text/plain; charset=utf-8"
#define JSON_TYPE	"application/json; charset=utf-8"

struct worker {
	struct MHD_Daemon *daemon;
	struct http *http;
	unsigned lane;
	atomic_uint connections;
};

/* What SIGHUP may change, as numbers that can be read while they are written. */
struct settings {
	_Atomic uint64_t max_requests, response_timeout_ns, timeout_offset_ns;
};

struct http {
	struct pages pages;
	struct conns *conns;
	struct gate *gate;
	struct jobs *jobs;
	struct worker worker[LANES][WORKERS];
	struct settings settings;
	char *telemetry_path;
	atomic_uint scrapes[LANES];	/* being answered */
	atomic_uint arriving;		/* handed to a worker that has not seen them yet */
	_Atomic uint64_t rejected;
	atomic_int stopping;
	pthread_mutex_t mutex;		/* of allowed_hosts */
	char *allowed_hosts;
};

/* Is the library the one whose buffer is_line_end() knows? */
static int sees_line_ends;

enum stage { STAGE_HEAD, STAGE_PAGE, STAGE_ANSWER };

struct exchange {
	struct job job;
	struct http *http;
	struct worker *worker;
	struct MHD_Connection *connection;
	struct request_target target;
	const char *target_end;		/* in the library's buffer */
	int target_rc;
	struct request_head head;
	struct request r;
	enum stage stage;		/* what the handler is called for next */
	int is_scrape;			/* counted in http.scrapes */
	int rc;				/* of making the page */
	struct page page;
};

/* ---- answers -------------------------------------------------------------------------------- */

/* Headers of every answer: nothing here is for a browser to run, frame or guess at. */
static const char *const headers[][2] = {
	{ "X-Content-Type-Options", "nosniff" },
	{ "Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; "
				     "frame-ancestors 'none'" },
	{ "Referrer-Policy", "no-referrer" },
	{ "Cache-Control", "no-store" },
};

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
	if (value)
		MHD_add_response_header(response, name, value);
}

/* Answer with a page, whose body is taken over. */
static enum MHD_Result answer(struct exchange *x, struct page *page, int close_after)
{
	struct MHD_Response *response;
	enum MHD_Result rc;
	size_t i;

	response = MHD_create_response_from_buffer_with_free_callback(page->body.len,
		page->body.data, free);
	if (!response) {
		buf_free(&page->body);
		return MHD_NO;
	}
	add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, page->type);
	add_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, page->encoding);
	add_header(response, MHD_HTTP_HEADER_VARY, page->vary);
	for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		add_header(response, headers[i][0], headers[i][1]);
	if (page->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		add_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	if (page->status == MHD_HTTP_SERVICE_UNAVAILABLE)
		add_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
	if (close_after || atomic_load(&x->http->stopping))
		add_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	rc = MHD_queue_response(x->connection, page->status, response);
	MHD_destroy_response(response);
	return rc;
}

static enum MHD_Result say(struct exchange *x, unsigned status, const char *what, int close_after)
{
	struct page page = { .status = status, .type = PLAIN_TYPE };

	buf_printf(&page.body, "%s\n", what);
	return page.body.failed ? MHD_NO : answer(x, &page, close_after);
}

static enum MHD_Result refuse(struct exchange *x, unsigned status, const char *why)
{
	log_debug("request refused", "reason", why);
	return say(x, status, why, 1);
}

/* ---- jobs ----------------------------------------------------------------------------------- */

static void work(struct job *job)
{
	struct exchange *x = (struct exchange *)(void *)job;

	x->rc = x->http->pages.slow(x->http->pages.slow_ctx, &x->r, &x->page);
	MHD_resume_connection(x->connection);
}

static enum MHD_Result begin_job(struct exchange *x)
{
	struct page busy = { .status = MHD_HTTP_SERVICE_UNAVAILABLE, .type = JSON_TYPE };

	if (jobs_reserve(x->http->jobs) < 0) {
		atomic_fetch_add(&x->http->rejected, 1);
		/* As all answers of the API look. */
		buf_puts(&busy.body, "{\"status\":\"error\",\"error\":\"busy\",\"message\":"
			"\"too many questions at once: try again\"}\n");
		return busy.body.failed ? MHD_NO : answer(x, &busy, 0);
	}
	x->job.work = work;
	MHD_suspend_connection(x->connection);
	jobs_push(x->http->jobs, &x->job);
	return MHD_YES;
}

/* ---- requests ------------------------------------------------------------------------------- */

static struct conn *conn_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c,
		MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* The headers of a request while they are gathered. */
struct gathering {
	struct request_head *head;
	const char *end;	/* of the value before, NULL at first */
};

/*
 * Between a header's value and what follows there are CR and LF, which libmicrohttpd 0.9.75 has made
 * NUL. It takes a NUL in a value for its end ("localhost\0.evil"), and a bare LF
 * for the end of a line: both show here, and only here. The headers lie one after the other in its
 * buffer, before the CR and LF of the empty line.
 */
static int is_line_end(const char *end, const char *next)
{
	if (!sees_line_ends)
		return 1;
	if (next)
		return next - end == 2;
	return !end[0] && !end[1] && !end[2] && !end[3];
}

static enum MHD_Result on_header(void *cls, enum MHD_ValueKind kind, const char *key,
	size_t key_size, const char *value, size_t value_size)
{
	struct gathering *g = cls;

	(void)kind;
	if (g->end && !is_line_end(g->end, key))
		g->head->is_bad = 1;
	request_head_add(g->head, key, key_size, value ? value : "", value_size);
	g->end = value ? value + value_size : NULL;
	return MHD_YES;
}

/* When the answer has to be there, and when it has to be taken. */
static void set_deadlines(struct exchange *x)
{
	const struct settings *s = &x->http->settings;
	uint64_t now = clock_now(), allowed = atomic_load(&s->response_timeout_ns);
	uint64_t given = (uint64_t)(x->head.timeout_seconds * 1e9), off;
	struct conn *conn = conn_of(x->connection);

	if (given) {
		allowed = given < TIMEOUT_FACTOR_MAX * allowed ? given : TIMEOUT_FACTOR_MAX * allowed;
		off = atomic_load(&s->timeout_offset_ns);
		x->r.deadline_ns = now + allowed - (off < allowed / 2 ? off : allowed / 2);
	} else {
		x->r.deadline_ns = now + allowed;
	}
	if (conn)
		conn_busy(x->http->conns, conn, now + allowed);
}

/* The headers are there: is this a request at all? */
static unsigned check(struct exchange *x, const char *method, const char *version, const char **ret_why)
{
	const struct conn *conn = conn_of(x->connection);
	struct gathering g = { .head = &x->head };
	struct http *h = x->http;
	unsigned status;

	MHD_get_connection_values_n(x->connection, MHD_HEADER_KIND, on_header, &g);
	if (g.end && !is_line_end(g.end, NULL))
		x->head.is_bad = 1;
	set_deadlines(x);
	pthread_mutex_lock(&h->mutex);
	status = request_refuse(&x->head, method, version, conn && conn_is_unix(conn),
		h->allowed_hosts, ret_why);
	pthread_mutex_unlock(&h->mutex);
	/* The version follows the target in the buffer, after one space: but for a NUL in the target. */
	if (sees_line_ends && version != x->target_end + 1)
		x->target_rc = x->target_rc < 0 ? x->target_rc : -EINVAL;
	if (!status && x->target_rc < 0) {
		*ret_why = x->target_rc == -ENOMEM ? "Out of memory." : "The path or the query is malformed.";
		status = x->target_rc == -ENOMEM ? MHD_HTTP_INTERNAL_SERVER_ERROR :
			MHD_HTTP_BAD_REQUEST;
	}
	if (!status && (x->head.accept.failed || x->head.accept_encoding.failed)) {
		*ret_why = "Out of memory.";
		status = MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
	return status;
}

/* Count a scrape, for as long as its answer is in memory. Who does not take his has to go when others
 * want one. 0 if there are too many. */
static int begin_scrape(struct exchange *x)
{
	atomic_uint *scrapes = &x->http->scrapes[x->worker->lane];
	const struct conn *conn = conn_of(x->connection);

	x->is_scrape = 1;
	return atomic_fetch_add(scrapes, 1) < atomic_load(&x->http->settings.max_requests) ||
		(conn && conns_cut_taker(x->http->conns, conn));
}

static int is_slow(const struct exchange *x)
{
	size_t len = strlen(SLOW_PATHS);

	return x->http->pages.slow && strncmp(x->r.path, SLOW_PATHS, len) == 0 &&
		(x->r.path[len] == '/' || !x->r.path[len]);
}

static void fill_request(struct exchange *x)
{
	x->r.path = x->target.path;
	x->r.nparams = x->target.nparams;
	x->r.param = x->target.param;
	x->r.accept = x->head.accept.data;
	x->r.accept_encoding = x->head.accept_encoding.data;
	x->r.stopping = atomic_load(&x->http->stopping);
}

/* Make the page of a request, here and now. */
static void make_page(struct exchange *x)
{
	struct http *h = x->http;

	if (strcmp(x->r.path, h->telemetry_path) != 0) {
		x->rc = pages_answer(&h->pages, &x->r, &x->page);
	} else if (begin_scrape(x)) {
		x->rc = pages_scrape(&h->pages, &x->r, &x->page);
	} else {
		x->page = (struct page){ .status = MHD_HTTP_SERVICE_UNAVAILABLE, .type = PLAIN_TYPE };
		buf_puts(&x->page.body, "Too many scrapes at once; see --web.max-requests.\n");
		x->rc = x->page.body.failed ? -ENOMEM : 0;
	}
}

/* Answer with the page that was made, or with why there is none. */
static enum MHD_Result answer_made(struct exchange *x)
{
	struct conn *conn = conn_of(x->connection);
	enum MHD_Result rc;

	if (x->rc == -ENOENT)
		return say(x, MHD_HTTP_NOT_FOUND, "There is nothing here; see /.", 0);
	if (x->rc < 0)
		return say(x, MHD_HTTP_INTERNAL_SERVER_ERROR, "Out of memory.", 1);
	if (x->page.status == MHD_HTTP_SERVICE_UNAVAILABLE && x->is_scrape)
		atomic_fetch_add(&x->http->rejected, 1);
	MHD_set_connection_option(x->connection, MHD_CONNECTION_OPTION_TIMEOUT, KEEP_ALIVE_S);
	if (conn && x->is_scrape)
		conn_takes(x->http->conns, conn);
	rc = answer(x, &x->page, 0);
	memset(&x->page, 0, sizeof(x->page));
	return rc;
}

/* Called when the headers are there, again to answer, and once more after a job. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
	const char *method, const char *version, const char *upload_data, size_t *upload_data_size,
	void **request)
{
	struct exchange *x = *request;
	unsigned status;
	const char *why;

	(void)cls;
	(void)url;
	(void)upload_data;
	if (!x || *upload_data_size)
		return MHD_NO;
	switch (x->stage) {
	case STAGE_HEAD:
		x->stage = STAGE_PAGE;
		x->connection = c;
		status = check(x, method, version, &why);
		return status ? refuse(x, status, why) : MHD_YES;
	case STAGE_PAGE:
		x->stage = STAGE_ANSWER;
		fill_request(x);
		/* From here on the exchange is the job's, until it is resumed. */
		if (is_slow(x))
			return begin_job(x);
		make_page(x);
		break;
	case STAGE_ANSWER:
		break;
	}
	return answer_made(x);
}

/* Many parameters fill the library's memory of a connection, and without any it says nothing. */
static void refuse_parameters(struct MHD_Connection *c)
{
	static const char text[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
		"Content-Type: " PLAIN_TYPE "\r\nContent-Length: 21\r\n\r\nToo many parameters.\n";
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c,
		MHD_CONNECTION_INFO_CONNECTION_FD);

	if (info && send(info->connect_fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		shutdown(info->connect_fd, SHUT_WR);
}

/* The request line is there: an exchange begins. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *c)
{
	struct worker *w = cls;
	struct exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->http = w->http;
	x->worker = w;
	x->target_end = target + strlen(target);
	x->target_rc = request_target(target, &x->target);
	if (x->target_rc == -E2BIG)
		refuse_parameters(c);
	return x;
}

static void on_completed(void *cls, struct MHD_Connection *c, void **request,
	enum MHD_RequestTerminationCode how)
{
	struct exchange *x = *request;
	struct worker *w = cls;
	struct conn *conn = conn_of(c);

	(void)how;
	if (conn)
		conn_idle(w->http->conns, conn);
	if (!x)
		return;
	if (x->is_scrape)
		atomic_fetch_sub(&x->http->scrapes[w->lane], 1);
	request_target_release(&x->target);
	request_head_release(&x->head);
	buf_free(&x->page.body);
	free(x);
	*request = NULL;
}

/* ---- connections ---------------------------------------------------------------------------- */

static void on_connection(void *cls, struct MHD_Connection *c, void **socket_context,
	enum MHD_ConnectionNotificationCode what)
{
	const union MHD_ConnectionInfo *info;
	struct worker *w = cls;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
		*socket_context = info ? conns_add(w->http->conns, info->connect_fd) : NULL;
		atomic_fetch_add(&w->connections, 1);
		atomic_fetch_sub(&w->http->arriving, 1);
		return;
	}
	if (*socket_context)
		conns_remove(w->http->conns, *socket_context);
	*socket_context = NULL;
	atomic_fetch_sub(&w->connections, 1);
}

/* Give a connection to a serving thread, which closes it if it cannot take it. */
static int hand_over(const struct worker *w, int fd)
{
	/* Who the peer is does not matter to it: conns.c asks the kernel. */
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	atomic_fetch_add(&w->http->arriving, 1);
	if (MHD_add_connection(w->daemon, fd, &nobody, sizeof(nobody)) == MHD_YES)
		return 0;
	atomic_fetch_sub(&w->http->arriving, 1);
	return -EIO;
}

/* Let the serving threads catch up, so that a flood waits in the backlog; but for no thread that
 * hangs. */
static void wait_for_workers(struct http *h)
{
	const struct timespec step = { .tv_nsec = ARRIVING_STEP_NS };
	unsigned i;

	for (i = 0; i < ARRIVING_STEPS && atomic_load(&h->arriving) >= ARRIVING_MAX; i++)
		nanosleep(&step, NULL);
}

/* Hand a new connection to the thread of its lane that has fewer. */
static void on_accepted(void *ctx, int fd)
{
	struct http *h = ctx;
	int is_unix;
	struct worker *lane = h->worker[conns_is_local(fd, &is_unix) ? 0 : 1], *w = &lane[0];
	unsigned i;

	wait_for_workers(h);
	for (i = 1; i < WORKERS; i++)
		if (atomic_load(&lane[i].connections) < atomic_load(&w->connections))
			w = &lane[i];
	if (hand_over(w, fd) < 0)
		log_debug("a connection could not be taken");
}

static void on_watch(void *ctx, uint64_t now_ns)
{
	struct http *h = ctx;

	conns_watch(h->conns, now_ns);
}

__attribute__((format(printf, 2, 0)))
static void on_log(void *cls, const char *format, va_list ap)
{
	char text[512];

	(void)cls;
	vsnprintf(text, sizeof(text), format, ap);
	text[strcspn(text, "\n")] = '\0';
	log_debug("libmicrohttpd", "message", text);
}

/* ---- the self-probe ------------------------------------------------------------------------- */

static int begin_probe(const struct worker *w)
{
	static const char request[] = "GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n"
		"Connection: close\r\n\r\n";
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	if (hand_over(w, fds[0]) < 0 ||
	    send(fds[1], request, sizeof(request) - 1, MSG_NOSIGNAL) < 0) {
		close(fds[1]);
		return -EIO;
	}
	return fds[1];
}

static int end_probe(int fd, uint64_t deadline_ns)
{
	static const char expected[] = "HTTP/1.1 200 ";
	char got[sizeof(expected) - 1];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t now = clock_now();
	int rc = -ETIMEDOUT;

	if (now < deadline_ns && poll(&p, 1, (int)((deadline_ns - now) / CLOCK_MS) + 1) > 0 &&
	    recv(fd, got, sizeof(got), 0) == (ssize_t)sizeof(got) &&
	    memcmp(got, expected, sizeof(got)) == 0)
		rc = 0;
	close(fd);
	return rc;
}

int http_probe(struct http *h, uint64_t timeout_ms)
{
	uint64_t began = clock_now(), deadline = began + timeout_ms * CLOCK_MS;
	int fds[LANES * WORKERS], rc = 0;
	unsigned i;

	for (i = 0; i < LANES * WORKERS; i++)
		fds[i] = begin_probe(&h->worker[i / WORKERS][i % WORKERS]);
	for (i = 0; i < LANES * WORKERS; i++)
		if (fds[i] < 0 || end_probe(fds[i], deadline) < 0)
			rc = -ETIMEDOUT;
	if (h->gate && gate_beat_ns(h->gate) + timeout_ms * CLOCK_MS + CLOCK_S < began)
		rc = -ETIMEDOUT;
	return rc;
}

/* ---- start, change, stop -------------------------------------------------------------------- */

static int start_worker(struct worker *w, const struct options *o)
{
	errno = 0;
	w->daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET |
			MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
		NULL, NULL, on_request, w,
		MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_CONNECTION_LIMIT, DAEMON_CONNECTIONS,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)((o->idle_timeout_ms + 999) / 1000),
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_URI_LOG_CALLBACK, on_target, w,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, w,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, w,
		MHD_OPTION_END);
	return w->daemon ? 0 : errno ? -errno : -EIO;
}

/* Connections need descriptors: take what the hard limit gives. */
static void raise_fds(uint64_t connections)
{
	struct rlimit rl;
	rlim_t needed = connections + 2 * SPARE_FDS;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0 || rl.rlim_cur >= needed)
		return;
	rl.rlim_cur = rl.rlim_max < needed ? rl.rlim_max : needed;
	if (setrlimit(RLIMIT_NOFILE, &rl) < 0 || rl.rlim_cur < needed)
		log_warn("the limit of open files is too low for --web.max-connections");
}

/* Names under which we are asked: those of the listen addresses, and --web.allowed-hosts. */
static char *host_list(const struct options *o)
{
	struct buf b = { 0 };
	size_t i;

	for (i = 0; i < o->listen_addresses.n; i++)
		if (strncmp(o->listen_addresses.item[i], "unix:", 5) != 0)
			buf_printf(&b, "%s,", o->listen_addresses.item[i]);
	for (i = 0; i < o->allowed_hosts.n; i++)
		buf_printf(&b, "%s,", o->allowed_hosts.item[i]);
	return buf_take(&b);
}

int http_configure(struct http *h, const struct options *o)
{
	const struct conns_limits limits = { .max = o->max_connections,
		.max_per_ip = o->max_connections_per_ip, .header_timeout_ms = o->header_timeout_ms };
	char *hosts = host_list(o), *before;

	if (!hosts)
		return -ENOMEM;
	pthread_mutex_lock(&h->mutex);
	before = h->allowed_hosts;
	h->allowed_hosts = hosts;
	pthread_mutex_unlock(&h->mutex);
	free(before);
	raise_fds(o->max_connections);
	conns_set_limits(h->conns, &limits);
	atomic_store(&h->settings.max_requests, o->max_requests);
	atomic_store(&h->settings.response_timeout_ns, o->response_timeout_ms * CLOCK_MS);
	atomic_store(&h->settings.timeout_offset_ns, o->timeout_offset_ms * CLOCK_MS);
	return 0;
}

int http_create(const struct options *o, const struct pages *pages, struct http **ret_http)
{
	const struct conns_limits none = { 0 };
	struct http *h = calloc(1, sizeof(*h));
	unsigned i;
	int rc;

	if (!h)
		return -ENOMEM;
	sees_line_ends = strcmp(MHD_get_version(), "0.9.75") == 0;
	pthread_mutex_init(&h->mutex, NULL);
	h->pages = *pages;
	h->telemetry_path = strdup(o->telemetry_path);
	rc = h->telemetry_path ? conns_create(&none, &h->conns) : -ENOMEM;
	if (rc == 0)
		rc = http_configure(h, o);
	if (rc == 0)
		rc = jobs_create(JOBS_MAX, &h->jobs);
	for (i = 0; i < LANES * WORKERS && rc == 0; i++) {
		h->worker[i / WORKERS][i % WORKERS].http = h;
		h->worker[i / WORKERS][i % WORKERS].lane = i / WORKERS;
		rc = start_worker(&h->worker[i / WORKERS][i % WORKERS], o);
	}
	if (rc < 0) {
		http_free(h);
		return rc;
	}
	*ret_http = h;
	return 0;
}

int http_open(struct http *h, const struct listener *listeners, size_t n)
{
	const struct gate_calls calls = { .accepted = on_accepted, .watch = on_watch, .ctx = h };

	return gate_open(listeners, n, &calls, &h->gate);
}

void http_describe(struct http *h, struct collection_exporter *ret_exporter)
{
	struct conns_stats stats;

	conns_stats(h->conns, &stats);
	ret_exporter->connections = stats.open;
	ret_exporter->connections_cut = stats.cut_late + stats.cut_for_room;
	ret_exporter->requests_rejected = atomic_load(&h->rejected);
}

void http_stop_accepting(struct http *h)
{
	atomic_store(&h->stopping, 1);
	gate_close(h->gate);
	h->gate = NULL;
}

int http_drain(struct http *h, uint64_t timeout_ms)
{
	const struct timespec step = { .tv_nsec = DRAIN_STEP_NS };
	uint64_t deadline = clock_now() + timeout_ms * CLOCK_MS, now;

	while (conns_drain(h->conns) > 0 || atomic_load(&h->arriving)) {
		now = clock_now();
		if (now >= deadline)
			return -ETIMEDOUT;
		conns_watch(h->conns, now);
		nanosleep(&step, NULL);
	}
	return 0;
}

int http_free(struct http *h)
{
	unsigned i;

	if (!h)
		return 0;
	gate_close(h->gate);
	h->gate = NULL;
	if (h->conns)
		conns_cut_all(h->conns);
	/* A suspended request must be resumed before its daemon ends. */
	if (jobs_stop(h->jobs, JOBS_STOP_MS) < 0)
		return -ETIMEDOUT;
	for (i = 0; i < LANES * WORKERS; i++)
		if (h->worker[i / WORKERS][i % WORKERS].daemon)
			MHD_stop_daemon(h->worker[i / WORKERS][i % WORKERS].daemon);
	conns_free(h->conns);
	free(h->allowed_hosts);
	free(h->telemetry_path);
	pthread_mutex_destroy(&h->mutex);
	free(h);
	return 0;
}
