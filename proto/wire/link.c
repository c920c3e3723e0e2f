/* One byte stream to a peer: its states, its events, its life.
 *
 * Life. A link is made by a dialer or a listener and counts references: one is the owner's; each nng operation under
 * way, each cork that holds it and the watch (watch.c) have one too. `closed` ends the events; the last reference
 * frees the memory.
 *
 * States. DIALING -> OPEN -> FLUSHING -> LINGERING -> DEAD -> CLOSED, any of the middle ones skipped; link_move_locked
 * is the only place that assigns `state`.
 *
 * Strand. nng completes reads, writes and dials on any of its task threads. Whichever thread finds the strand free
 * takes it and delivers the events that are due, one after another; a thread that finds it taken leaves a note (a
 * `_due` or `_done` flag) for the holder. So events never overlap, whatever completes, and run with no lock held.
 * wire_link_close never delivers an event itself: closing the stream completes the read, whose callback does; when no
 * read is under way, an empty completion of the receive aio is posted to nng's task threads instead.
 *
 * Locks. `lock` is held across nng_stream_recv and _close, never across an event. nng completes operations on its task
 * threads only, so its locks nest inside ours and never the other way round. An operation submitted to a closed stream
 * would never complete: hence each is submitted under the lock, in a state with an open stream. Writes of plain streams
 * are not, so that nobody waits for a system call: while one is `writing` the stream is not closed.
 *
 * Time. nng's operations run without time-outs: on a TLS stream a timed-out read ends the stream, and on any stream
 * nng 1.5 may still be timing an operation out when its stream is freed. The watch looks at each link often enough and
 * calls link_check. */

#include "wire/link.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/private.h"
#include "wire/ticker.h"

/* How long a peer gets to read what a link wrote before it ended, while its own bytes are still coming: closing a
 * socket with unread bytes resets the connection, and the peer may lose our last words. A peer that was cut off in a
 * message needs it; so does TLS, where nng may hold the last 16 KiB. */
#define LINGER_MS     1000U
#define LINGER_TLS_MS 100U

#define BIT(state) (1U << (state))

static const unsigned allowed_from[LINK_STATES] = {
    [LINK_DIALING] = 0,
    [LINK_OPEN] = BIT(LINK_DIALING),
    [LINK_FLUSHING] = BIT(LINK_OPEN),
    [LINK_LINGERING] = BIT(LINK_OPEN) | BIT(LINK_FLUSHING),
    [LINK_DEAD] = BIT(LINK_DIALING) | BIT(LINK_OPEN) | BIT(LINK_FLUSHING) | BIT(LINK_LINGERING),
    [LINK_CLOSED] = BIT(LINK_DEAD),
};

static bool link_has_ended(enum link_state state)
{
	return state != LINK_DIALING && state != LINK_OPEN;
}

void link_move_locked(wire_link *link, enum link_state state)
{
	assert(allowed_from[state] & BIT(link->state));
	if (!link_has_ended(link->state) && link_has_ended(state))
		watch_ends();
	link->state = state;
}

enum wire_error link_new(const struct wire_limits *limits, const char *peer, wire_link **ret)
{
	enum wire_error err;
	wire_link *link;

	assert(limits->connect_timeout_ms > 0 && limits->idle_timeout_ms > 0 && limits->stall_timeout_ms > 0);
	assert(limits->input_bytes_max > 0 && limits->output_bytes_max > 0);

	err = watch_born();
	if (err != WIRE_OK)
		return err;
	link = calloc(1, sizeof(*link));
	if (link == NULL) {
		watch_died(false);
		return WIRE_NO_MEMORY;
	}
	link->limits = *limits;
	atomic_init(&link->refs, 1);
	pthread_mutex_init(&link->lock, NULL);
	snprintf(link->peer, sizeof(link->peer), "%s", peer);
	if (nng_aio_alloc(&link->receive_aio, link_on_received, link) != 0 ||
	    nng_aio_alloc(&link->write_aio, NULL, NULL) != 0 ||
	    nng_aio_alloc(&link->written_aio, link_on_sent, link) != 0) {
		wire_link_release(&link);
		return WIRE_NO_MEMORY;
	}
	nng_aio_set_timeout(link->receive_aio, NNG_DURATION_INFINITE);
	nng_aio_set_timeout(link->write_aio, NNG_DURATION_INFINITE);
	nng_aio_set_timeout(link->written_aio, NNG_DURATION_INFINITE);
	*ret = link;
	return WIRE_OK;
}

/* Not on a task thread when there is a dialer: nng_stream_dialer_free waits for other task threads. */
void link_free(wire_link *link)
{
	bool has_ended = link_has_ended(link->state);

	/* The last reference may go from within one of these aios' callbacks: the reaper waits for it. */
	nng_aio_reap(link->receive_aio);
	nng_aio_reap(link->write_aio);
	nng_aio_reap(link->written_aio);
	nng_aio_reap(link->dial_aio);
	nng_aio_reap(link->flush_aio);
	/* In this order nng's own reference to the dialer goes last, on the reaper's thread. */
	nng_stream_dialer_free(link->dialer);
	nng_stream_free(link->stream);
	wire_buffer_drop(&link->in);
	wire_buffer_drop(&link->out);
	wire_buffer_drop(&link->going);
	pthread_mutex_destroy(&link->lock);
	free(link);
	watch_died(has_ended);
}

void wire_link_retain(wire_link *link)
{
	unsigned before = atomic_fetch_add_explicit(&link->refs, 1, memory_order_relaxed);

	assert(before > 0);
	(void)before;
}

void wire_link_release(wire_link **held)
{
	wire_link *link = *held;

	if (link == NULL)
		return;
	*held = NULL;
	if (atomic_fetch_sub_explicit(&link->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (link->dialer != NULL)
		watch_bury(link);
	else
		link_free(link);
}

/* Posts a callback of the receive aio, so that a task thread comes by and delivers `closed`. */
static void kick_locked(wire_link *link)
{
	if (!nng_aio_begin(link->receive_aio))
		return;
	link->receiving = true;
	wire_link_retain(link);
	nng_aio_finish(link->receive_aio, NNG_ECLOSED);
}

void link_close_stream_locked(wire_link *link)
{
	link->close_due = false;
	nng_stream_close(link->stream);
	if (!link->strand && !link->receiving && link->state != LINK_CLOSED)
		kick_locked(link);
}

static void die_locked(wire_link *link)
{
	bool dialing = link->state == LINK_DIALING;

	link_move_locked(link, LINK_DEAD);
	wire_buffer_drop(&link->out);
	if (dialing) {
		nng_stream_dialer_close(link->dialer);
		return;
	}
	/* Whoever is writing closes it when he is back. */
	link->close_due = link->writing;
	if (!link->writing)
		link_close_stream_locked(link);
}

/* Nothing is left to write. */
void link_flushed_locked(wire_link *link)
{
	uint32_t linger_ms = link->is_tls ? LINGER_TLS_MS : 0;

	if (link->reason == WIRE_TOO_LARGE)
		linger_ms = LINGER_MS;
	if (linger_ms == 0 || link->output_broken) {
		die_locked(link);
		return;
	}
	link_move_locked(link, LINK_LINGERING);
	link->deadline_ms = wire_now_ms() + linger_ms;
	link->paused = false;
	watch_soon(link);
	link_receive_locked(link);
}

void link_end_locked(wire_link *link, enum wire_error reason, bool flush)
{
	assert(reason != WIRE_OK);

	if (link->state != LINK_DIALING && link->state != LINK_OPEN)
		return;
	link->reason = reason;
	if (link->state == LINK_DIALING || !flush) {
		die_locked(link);
	} else if (link->sending || link_output_locked(link) > 0) {
		link_move_locked(link, LINK_FLUSHING);
		link->deadline_ms = wire_now_ms() + link->limits.stall_timeout_ms;
		link_send_more_locked(link);
	} else {
		link_flushed_locked(link);
	}
}

/* Input or output has failed, or time is up. */
void link_fail_locked(wire_link *link, enum wire_error reason)
{
	if (link->state == LINK_FLUSHING || link->state == LINK_LINGERING)
		die_locked(link);
	else
		link_end_locked(link, reason, false);
}

static void run_opened_locked(wire_link *link)
{
	link->opened_due = false;
	if (link->events->opened == NULL)
		return;
	pthread_mutex_unlock(&link->lock);
	wire_cork();
	link->events->opened(link->owner, link);
	wire_uncork();
	pthread_mutex_lock(&link->lock);
}

static void run_idle_locked(wire_link *link)
{
	bool stay = false;

	link->idle_due = false;
	if (link->state != LINK_OPEN || wire_now_ms() - link->input_ms < link->limits.idle_timeout_ms)
		return;
	/* A TLS peer with whom not a byte was exchanged may not even have begun its handshake. */
	if (link->events->idle != NULL && (link->heard || link->spoken || !link->is_tls)) {
		pthread_mutex_unlock(&link->lock);
		wire_cork();
		stay = link->events->idle(link->owner, link);
		wire_uncork();
		pthread_mutex_lock(&link->lock);
	}
	if (stay)
		link->input_ms = wire_now_ms();
	else
		link_end_locked(link, WIRE_IDLE, true);
}

static void run_closed_locked(wire_link *link)
{
	link_move_locked(link, LINK_CLOSED);
	pthread_mutex_unlock(&link->lock);
	/* No events: the listener's owner refused the link. */
	if (link->events != NULL) {
		wire_cork();
		link->events->closed(link->owner, link, link->reason);
		wire_uncork();
	}
	watch_remove(link);
	pthread_mutex_lock(&link->lock);
}

/* One event. False when none is due. */
static bool step_locked(wire_link *link)
{
	if (link->state == LINK_CLOSED)
		return false;
	if (link->state == LINK_DEAD)
		run_closed_locked(link);
	else if (link->opened_due)
		run_opened_locked(link);
	else if (link->receive_done)
		link_take_input_locked(link);
	else if (link->idle_due)
		run_idle_locked(link);
	else
		return false;
	return true;
}

void link_resume_locked(wire_link *link)
{
	while (step_locked(link))
		;
	link->strand = false;
}

void link_run_locked(wire_link *link)
{
	if (link->strand)
		return;
	link->strand = true;
	link_resume_locked(link);
}

void wire_link_close(wire_link *link, enum wire_error reason, bool flush)
{
	pthread_mutex_lock(&link->lock);
	link_end_locked(link, reason, flush);
	pthread_mutex_unlock(&link->lock);
}

const char *wire_link_peer(const wire_link *link)
{
	return link->peer;
}

void link_expect_greeting(wire_link *link)
{
	pthread_mutex_lock(&link->lock);
	link->greeting = true;
	link->deadline_ms = wire_now_ms() + link->limits.connect_timeout_ms;
	pthread_mutex_unlock(&link->lock);
}

void link_greeted(wire_link *link)
{
	pthread_mutex_lock(&link->lock);
	link->greeting = false;
	if (link->state == LINK_OPEN)
		link->deadline_ms = 0;
	pthread_mutex_unlock(&link->lock);
}
