/* A link's reading side. At most one read is under way; its buffer grows while reads fill it, up to READ_MAX, and
 * shrinks when they do not. A message larger than the buffer makes it grow further, up to input_bytes_max, and gives
 * that memory back when it has been consumed. A read that waits keeps its buffer: taking it away would take a time-out
 * or a cancellation, and nng 1.5 may then touch a stream that has been freed meanwhile.
 *
 * An accepted link stops reading, and its peer with it, while more than output_bytes_max wait to be written. A dialed
 * one never does: what it reads are answers to what it has written, and if both ends waited for the other to read
 * first, neither would. */

#include <assert.h>
#include <string.h>

#include "wire/private.h"
#include "wire/ticker.h"

/* What a quiet link holds: 10,000 of them 10 MB. A request or a few fit; whoever sends more at once soon has more. */
#define READ_MIN 1024U

/* Larger reads were measured to gain nothing up to 512 small messages in flight. 10,000 links that had a burst each and
 * fell silent hold 640 MB. */
#define READ_MAX ((size_t)64 * 1024)

/* A TLS record is at most 16 KiB, and nng reads record by record. */
#define READ_MAX_TLS ((size_t)16 * 1024)

/* After that many reads in a row that used less than a quarter of the buffer, it is halved. */
#define SMALL_READS 16U

/* There is room for at least READ_MIN more, or none and memory is out. */
static bool make_room(wire_link *link)
{
	struct wire_buffer *in = &link->in;
	size_t len = wire_buffer_len(in);

	if (len == 0) {
		if (link->read_size == 0)
			link->read_size = READ_MIN;
		if (in->cap != link->read_size)
			wire_buffer_drop(in);
		in->start = in->end = 0;
		return wire_buffer_reserve(in, link->read_size);
	}
	/* The rest of a large message's buffer goes even if the next message has begun in it. */
	if (in->cap > READ_MAX && len <= READ_MAX / 4)
		wire_buffer_shrink(in, READ_MAX);
	/* Doubling in wire_buffer_reserve makes the cost of moving a large message's bytes linear. */
	if (in->cap - in->end >= in->cap / 2)
		return true;
	return wire_buffer_reserve(in, in->start >= len ? in->cap - len : READ_MIN);
}

static void adapt(wire_link *link, size_t n)
{
	size_t max = link->is_tls ? READ_MAX_TLS : READ_MAX;

	if (n == link->offered) {
		link->small_reads = 0;
		if (link->read_size < max)
			link->read_size *= 2;
	} else if (n > link->read_size / 4 || link->read_size == READ_MIN) {
		link->small_reads = 0;
	} else if (++link->small_reads == SMALL_READS) {
		link->small_reads = 0;
		link->read_size /= 2;
	}
}

void link_receive_locked(wire_link *link)
{
	nng_iov iov;

	assert(link->state == LINK_OPEN || link->state == LINK_FLUSHING || link->state == LINK_LINGERING);

	if (link->receiving || link->receive_done || link->input_running)
		return;
	if (link->state != LINK_OPEN) {
		link->in.start = link->in.end = 0;
	} else if (!link->is_dialed && link_output_locked(link) > link->limits.output_bytes_max) {
		link->paused = true;
		return;
	}
	if (!make_room(link)) {
		link_fail_locked(link, WIRE_NO_MEMORY);
		return;
	}
	iov.iov_buf = link->in.data + link->in.end;
	iov.iov_len = link->in.cap - link->in.end;
	link->offered = iov.iov_len;
	link->receiving = true;
	wire_link_retain(link);
	nng_aio_set_iov(link->receive_aio, 1, &iov);
	nng_stream_recv(link->stream, link->receive_aio);
}

static void deliver_locked(wire_link *link)
{
	size_t len = wire_buffer_len(&link->in);
	size_t left;
	ssize_t consumed;

	link->input_running = true;
	pthread_mutex_unlock(&link->lock);
	cork_begin(link);
	consumed = link->events->input(link->owner, link, link->in.data + link->in.start, len);
	cork_end();
	pthread_mutex_lock(&link->lock);
	link->input_running = false;

	if (link->state != LINK_OPEN)
		return;
	if (consumed < 0) {
		link_end_locked(link, WIRE_PROTOCOL, true);
		return;
	}
	assert((size_t)consumed <= len);
	wire_buffer_consume(&link->in, (size_t)consumed);
	left = len - (size_t)consumed;
	if (left > link->limits.input_bytes_max)
		link_end_locked(link, WIRE_TOO_LARGE, true);
	if (left == 0)
		link->partial_ms = 0;
	else if (consumed > 0 || link->partial_ms == 0)
		link->partial_ms = link->input_ms;
}

static void take_bytes_locked(wire_link *link, size_t n)
{
	assert(n <= link->offered);
	link->heard = true;
	link->input_ms = wire_now_ms();
	if (link->state == LINK_OPEN) {
		if (!link->greeting)
			link->deadline_ms = 0;
		link->in.end += n;
		adapt(link, n);
		deliver_locked(link);
	}
	if (link->state != LINK_DEAD)
		link_receive_locked(link);
}

void link_take_input_locked(wire_link *link)
{
	int rv = nng_aio_result(link->receive_aio);
	size_t n = nng_aio_count(link->receive_aio);

	link->receive_done = false;
	if (rv != 0 || n == 0)
		link_fail_locked(link, link_stream_error(rv));
	else
		take_bytes_locked(link, n);
}

void link_on_received(void *arg)
{
	wire_link *link = arg;

	pthread_mutex_lock(&link->lock);
	link->receiving = false;
	link->receive_done = true;
	link_run_locked(link);
	pthread_mutex_unlock(&link->lock);
	wire_link_release(&link);
	cork_rest();
}
