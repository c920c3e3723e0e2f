/* Accepting links: one accept under way at a time, each followed by the next, on nng's task threads. Errors are
 * answered by a pause. wire_listener_close closes nng's listener, which completes the accept, and waits for the
 * callback that says so (`done`); during a pause that is up to RETRY_MS later, since nothing is cancelled.
 *
 * Renewed TLS settings hold for accepts that are submitted after; the one that waits is used up by a call from here
 * (bell.c), which is known by its address and offered to nobody. */

#include "wire/listener.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire/bell.h"
#include "wire/private.h"
#include "wire/ticker.h"

/* Out of file descriptors or memory: somebody has to give some back before another try makes sense. */
#define RETRY_MS 100

#define TLS_SCHEME "tls+tcp"

struct wire_listener {
	const struct wire_listener_events *events;
	void *owner;
	struct wire_limits limits;
	struct wire_url url;
	nng_stream_listener *listener;
	nng_aio *aio;
	char text[WIRE_URL_MAX + 8]; /* the port may be longer than the 0 it was given as */
	bool sleeping;		     /* only the callback's */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool closing;
	bool done;
	char bell[WIRE_URL_MAX]; /* the peer that only rings; empty: none is awaited */
};

static void name_ipc_peer(nng_stream *stream, char *text, size_t size)
{
	uint64_t pid = 0;
	uint64_t uid = 0;

	(void)nng_stream_get_uint64(stream, NNG_OPT_IPC_PEER_PID, &pid);
	(void)nng_stream_get_uint64(stream, NNG_OPT_IPC_PEER_UID, &uid);
	snprintf(text, size, "ipc:pid=%" PRIu64 ",uid=%" PRIu64, pid, uid);
}

static void name_address(const nng_sockaddr *sa, const char *scheme, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (sa->s_family == NNG_AF_INET6) {
		inet_ntop(AF_INET6, sa->s_in6.sa_addr, host, sizeof(host));
		snprintf(text, size, "%s:[%s]:%u", scheme, host, (unsigned)ntohs(sa->s_in6.sa_port));
	} else {
		inet_ntop(AF_INET, &sa->s_in.sa_addr, host, sizeof(host));
		snprintf(text, size, "%s:%s:%u", scheme, host, (unsigned)ntohs(sa->s_in.sa_port));
	}
}

static void name_tcp_peer(nng_stream *stream, const char *scheme, char *text, size_t size)
{
	nng_sockaddr sa;

	if (nng_stream_get_addr(stream, NNG_OPT_REMADDR, &sa) != 0)
		snprintf(text, size, "%s:gone", scheme);
	else
		name_address(&sa, scheme, text, size);
}

static void name_peer(const wire_listener *l, nng_stream *stream, char *text, size_t size)
{
	if (l->url.scheme == WIRE_IPC)
		name_ipc_peer(stream, text, size);
	else
		name_tcp_peer(stream, l->url.scheme == WIRE_TCP ? "tcp" : TLS_SCHEME, text, size);
}

static bool is_bell(wire_listener *l, const char *peer)
{
	bool is_it;

	if (l->url.scheme != WIRE_TLS_TCP)
		return false;
	pthread_mutex_lock(&l->lock);
	is_it = strcmp(l->bell, peer) == 0;
	if (is_it)
		l->bell[0] = '\0';
	pthread_mutex_unlock(&l->lock);
	return is_it;
}

/* Offers the link to the owner. The strand is held meanwhile, so that the link's first event comes after. */
static void introduce(wire_listener *l, wire_link *link)
{
	const struct wire_link_events *events;
	void *owner = NULL;

	wire_cork();
	events = l->events->accepted(l->owner, link, &owner);
	pthread_mutex_lock(&link->lock);
	link->events = events;
	link->owner = owner;
	if (events == NULL)
		link_end_locked(link, WIRE_CLOSED, false);
	else if (link->state == LINK_OPEN)
		link_receive_locked(link);
	pthread_mutex_unlock(&link->lock);
	wire_uncork();

	pthread_mutex_lock(&link->lock);
	link_resume_locked(link);
	pthread_mutex_unlock(&link->lock);
}

static void take(wire_listener *l, nng_stream *stream)
{
	char peer[WIRE_URL_MAX];
	wire_link *link;
	wire_link *hold;

	name_peer(l, stream, peer, sizeof(peer));
	if (is_bell(l, peer) || link_new(&l->limits, peer, &link) != WIRE_OK) {
		nng_stream_free(stream);
		return;
	}
	link->is_tls = l->url.scheme == WIRE_TLS_TCP;
	link->input_ms = wire_now_ms();
	pthread_mutex_lock(&link->lock);
	link->stream = stream;
	link_move_locked(link, LINK_OPEN);
	link->strand = true;
	pthread_mutex_unlock(&link->lock);
	watch_add(link);
	hold = link;
	wire_link_retain(hold);
	introduce(l, link);
	if (link->events == NULL)
		wire_link_release(&link);
	wire_link_release(&hold);
}

static void accept_next(wire_listener *l, int rv)
{
	pthread_mutex_lock(&l->lock);
	if (l->closing) {
		l->done = true;
		pthread_cond_broadcast(&l->changed);
	} else if (rv != 0 && !l->sleeping) {
		l->sleeping = true;
		nng_sleep_aio(RETRY_MS, l->aio);
	} else {
		l->sleeping = false;
		nng_stream_listener_accept(l->listener, l->aio);
	}
	pthread_mutex_unlock(&l->lock);
}

static void on_accepted(void *arg)
{
	wire_listener *l = arg;
	int rv = nng_aio_result(l->aio);

	if (rv == 0 && !l->sleeping)
		take(l, nng_aio_get_output(l->aio, 0));
	accept_next(l, rv);
}

/* A socket file that nobody accepts on is removed; anything else at that path is in use. */
static enum wire_error clear_path(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	enum wire_error err = WIRE_IN_USE;
	struct stat st;
	int fd;

	if (lstat(path, &st) != 0)
		return WIRE_OK;
	if (!S_ISSOCK(st.st_mode))
		return WIRE_IN_USE;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return WIRE_NO_MEMORY;
	memcpy(sa.sun_path, path, strlen(path) + 1);
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) != 0) {
		if (errno == ECONNREFUSED)
			err = unlink(path) == 0 || errno == ENOENT ? WIRE_OK : WIRE_PERMISSION;
		else if (errno == EACCES || errno == EPERM)
			err = WIRE_PERMISSION;
	}
	close(fd);
	return err;
}

static enum wire_error prepare_tls(wire_listener *l, wire_tls *tls)
{
	nng_tls_config *config;
	enum wire_error err;
	int rv;

	if (tls == NULL)
		return WIRE_TLS;
	err = wire_tls_config(tls, NULL, &config);
	if (err != WIRE_OK)
		return err;
	rv = nng_stream_listener_set_ptr(l->listener, NNG_OPT_TLS_CONFIG, config);
	nng_tls_config_free(config);
	return wire_error_of_nng(rv);
}

static enum wire_error prepare(wire_listener *l, const struct wire_listener_options *options)
{
	enum wire_error err;
	int rv;

	if (l->url.scheme == WIRE_IPC) {
		err = clear_path(l->url.path);
		if (err != WIRE_OK)
			return err;
	}
	rv = nng_stream_listener_alloc(&l->listener, options->url);
	if (rv != 0)
		return wire_error_of_nng(rv);
	if (l->url.scheme == WIRE_IPC)
		rv = nng_stream_listener_set_int(l->listener, NNG_OPT_IPC_PERMISSIONS, (int)options->ipc_mode);
	else
		/* As for those that are dialed (dial.c). */
		rv = nng_stream_listener_set_bool(l->listener, NNG_OPT_TCP_NODELAY, true);
	if (rv != 0 || l->url.scheme != WIRE_TLS_TCP)
		return wire_error_of_nng(rv);
	return prepare_tls(l, options->tls);
}

static enum wire_error listen_now(wire_listener *l, const char *url)
{
	int port = 0;
	int rv = nng_stream_listener_listen(l->listener);

	if (rv == 0 && l->url.scheme != WIRE_IPC)
		rv = nng_stream_listener_get_int(l->listener, NNG_OPT_TCP_BOUND_PORT, &port);
	if (rv != 0)
		return wire_error_of_nng(rv);
	if (l->url.scheme == WIRE_IPC)
		snprintf(l->text, sizeof(l->text), "%s", url);
	else
		snprintf(l->text, sizeof(l->text), "%.*s:%d", (int)l->url.authority_len, url, port);
	return WIRE_OK;
}

static void free_listener(wire_listener *l)
{
	nng_aio_free(l->aio);
	nng_stream_listener_free(l->listener);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

enum wire_error wire_listener_open(const struct wire_listener_options *options,
				   const struct wire_listener_events *events, void *owner, wire_listener **ret)
{
	struct wire_url url;
	enum wire_error err;
	wire_listener *l;

	assert(events != NULL && events->accepted != NULL);

	err = wire_url_parse(options->url, true, &url);
	if (err != WIRE_OK)
		return err;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return WIRE_NO_MEMORY;
	l->url = url;
	l->events = events;
	l->owner = owner;
	l->limits = options->limits;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->changed, NULL);
	err = nng_aio_alloc(&l->aio, on_accepted, l) == 0 ? prepare(l, options) : WIRE_NO_MEMORY;
	if (err == WIRE_OK)
		err = listen_now(l, options->url);
	if (err != WIRE_OK) {
		free_listener(l);
		return err;
	}
	nng_aio_set_timeout(l->aio, NNG_DURATION_INFINITE);
	*ret = l;
	nng_stream_listener_accept(l->listener, l->aio);
	return WIRE_OK;
}

enum wire_error wire_listener_renew(wire_listener *l, wire_tls *tls)
{
	nng_sockaddr bound;
	enum wire_error err;
	struct bell bell;
	bool rings;

	assert(l->url.scheme == WIRE_TLS_TCP);
	rings = nng_stream_listener_get_addr(l->listener, NNG_OPT_LOCADDR, &bound) == 0 && bell_open(&bound, &bell);
	pthread_mutex_lock(&l->lock);
	err = prepare_tls(l, tls);
	if (rings)
		name_address(&bell.from, TLS_SCHEME, l->bell, sizeof(l->bell));
	pthread_mutex_unlock(&l->lock);
	if (rings)
		bell_ring(&bell);
	return err;
}

const char *wire_listener_url(const wire_listener *l)
{
	return l->text;
}

void wire_listener_close(wire_listener **held)
{
	wire_listener *l = *held;

	if (l == NULL)
		return;
	pthread_mutex_lock(&l->lock);
	l->closing = true;
	nng_stream_listener_close(l->listener);
	while (!l->done)
		pthread_cond_wait(&l->changed, &l->lock);
	pthread_mutex_unlock(&l->lock);
	free_listener(l);
	*held = NULL;
}
