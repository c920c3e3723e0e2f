/* What time does to a link. The watch calls link_check now and then; nothing here is exact to the millisecond. */

#include "wire/private.h"
#include "wire/ticker.h"
#include "wire/ticker.h"

/* A link is looked at this many times within its shortest time-out: time-outs are late by an eighth at most. */
#define LOOKS_PER_TIMEOUT 8U

/* The watch's slots hold up to 1.28 s. */
#define LOOK_MS_MAX 1000U

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

static bool tls_is_verified(wire_link *link)
{
	bool verified = false;

	return nng_stream_get_bool(link->stream, NNG_OPT_TLS_VERIFIED, &verified) == 0 && verified;
}

static void check_open_locked(wire_link *link, uint64_t now)
{
	uint64_t stall_ms = link->limits.stall_timeout_ms;

	/* The deadline of a dialed TLS link is that of its handshake. */
	if (link->deadline_ms != 0 && link->is_tls && link->is_dialed && !link->greeting && !link->output_broken &&
	    tls_is_verified(link))
		link->deadline_ms = 0;

	if (link->deadline_ms != 0 && now >= link->deadline_ms)
		link_end_locked(link, link->output_broken ? WIRE_PEER_CLOSED : WIRE_TIMED_OUT, false);
	else if (tls_is_lost(link))
		link_end_locked(link, WIRE_PEER_CLOSED, false);
	else if (link->sending && link->deadline_ms == 0 && now - link->send_ms >= stall_ms)
		link_end_locked(link, WIRE_STALLED, false);
	else if (link->partial_ms != 0 && link->receiving && now - link->partial_ms >= stall_ms)
		link_end_locked(link, WIRE_STALLED, false);
	else if (link->partial_ms == 0 && link->receiving && !link->strand &&
		 now - link->input_ms >= link->limits.idle_timeout_ms)
		link->idle_due = true;
}

uint32_t link_check(wire_link *link)
{
	uint64_t now;

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
	pthread_mutex_unlock(&link->lock);
	return look_ms(&link->limits);
}
