#include "admin/admin.h"

/* Design notes.
 *
 * Threads. libmicrohttpd is run by one thread of ours (MHD_run_wait), so that nothing in here is shared: accepting,
 * answering and the ends of connections happen one after another. The thread is less urgent than those that serve callers:
 * whoever asks for the metrics all the time takes no more than a tenth of a processor from a busy service, and a probe
 * still gets its share of that.
 *
 * Bounds. A connection carries one request and lives for timeout_ms at most, whatever its peer does: libmicrohttpd's own
 * timeout begins anew with each byte, so each connection stands in a slot with the moment of its end, at which its socket
 * is shut down. A request's line and headers fit into REQUEST_BYTES_MAX; a body is not read. One address may have half of
 * the connections, so that a peer that sits on them leaves some to the probes. */

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "admin/bind.h"
#include "admin/routes.h"
#include "base/clock.h"
#include "base/metrics.h"

/* A scrape has about 500 bytes of headers; proxies allow 8 KiB. libmicrohttpd keeps the answer's head here too. */
#define REQUEST_BYTES_MAX ((size_t)8 * 1024)
/* How late a connection is ended, and the listener itself. */
#define TICK_MS 50
/* Its weight is then a ninth of the others'. */
#define THREAD_NICE 10

struct connection_slot {
	int fd;
	uint64_t ends_ms; /* 0: the slot is free, or its connection was ended already */
	bool is_taken;
};

struct admin {
	struct admin_options options;
	char url[BIND_URL_BYTES];
	struct routes routes;
	struct MHD_Daemon *daemon;
	struct connection_slot *slots;
	pthread_t thread;
	atomic_bool is_closing;
};

/* ---- Connections ---- */

static struct connection_slot *free_slot(struct admin *a)
{
	for (size_t i = 0; i < a->options.connections_max; i++)
		if (!a->slots[i].is_taken)
			return &a->slots[i];
	return NULL;
}

static void on_connection(void *owner, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode what)
{
	const union MHD_ConnectionInfo *info;
	struct connection_slot *slot = *context;
	struct admin *a = owner;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (slot != NULL)
			*slot = (struct connection_slot){.fd = -1};
		*context = NULL;
		return;
	}
	slot = free_slot(a);
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	assert(slot != NULL && info != NULL);
	*slot = (struct connection_slot){
	    .fd = info->connect_fd, .ends_ms = clock_mono_ms() + a->options.timeout_ms, .is_taken = true};
	*context = slot;
}

static void end_overdue(struct admin *a)
{
	const uint64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < a->options.connections_max; i++) {
		struct connection_slot *slot = &a->slots[i];

		if (slot->ends_ms == 0 || slot->ends_ms > now_ms)
			continue;
		slot->ends_ms = 0;
		metric_add(METRIC_ADMIN_CUT_OFF, 1);
		(void)shutdown(slot->fd, SHUT_RDWR);
	}
}

/* ---- Requests ---- */

static struct MHD_Response *response_of(const struct page *page)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(page->len, page->text, MHD_RESPMEM_MUST_FREE);

	if (r == NULL) {
		free(page->text);
		return NULL;
	}
	if (MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, page->type) == MHD_YES &&
	    MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES &&
	    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff") == MHD_YES &&
	    (page->status != MHD_HTTP_METHOD_NOT_ALLOWED ||
	     MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES) &&
	    MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES)
		return r;
	MHD_destroy_response(r);
	return NULL;
}

/* MHD_NO closes the connection. */
static enum MHD_Result on_request(void *owner, struct MHD_Connection *connection, const char *path, const char *method,
				  const char *version, const char *body, size_t *body_len, void **context)
{
	struct admin *a = owner;
	struct MHD_Response *response;
	enum MHD_Result result;
	struct page page;

	(void)version;
	(void)body;
	(void)body_len;
	(void)context;
	if (!routes_answer(&a->routes, method, path, &page))
		return MHD_NO;
	response = response_of(&page);
	if (response == NULL)
		return MHD_NO;
	metric_add(METRIC_ADMIN_REQUESTS, 1);
	result = MHD_queue_response(connection, page.status, response);
	MHD_destroy_response(response);
	return result;
}

/* ---- Life ---- */

static void *run(void *arg)
{
	struct admin *a = arg;

	/* Linux: of this thread only. That it is refused costs nothing but the bound. */
	(void)setpriority(PRIO_PROCESS, 0, THREAD_NICE);
	while (!atomic_load(&a->is_closing)) {
		(void)MHD_run_wait(a->daemon, TICK_MS);
		end_overdue(a);
	}
	return NULL;
}

static struct MHD_Daemon *start_daemon(struct admin *a, int fd)
{
	const unsigned max = a->options.connections_max;

	return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, a, MHD_OPTION_LISTEN_SOCKET, fd,
				MHD_OPTION_CONNECTION_LIMIT, max, MHD_OPTION_PER_IP_CONNECTION_LIMIT, (max + 1) / 2,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, REQUEST_BYTES_MAX, MHD_OPTION_STRICT_FOR_CLIENT, 1,
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, a, MHD_OPTION_END);
}

static enum status_code no_listener(struct status *st)
{
	return status_set(st, STATUS_RESOURCE_EXHAUSTED, "no memory for the admin listener");
}

static enum status_code start(struct admin *a, struct status *st)
{
	int fd = -1;

	if (bind_url(a->options.url, &fd, a->url, st) != STATUS_OK)
		return st->code;
	a->daemon = start_daemon(a, fd);
	if (a->daemon == NULL) {
		(void)close(fd);
		return no_listener(st);
	}
	if (pthread_create(&a->thread, NULL, run, a) == 0)
		return STATUS_OK;
	MHD_stop_daemon(a->daemon);
	return no_listener(st);
}

enum status_code admin_open(const struct admin_options *options, admin **ret, struct status *st)
{
	admin *a = calloc(1, sizeof(*a));

	assert(options->connections_max > 0 && options->timeout_ms > 0);
	if (a != NULL)
		a->slots = calloc(options->connections_max, sizeof(*a->slots));
	if (a == NULL || a->slots == NULL) {
		free(a);
		return no_listener(st);
	}
	a->options = *options;
	a->routes.source = options->source;
	atomic_init(&a->is_closing, false);
	if (start(a, st) != STATUS_OK) {
		free(a->slots);
		free(a);
		return st->code;
	}
	*ret = a;
	return STATUS_OK;
}

const char *admin_url(const admin *a)
{
	return a->url;
}

void admin_close(admin **a)
{
	admin *old = *a;

	if (old == NULL)
		return;
	*a = NULL;
	atomic_store(&old->is_closing, true);
	(void)pthread_join(old->thread, NULL);
	MHD_stop_daemon(old->daemon);
	free(old->slots);
	free(old);
}
