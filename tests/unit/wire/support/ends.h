#ifndef LK_WIRE_TEST_ENDS_H
#define LK_WIRE_TEST_ENDS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/listener.h"

/* An owner of links that records its events and checks the promises of wire/link.h: no two events at once, none after
 * `closed`, `closed` once. */

struct end;

/* What to do with input besides recording it; returns as wire_link_events.input. */
typedef ssize_t end_input(struct end *e, wire_link *link, const uint8_t *data, size_t len);

struct end {
	wire_link *link;
	end_input *input; /* NULL: consumes all */
	void (*opened_hook)(struct end *e);
	bool stays; /* the answer to `idle` */
	void *context;

	atomic_int running; /* events of this end right now */
	atomic_int opened;
	atomic_int closed;
	atomic_int idles;
	atomic_int inputs;
	atomic_int reason;

	pthread_mutex_t lock; /* guards what has been received */
	uint8_t *bytes;
	size_t len;
};

extern const struct wire_link_events end_events;
extern const struct wire_limits end_limits;

void end_init(struct end *e);
/* Ends the link if it lives, waits for `closed`, releases and frees. */
void end_finish(struct end *e);
void end_dial(struct end *e, const char *url, const struct wire_limits *limits);
void end_send(struct end *e, const void *data, size_t len);
size_t end_received(struct end *e);
/* True when exactly these bytes have come. */
bool end_has(struct end *e, const void *data, size_t len);

/* Inputs. */
ssize_t end_echo(struct end *e, wire_link *link, const uint8_t *data, size_t len);
/* Consumes whole lines only, and echoes each by a send of its own. */
ssize_t end_echo_lines(struct end *e, wire_link *link, const uint8_t *data, size_t len);

/* A listener whose links become ends of its own. */
#define HALL_ENDS_MAX 64
struct hall {
	wire_listener *listener;
	struct end ends[HALL_ENDS_MAX];
	atomic_int count; /* accepted so far */
	atomic_bool refuses;
	end_input *input;
	bool stays;
};

void hall_open(struct hall *h, const char *url, const struct wire_limits *limits, wire_tls *tls);
const char *hall_url(const struct hall *h);
/* Closes the listener and every end, and drains. */
void hall_close(struct hall *h);

#endif
