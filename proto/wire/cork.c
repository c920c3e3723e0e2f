/* Holding output back while this thread runs an event: the links written to meanwhile are listed, each with a
 * reference, and get one write each at the end. The list is this thread's alone, empty whenever nothing is corked. */

#include <assert.h>

#include "wire/private.h"
#include "wire/ticker.h"

/* A full list is flushed early: 64 writes in a row already share the cost of the event. */
#define CORK_LINKS_MAX 64

/* To hand a thread its next callback takes nng less than a microsecond; to wake a thread takes the kernel some five. */
#define STRAIGHT_NS 3000U

static _Thread_local struct {
	unsigned depth;
	unsigned count;
	bool is_much;
	bool is_crowd;		  /* this event came straight after another link's */
	const wire_link *running; /* whose event this is, or the last one was; only compared */
	uint64_t rested_ns;	  /* when the last callback was over */
	wire_link *links[CORK_LINKS_MAX];
} cork;

static void flush_all(void)
{
	for (unsigned i = 0; i < cork.count; i++) {
		link_flush(cork.links[i], cork.is_crowd && cork.links[i] != cork.running);
		wire_link_release(&cork.links[i]);
	}
	cork.count = 0;
	cork.is_much = false;
}

enum cork_hold cork_hold(wire_link *link)
{
	if (cork.depth == 0)
		return CORK_NONE;
	/* From the back: most events write to one link, again and again. */
	for (unsigned i = cork.count; i > 0; i--) {
		if (cork.links[i - 1] == link)
			return CORK_HELD;
	}
	if (cork.count == CORK_LINKS_MAX)
		flush_all();
	wire_link_retain(link);
	cork.links[cork.count++] = link;
	return CORK_NEW;
}

void cork_note_much(void)
{
	cork.is_much = true;
}

void wire_cork_relieve(void)
{
	if (!cork.is_much)
		return;
	cork.is_much = false;
	for (unsigned i = 0; i < cork.count; i++)
		link_relieve(cork.links[i]);
}

void wire_cork(void)
{
	cork.depth++;
}

void wire_uncork(void)
{
	assert(cork.depth > 0);
	if (--cork.depth == 0)
		flush_all();
}

void cork_begin(const wire_link *link)
{
	cork.is_crowd = cork.running != link && wire_now_ns() - cork.rested_ns < STRAIGHT_NS;
	cork.running = link;
	wire_cork();
}

void cork_end(void)
{
	wire_uncork();
	cork.is_crowd = false;
}

void cork_rest(void)
{
	cork.rested_ns = wire_now_ns();
}
