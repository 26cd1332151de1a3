/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.c - the exporter's HTTP server; see http.h.
 *
 * What libmicrohttpd 0.9.75 leaves to us: unknown methods and request bodies reach the handler, a
 * missing or doubled Host header too; its timeout is of inactivity only; it does not close idle
 * connections when it is told to stop. So every connection is on a list, with a mark while a
 * request is being answered, and draining shuts down those without.
 *
 * The handler runs on the server's one thread, `stopping` and the list of connections have
 * a lock.
 */
#include "exporter/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "exporter/address.h"
#include "exporter/log.h"
#include "exporter/pages.h"

#define CONNECTION_MEMORY	16384u
#define KEEP_ALIVE_S		330u	/* Prometheus keeps an idle connection for 5 minutes */
#define DRAIN_STEP_NS		10000000

/* An open connection. */
struct connection {
	struct connection *next, **link;
	int fd;
	int busy;		/* a request is being answered */
};

struct http {
	struct MHD_Daemon *daemon;
	struct pages pages;
	const char *listen_address;
	const char *allowed_hosts;
	pthread_mutex_t mutex;	/* of what follows */
	struct connection *connections;
	int stopping;
};

/* ---- answers -------------------------------------------------------------------------------- */

/* Headers of every answer: nothing here is for a browser to run, frame or guess at. */
static const char *const headers[][2] = {
	{ "X-Content-Type-Options", "nosniff" },
	{ "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'" },
	{ "Referrer-Policy", "no-referrer" },
	{ "Cache-Control", "no-store" },
};

/* Answer with body, which is taken over. */
static enum MHD_Result answer(struct http *h, struct MHD_Connection *c, unsigned status,
	const char *type, struct buf *body, int close_after)
{
	struct MHD_Response *response;
	enum MHD_Result rc;
	size_t i;

	response = MHD_create_response_from_buffer_with_free_callback(body->len, body->data, free);
	if (!response) {
		buf_free(body);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		MHD_add_response_header(response, headers[i][0], headers[i][1]);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	pthread_mutex_lock(&h->mutex);
	close_after |= h->stopping;
	pthread_mutex_unlock(&h->mutex);
	if (close_after)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	rc = MHD_queue_response(c, status, response);
	MHD_destroy_response(response);
	return rc;
}

static enum MHD_Result refuse(struct http *h, struct MHD_Connection *c, unsigned status,
	const char *why)
{
	struct buf body = { 0 };

	buf_printf(&body, "%s\n", why);
	if (body.failed)
		return MHD_NO;
	log_debug("request refused", "reason", why);
	return answer(h, c, status, "text/plain; charset=utf-8", &body, 1);
}

/* ---- requests ------------------------------------------------------------------------------- */

struct host_search {
	unsigned n;
	const char *value;
};

static enum MHD_Result count_host(void *cls, enum MHD_ValueKind kind, const char *key,
	const char *value)
{
	struct host_search *search = cls;

	(void)kind;
	if (strcasecmp(key, MHD_HTTP_HEADER_HOST) == 0) {
		search->n++;
		search->value = value;
	}
	return MHD_YES;
}

static int has_body(struct MHD_Connection *c)
{
	const char *length = MHD_lookup_connection_value(c, MHD_HEADER_KIND,
		MHD_HTTP_HEADER_CONTENT_LENGTH);

	return (length && strcmp(length, "0") != 0) ||
		MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

/* 0, or the status with which a request is refused; *ret_why says why. */
static unsigned check_request(struct http *h, struct MHD_Connection *c, const char *method,
	const char *version, const char **ret_why)
{
	struct host_search host = { 0 };

	if (has_body(c)) {
		*ret_why = "A request body has no meaning here.";
		return MHD_HTTP_BAD_REQUEST;
	}
	MHD_get_connection_values(c, MHD_HEADER_KIND, count_host, &host);
	if (host.n > 1 || (host.n == 0 && strcmp(version, MHD_HTTP_VERSION_1_0) != 0)) {
		*ret_why = "A request needs one Host header.";
		return MHD_HTTP_BAD_REQUEST;
	}
	if (host.n && !address_allowed(host.value ? host.value : "", h->listen_address,
		h->allowed_hosts)) {
		*ret_why = "This host name is not served; see --web.allowed-hosts.";
		return MHD_HTTP_MISDIRECTED_REQUEST;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
		*ret_why = "Only GET and HEAD.";
		return MHD_HTTP_METHOD_NOT_ALLOWED;
	}
	return 0;
}

static void set_busy(struct http *h, struct MHD_Connection *c, int busy)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c,
		MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct connection *conn = info ? info->socket_context : NULL;

	pthread_mutex_lock(&h->mutex);
	if (conn)
		conn->busy = busy;
	pthread_mutex_unlock(&h->mutex);
}

/* Called once when the headers are there, and once more to answer. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
	const char *method, const char *version, const char *upload_data, size_t *upload_data_size,
	void **request)
{
	static int seen;
	struct http *h = cls;
	struct request r = { .path = url };
	struct page page;
	unsigned status;
	const char *why;
	int rc;

	(void)upload_data;
	set_busy(h, c, 1);
	status = check_request(h, c, method, version, &why);
	if (status)
		return refuse(h, c, status, why);
	if (!*request) {
		*request = &seen;
		return MHD_YES;
	}
	if (*upload_data_size)
		return MHD_NO;
	pthread_mutex_lock(&h->mutex);
	r.stopping = h->stopping;
	pthread_mutex_unlock(&h->mutex);
	rc = pages_answer(&h->pages, &r, &page);
	if (rc == -ENOENT)
		return refuse(h, c, MHD_HTTP_NOT_FOUND, "There is nothing here; see /.");
	if (rc < 0)
		return refuse(h, c, MHD_HTTP_INTERNAL_SERVER_ERROR, "Out of memory.");
	MHD_set_connection_option(c, MHD_CONNECTION_OPTION_TIMEOUT, KEEP_ALIVE_S);
	return answer(h, c, page.status, page.type, &page.body, 0);
}

static void on_completed(void *cls, struct MHD_Connection *c, void **request,
	enum MHD_RequestTerminationCode how)
{
	(void)request;
	(void)how;
	set_busy(cls, c, 0);
}

/* ---- connections ---------------------------------------------------------------------------- */

static void on_connection(void *cls, struct MHD_Connection *c, void **socket_context,
	enum MHD_ConnectionNotificationCode what)
{
	const union MHD_ConnectionInfo *info;
	struct connection *conn = *socket_context;
	struct http *h = cls;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		conn = calloc(1, sizeof(*conn));
		info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
		if (!conn || !info) {
			free(conn);
			return;
		}
		conn->fd = info->connect_fd;
		*socket_context = conn;
	}
	if (!conn)
		return;
	pthread_mutex_lock(&h->mutex);
	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		conn->next = h->connections;
		conn->link = &h->connections;
		if (conn->next)
			conn->next->link = &conn->next;
		h->connections = conn;
	} else {
		/* The descriptor is closed after this: nobody finds it on the list any more. */
		*conn->link = conn->next;
		if (conn->next)
			conn->next->link = conn->link;
		free(conn);
	}
	pthread_mutex_unlock(&h->mutex);
}

/* How many there are, after shutting down those that wait for a request, or all. */
static unsigned shut_down(struct http *h, int all)
{
	const struct connection *conn;
	unsigned n = 0;

	pthread_mutex_lock(&h->mutex);
	for (conn = h->connections; conn; conn = conn->next, n++)
		if (all || !conn->busy)
			shutdown(conn->fd, SHUT_RDWR);
	pthread_mutex_unlock(&h->mutex);
	return n;
}

/* ---- start and stop ------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 0)))
static void on_log(void *cls, const char *format, va_list ap)
{
	char text[512];

	(void)cls;
	vsnprintf(text, sizeof(text), format, ap);
	text[strcspn(text, "\n")] = '\0';
	log_debug("libmicrohttpd", "message", text);
}

int http_start(int listen_fd, const struct options *o, struct collector *collector,
	struct http **ret_http)
{
	const struct exposition_options exposition = EXPOSITION_DEFAULTS;
	struct http *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->pages.collector = collector;
	if (exposition_create(&exposition, &h->pages.exposition) < 0) {
		free(h);
		return -ENOMEM;
	}
	h->listen_address = o->listen_address;
	h->allowed_hosts = o->allowed_hosts;
	pthread_mutex_init(&h->mutex, NULL);
	h->daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_ERROR_LOG, 0,
		NULL, NULL, on_request, h,
		MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_LISTEN_SOCKET, listen_fd,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)o->max_connections,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)o->max_connections_per_ip,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)((o->idle_timeout_ms + 999) / 1000),
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, h,
		MHD_OPTION_END);
	if (!h->daemon) {
		pthread_mutex_destroy(&h->mutex);
		exposition_free(h->pages.exposition);
		free(h);
		return -EIO;
	}
	*ret_http = h;
	return 0;
}

int http_drain(struct http *h, uint64_t timeout_ms)
{
	const struct timespec step = { .tv_nsec = DRAIN_STEP_NS };
	uint64_t waited_ns = 0;
	MHD_socket listen_fd;

	pthread_mutex_lock(&h->mutex);
	h->stopping = 1;
	pthread_mutex_unlock(&h->mutex);
	listen_fd = MHD_quiesce_daemon(h->daemon);
	if (listen_fd != MHD_INVALID_SOCKET)
		close(listen_fd);
	while (shut_down(h, 0) > 0) {
		if (waited_ns >= timeout_ms * 1000000)
			return -ETIMEDOUT;
		nanosleep(&step, NULL);
		waited_ns += DRAIN_STEP_NS;
	}
	return 0;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	shut_down(h, 1);
	MHD_stop_daemon(h->daemon);
	pthread_mutex_destroy(&h->mutex);
	exposition_free(h->pages.exposition);
	free(h);
}
