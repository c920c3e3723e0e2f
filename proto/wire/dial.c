/* Dialing a link. While DIALING the link has no stream; closing the dialer completes the dial aio, whose callback
 * delivers `closed`. A dial that succeeds although the link has ended in the meantime closes its stream at once. */

#include <assert.h>
#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>

#include "wire/private.h"
#include "wire/ticker.h"

/* Each is rare, and the rarer the less busy the machine: ten in a row are no accident. */
#define FALSE_STARTS_MAX 10

static void opened_locked(wire_link *link)
{
	uint64_t now = wire_now_ms();

	link_move_locked(link, LINK_OPEN);
	link->opened_due = true;
	link->input_ms = now;
	if (link->greeting)
		link->deadline_ms = now + link->limits.connect_timeout_ms;
	else if (!link->is_tls)
		link->deadline_ms = 0;
	link_receive_locked(link);
	link_send_more_locked(link);
}

/* nng may take the poller's word about the socket as it was before connect() for the result of connect(), and report
 * a connection that is only being tried. Then there is no peer yet. */
static bool is_false_start(wire_link *link)
{
	nng_sockaddr sa;

	return !link->is_ipc && nng_stream_get_addr(link->stream, NNG_OPT_REMADDR, &sa) != 0;
}

static void dial_locked(wire_link *link)
{
	wire_link_retain(link);
	nng_stream_dialer_dial(link->dialer, link->dial_aio);
}

static void dial_again_locked(wire_link *link)
{
	/* Or the peer has accepted and reset, and will again. */
	if (++link->false_starts > FALSE_STARTS_MAX) {
		link_end_locked(link, WIRE_PEER_CLOSED, false);
		return;
	}
	nng_stream_close(link->stream);
	nng_stream_free(link->stream);
	link->stream = NULL;
	dial_locked(link);
}

static enum wire_error dial_error(const wire_link *link, int rv)
{
	/* A name server that cannot tell now, or a full queue of connections. */
	if (rv == NNG_EAGAIN)
		return link->is_ipc ? WIRE_REFUSED : WIRE_UNREACHABLE;
	return wire_error_of_nng(rv);
}

static void on_dialed(void *arg)
{
	wire_link *link = arg;
	int rv = nng_aio_result(link->dial_aio);

	pthread_mutex_lock(&link->lock);
	if (rv == 0)
		link->stream = nng_aio_get_output(link->dial_aio, 0);
	if (link->state == LINK_DEAD) {
		if (rv == 0)
			nng_stream_close(link->stream);
	} else if (rv != 0) {
		link_end_locked(link, dial_error(link, rv), false);
	} else if (is_false_start(link)) {
		dial_again_locked(link);
	} else {
		opened_locked(link);
	}
	link_run_locked(link);
	pthread_mutex_unlock(&link->lock);
	wire_link_release(&link);
}

static enum wire_error prepare_tls(wire_link *link, wire_tls *tls, const char *host)
{
	nng_tls_config *config;
	enum wire_error err;
	int rv;

	if (tls == NULL)
		return WIRE_TLS;
	err = wire_tls_config(tls, host, &config);
	if (err != WIRE_OK)
		return err;
	rv = nng_stream_dialer_set_ptr(link->dialer, NNG_OPT_TLS_CONFIG, config);
	nng_tls_config_free(config);
	return wire_error_of_nng(rv);
}

static enum wire_error prepare(wire_link *link, const char *text, const struct wire_url *url, wire_tls *tls)
{
	int rv = nng_stream_dialer_alloc(&link->dialer, text);

	if (rv == 0)
		rv = nng_aio_alloc(&link->dial_aio, on_dialed, link);
	if (rv == 0)
		rv = nng_aio_alloc(&link->flush_aio, link_on_flush, link);
	if (rv != 0)
		return wire_error_of_nng(rv);
	nng_aio_set_timeout(link->dial_aio, NNG_DURATION_INFINITE);
	link->is_ipc = url->scheme == WIRE_IPC;
	if (link->is_ipc)
		return WIRE_OK;
	/* nng's streams have Nagle's algorithm on: while something is unanswered, what is sent next would wait for the
	 * peer's delayed acknowledgement, 40 ms on Linux. Small writes are put together by the cork. */
	rv = nng_stream_dialer_set_bool(link->dialer, NNG_OPT_TCP_NODELAY, true);
	if (rv != 0 || url->scheme != WIRE_TLS_TCP)
		return wire_error_of_nng(rv);
	link->is_tls = true;
	return prepare_tls(link, tls, url->host);
}

enum wire_error link_dial(const char *text, const struct wire_limits *limits, wire_tls *tls,
			  const struct wire_link_events *events, void *owner, bool greeting, wire_link **ret)
{
	struct wire_url url;
	enum wire_error err;
	wire_link *link;

	assert(events != NULL && events->input != NULL && events->closed != NULL);

	err = wire_url_parse(text, false, &url);
	if (err == WIRE_OK)
		err = link_new(limits, text, &link);
	if (err != WIRE_OK)
		return err;
	err = prepare(link, text, &url, tls);
	if (err != WIRE_OK) {
		wire_link_release(&link);
		return err;
	}
	link->events = events;
	link->owner = owner;
	link->is_dialed = true;
	link->greeting = greeting;
	link->deadline_ms = wire_now_ms() + limits->connect_timeout_ms;
	watch_add(link);
	*ret = link;
	pthread_mutex_lock(&link->lock);
	dial_locked(link);
	pthread_mutex_unlock(&link->lock);
	return WIRE_OK;
}

enum wire_error wire_dial(const char *url, const struct wire_limits *limits, wire_tls *tls,
			  const struct wire_link_events *events, void *owner, wire_link **ret)
{
	return link_dial(url, limits, tls, events, owner, false, ret);
}
