/* Dialing a link. While DIALING the link has no stream; closing the dialer completes the dial aio, whose callback
 * delivers `closed`. A dial that succeeds although the link has ended in the meantime closes its stream at once. */

#include <assert.h>
#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>

#include "wire/private.h"
#include "wire/ticker.h"

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
	link_send_more_locked(link);
	link_receive_locked(link);
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
		link_end_locked(link, wire_error_of_nng(rv), false);
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
	if (rv != 0)
		return wire_error_of_nng(rv);
	nng_aio_set_timeout(link->dial_aio, NNG_DURATION_INFINITE);
	if (url->scheme != WIRE_TLS_TCP)
		return WIRE_OK;
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
	wire_link_retain(link);
	nng_stream_dialer_dial(link->dialer, link->dial_aio);
	pthread_mutex_unlock(&link->lock);
	return WIRE_OK;
}

enum wire_error wire_dial(const char *url, const struct wire_limits *limits, wire_tls *tls,
			  const struct wire_link_events *events, void *owner, wire_link **ret)
{
	return link_dial(url, limits, tls, events, owner, false, ret);
}
