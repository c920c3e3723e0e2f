/* A link's writing side: one buffer is filled while the other is written, and they change places when a write is
 * through and at a flush. At most one write is under way. nng writes short: each completion sends the rest.
 *
 * Nearly every write is done when nng_stream_send returns, but nng would still have a task thread say so: a wake-up and
 * two switches for each write. So the bytes go with `write_aio`, which has no callback and can be looked at at once. Only
 * when the peer's window is full does `written_aio` queue up behind it with nothing to write: when its turn has come, so
 * has the end of what is before it. A TLS stream takes no write of nothing: there `written_aio` carries the bytes.
 *
 * A crowd. What callers on connections of their own ask comes in events of one send each, and a write for each of them
 * costs this side and the peer more than all the rest of the call. So when a thread goes from one link's event straight
 * to another's, others are most likely waiting behind it, and the flush is queued up behind those: whatever they send
 * goes with the same write. A thread that had to be woken for its event writes at once, so a caller alone waits for
 * nobody. Only a dialed link has company of this kind, Redis's that of all callers; a caller's gets its answers alone.
 *
 * The output bound makes an accepted link stop reading (input.c); it never drops bytes. Only a link's end does. */

#include <assert.h>

#include "wire/private.h"
#include "wire/ticker.h"

/* A buffer keeps this much between writes, until the link is quiet (check.c). */
#define KEEP_BYTES ((size_t)256 * 1024)

/* As many sends are company enough: they are not put off. */
#define CROWD_SENDS 4

size_t link_output_locked(const wire_link *link)
{
	/* nng may still hold `going` of a dead link, but nobody will write it. */
	if (link->state == LINK_DEAD || link->state == LINK_CLOSED)
		return 0;
	return wire_buffer_len(&link->out) + wire_buffer_len(&link->going);
}

/* Its completion is link_on_sent's. */
static void send_written_locked(wire_link *link, const nng_iov *iov, unsigned count)
{
	wire_link_retain(link);
	nng_aio_set_iov(link->written_aio, count, iov);
	nng_stream_send(link->stream, link->written_aio);
}

/* Lets go of the lock: others can put in more meanwhile, which the next write takes along. True: all that is to be done
 * now is done. */
static bool write_unlocked(wire_link *link)
{
	bool is_done;

	link->writing = true;
	pthread_mutex_unlock(&link->lock);
	nng_stream_send(link->stream, link->write_aio);
	is_done = nng_aio_result(link->write_aio) != 0 || nng_aio_count(link->write_aio) > 0;
	/* It may be nng's poller that has just written, and has not let go of the aio yet. */
	if (is_done)
		nng_aio_wait(link->write_aio);
	pthread_mutex_lock(&link->lock);
	link->writing = false;
	if (link->close_due) {
		link_close_stream_locked(link);
		nng_aio_wait(link->write_aio);
		is_done = true;
	}
	return is_done;
}

/* True: the write is over, and finish_write_locked is next. False: link_on_sent will say so. */
static bool write_locked(wire_link *link)
{
	nng_iov iov = {
	    .iov_buf = link->going.data + link->going.start,
	    .iov_len = wire_buffer_len(&link->going),
	};

	link->sending = true;
	link->held = 0;
	link->send_ms = wire_now_ms();
	if (link->is_tls) {
		send_written_locked(link, &iov, 1);
		return false;
	}
	nng_aio_set_iov(link->write_aio, 1, &iov);
	if (write_unlocked(link))
		return true;
	send_written_locked(link, &iov, 0);
	return false;
}

/* True: there is something in `going`. */
static bool take_output_locked(wire_link *link)
{
	struct wire_buffer swap = link->going;

	if (link->sending || link->output_broken || (link->state != LINK_OPEN && link->state != LINK_FLUSHING))
		return false;
	if (wire_buffer_len(&swap) > 0)
		return true;
	if (wire_buffer_len(&link->out) == 0)
		return false;
	link->going = link->out;
	link->out = swap;
	return true;
}

/* The peer does not take bytes any more, but may have sent some that tell why: reading goes on to its end. */
static void output_failed_locked(wire_link *link, enum wire_error err)
{
	if (link->state != LINK_OPEN) {
		link_fail_locked(link, err);
		return;
	}
	link->output_broken = true;
	link->paused = false;
	wire_buffer_drop(&link->out);
	wire_buffer_drop(&link->going);
	link->deadline_ms = wire_now_ms() + link->limits.stall_timeout_ms;
	link_receive_locked(link);
}

static void written_locked(wire_link *link, size_t n)
{
	link->spoken = true;
	/* On a TLS stream, bytes go after the handshake. */
	if (link->is_tls && !link->greeting && link->state == LINK_OPEN)
		link->deadline_ms = 0;
	wire_buffer_consume(&link->going, n);
	if (wire_buffer_len(&link->going) == 0 && link->going.cap > KEEP_BYTES)
		wire_buffer_drop(&link->going);
	if (link->state == LINK_FLUSHING && link_output_locked(link) == 0) {
		link_flushed_locked(link);
	} else if (link->paused && link_output_locked(link) <= link->limits.output_bytes_max / 2) {
		link->paused = false;
		link->input_ms = wire_now_ms();
		if (link->partial_ms != 0)
			link->partial_ms = link->input_ms;
		link_receive_locked(link);
	}
}

static void finish_write_locked(wire_link *link)
{
	nng_aio *aio = link->is_tls ? link->written_aio : link->write_aio;
	int rv = nng_aio_result(aio);

	link->sending = false;
	if (link->state == LINK_DEAD || link->state == LINK_CLOSED)
		wire_buffer_drop(&link->going);
	else if (rv != 0)
		output_failed_locked(link, link_stream_error(rv));
	else
		written_locked(link, nng_aio_count(aio));
}

void link_send_more_locked(wire_link *link)
{
	while (take_output_locked(link) && write_locked(link))
		finish_write_locked(link);
}

void link_on_sent(void *arg)
{
	wire_link *link = arg;

	pthread_mutex_lock(&link->lock);
	finish_write_locked(link);
	/* A corked link is flushed soon enough, and then with more. */
	if (link->corks == 0 || link->state == LINK_FLUSHING || wire_buffer_len(&link->going) > 0)
		link_send_more_locked(link);
	pthread_mutex_unlock(&link->lock);
	wire_link_release(&link);
}

/* True: link_on_flush will write, or has been going to since an earlier event. */
static bool put_off_locked(wire_link *link)
{
	if (link->flush_aio == NULL || link->state != LINK_OPEN || link->held >= WIRE_CORK_SENDS_MAX)
		return false;
	if (link->flush_due)
		return true;
	if (link->held >= CROWD_SENDS || link->sending || !nng_aio_begin(link->flush_aio))
		return false;
	link->flush_due = true;
	wire_link_retain(link);
	nng_aio_finish(link->flush_aio, 0);
	return true;
}

void link_on_flush(void *arg)
{
	wire_link *link = arg;

	pthread_mutex_lock(&link->lock);
	link->flush_due = false;
	link_send_more_locked(link);
	pthread_mutex_unlock(&link->lock);
	wire_link_release(&link);
	cork_rest();
}

void link_flush(wire_link *link, bool is_crowd)
{
	pthread_mutex_lock(&link->lock);
	assert(link->corks > 0);
	link->corks--;
	if (!is_crowd || !put_off_locked(link))
		link_send_more_locked(link);
	pthread_mutex_unlock(&link->lock);
}

void link_relieve(wire_link *link)
{
	pthread_mutex_lock(&link->lock);
	if (link->held >= WIRE_CORK_SENDS_MAX)
		link_send_more_locked(link);
	pthread_mutex_unlock(&link->lock);
}

static bool append_locked(wire_link *link, const struct iovec *head, const struct iovec *parts, size_t count)
{
	size_t total = head != NULL ? head->iov_len : 0;

	for (size_t i = 0; i < count; i++)
		total += parts[i].iov_len;
	if (!wire_buffer_reserve(&link->out, total))
		return false;
	if (head != NULL)
		wire_buffer_put(&link->out, head->iov_base, head->iov_len);
	for (size_t i = 0; i < count; i++)
		wire_buffer_put(&link->out, parts[i].iov_base, parts[i].iov_len);
	return true;
}

void link_send_framed(wire_link *link, const struct iovec *head, const struct iovec *parts, size_t count)
{
	enum cork_hold hold = cork_hold(link);

	pthread_mutex_lock(&link->lock);
	if (hold == CORK_NEW)
		link->corks++;
	if ((link->state == LINK_OPEN || link->state == LINK_DIALING) && !link->output_broken) {
		if (!append_locked(link, head, parts, count))
			link_fail_locked(link, WIRE_NO_MEMORY);
		else if (hold == CORK_NONE)
			link_send_more_locked(link);
		else if (++link->held >= WIRE_CORK_SENDS_MAX)
			cork_note_much();
	}
	pthread_mutex_unlock(&link->lock);
}

void wire_link_send(wire_link *link, const struct iovec *parts, size_t count)
{
	link_send_framed(link, NULL, parts, count);
}

size_t wire_link_output_bytes(wire_link *link)
{
	size_t n;

	pthread_mutex_lock(&link->lock);
	n = link_output_locked(link);
	pthread_mutex_unlock(&link->lock);
	return n;
}
