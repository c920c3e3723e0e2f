/* A link's writing side: one buffer is filled while the other is written, and they change places when a write is
 * through and at a flush. At most one write is under way. nng writes short: each completion sends the rest.
 *
 * The output bound makes an accepted link stop reading (input.c); it never drops bytes. Only a link's end does. */

#include <assert.h>

#include "wire/private.h"
#include "wire/ticker.h"

/* A buffer keeps this much between writes, until the link is quiet (check.c). */
#define KEEP_BYTES ((size_t)256 * 1024)

size_t link_output_locked(const wire_link *link)
{
	/* nng may still hold `going` of a dead link, but nobody will write it. */
	if (link->state == LINK_DEAD || link->state == LINK_CLOSED)
		return 0;
	return wire_buffer_len(&link->out) + wire_buffer_len(&link->going);
}

static void write_locked(wire_link *link)
{
	nng_iov iov = {
	    .iov_buf = link->going.data + link->going.start,
	    .iov_len = wire_buffer_len(&link->going),
	};

	link->sending = true;
	link->send_ms = wire_now_ms();
	wire_link_retain(link);
	nng_aio_set_iov(link->send_aio, 1, &iov);
	nng_stream_send(link->stream, link->send_aio);
}

void link_send_more_locked(wire_link *link)
{
	struct wire_buffer swap = link->going;

	if (link->sending || link->output_broken || wire_buffer_len(&link->out) == 0)
		return;
	if (link->state != LINK_OPEN && link->state != LINK_FLUSHING)
		return;
	assert(wire_buffer_len(&swap) == 0);
	link->going = link->out;
	link->out = swap;
	write_locked(link);
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
	if (wire_buffer_len(&link->going) > 0) {
		write_locked(link);
	} else {
		if (link->going.cap > KEEP_BYTES)
			wire_buffer_drop(&link->going);
		/* A corked link is flushed soon enough, and then with more. */
		if (link->corks == 0 || link->state == LINK_FLUSHING)
			link_send_more_locked(link);
	}
	if (!link->sending && link->state == LINK_FLUSHING) {
		link_flushed_locked(link);
	} else if (link->paused && link_output_locked(link) <= link->limits.output_bytes_max / 2) {
		link->paused = false;
		link->input_ms = wire_now_ms();
		if (link->partial_ms != 0)
			link->partial_ms = link->input_ms;
		link_receive_locked(link);
	}
}

void link_on_sent(void *arg)
{
	wire_link *link = arg;
	int rv = nng_aio_result(link->send_aio);

	pthread_mutex_lock(&link->lock);
	link->sending = false;
	if (link->state == LINK_DEAD || link->state == LINK_CLOSED)
		wire_buffer_drop(&link->going);
	else if (rv != 0)
		output_failed_locked(link, link_stream_error(rv));
	else
		written_locked(link, nng_aio_count(link->send_aio));
	pthread_mutex_unlock(&link->lock);
	wire_link_release(&link);
}

void link_flush(wire_link *link)
{
	pthread_mutex_lock(&link->lock);
	assert(link->corks > 0);
	link->corks--;
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
