/* What time does to a link. The watch calls link_check now and then; nothing here is exact to the millisecond. */

#include "wire/private.h"
#include "wire/ticker.h"

/* A link is looked at this many times within its shortest time-out: time-outs are late by an eighth at most. */
#define LOOKS_PER_TIMEOUT 8U

/* The watch's slots hold up to 1.28 s. */
#define LOOK_MS_MAX 1000U

#define LOOK_MS_LINGERING 20U

/* After so long without a write, the output buffers go. */
#define QUIET_MS 1000U

static uint32_t look_ms(const struct wire_limits *l)
{
	uint32_t ms = l->connect_timeout_ms;

	if (ms > l->idle_timeout_ms)
		ms = l->idle_timeout_ms;
	if (ms > l->stall_timeout_ms)
		ms = l->stall_timeout_ms;
	ms /= LOOKS_PER_TIMEOUT;
	return ms < LOOK_MS_MAX ? ms : LOOK_MS_MAX;
}

/* nng drops a TLS connection's end when no read is under way, and a later read never learns of it. The socket does. */
static bool tls_is_lost(wire_link *link)
{
	nng_sockaddr sa;

	return link->is_tls && nng_stream_get_addr(link->stream, NNG_OPT_REMADDR, &sa) != 0;
}

/* nng does not tell when a handshake is over: bytes that have gone or come do. A dialed link that has nothing to send
 * is left to the idle time-out. */
static bool handshake_is_unknown(const wire_link *link)
{
	return link->is_tls && !link->greeting && !link->sending && !link->output_broken;
}

/* Bytes that the peer does not take, or a message that it does not finish; while reading is paused that is no fault of
 * the peer's. */
static bool is_stalled(const wire_link *link, uint64_t now)
{
	uint64_t stall_ms = link->limits.stall_timeout_ms;

	if (link->sending && link->deadline_ms == 0 && now - link->send_ms >= stall_ms)
		return true;
	return link->partial_ms != 0 && link->receiving && now - link->partial_ms >= stall_ms;
}

/* What was needed for a burst is not kept for a quiet link. */
static void drop_buffers_locked(wire_link *link)
{
	if (link_output_locked(link) > 0 || link->sending)
		return;
	wire_buffer_drop(&link->out);
	wire_buffer_drop(&link->going);
}

static void check_open_locked(wire_link *link, uint64_t now)
{
	if (now - link->send_ms >= QUIET_MS)
		drop_buffers_locked(link);
	if (now >= link->deadline_ms && handshake_is_unknown(link))
		link->deadline_ms = 0;

	if (link->deadline_ms != 0 && now >= link->deadline_ms)
		link_end_locked(link, link->output_broken ? WIRE_PEER_CLOSED : WIRE_TIMED_OUT, false);
	else if (tls_is_lost(link))
		link_end_locked(link, WIRE_PEER_CLOSED, false);
	else if (is_stalled(link, now))
		link_end_locked(link, WIRE_STALLED, false);
	else if (link->partial_ms == 0 && link->receiving && !link->strand &&
		 now - link->input_ms >= link->limits.idle_timeout_ms)
		link->idle_due = true;
}

uint32_t link_check(wire_link *link)
{
	uint64_t now;
	uint32_t ms;

	pthread_mutex_lock(&link->lock);
	/* Only now: an earlier look at the clock could lie before what another thread has noted meanwhile. */
	now = wire_now_ms();
	switch (link->state) {
	case LINK_DIALING:
		if (now >= link->deadline_ms)
			link_end_locked(link, WIRE_TIMED_OUT, false);
		break;
	case LINK_OPEN:
		check_open_locked(link, now);
		break;
	case LINK_FLUSHING:
	case LINK_LINGERING:
		if (now >= link->deadline_ms)
			link_fail_locked(link, link->reason);
		break;
	case LINK_DEAD:
	case LINK_CLOSED:
	case LINK_STATES:
		break;
	}
	if (link->idle_due)
		link_run_locked(link);
	/* Lingering is short whatever the time-outs are. */
	ms = link->state == LINK_LINGERING ? LOOK_MS_LINGERING : look_ms(&link->limits);
	pthread_mutex_unlock(&link->lock);
	return ms;
}
