#ifndef LK_WIRE_PRIVATE_H
#define LK_WIRE_PRIVATE_H

/* What the files of this folder share and nobody else sees. link.c explains states, strand, locks and references. */

#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>

#include "wire/buffer.h"
#include "wire/link.h"
#include "wire/url.h"

/* How a link ends. `from` of each transition is in link.c. */
enum link_state {
	LINK_DIALING,
	LINK_OPEN,
	LINK_FLUSHING,	/* ended; what was sent before is being written, input is thrown away */
	LINK_LINGERING, /* written; input is thrown away for a moment, so that the peer gets to read what was written */
	LINK_DEAD,	/* stream closed, `closed` not yet delivered */
	LINK_CLOSED,
	LINK_STATES
};

/* A place in one of the watch's lists, guarded by the watch's lock. All NULL: in none. */
struct watch_node {
	struct watch_node *next;
	struct watch_node *prev;
};

struct wire_link {
	struct watch_node node; /* first: the watch casts it back */
	bool unwatched;		/* the watch's lock */
	atomic_uint refs;

	/* Set before the first event, constant after. */
	const struct wire_link_events *events;
	void *owner;
	struct wire_limits limits;
	bool is_tls;
	bool is_ipc; /* of dialed links */
	bool is_dialed;
	nng_aio *receive_aio;
	nng_aio *write_aio; /* without a callback: see output.c */
	nng_aio *written_aio;
	nng_aio *dial_aio;	   /* dialed links only */
	nng_aio *flush_aio;	   /* dialed links only: see output.c */
	nng_stream_dialer *dialer; /* dialed links only */
	char peer[WIRE_URL_MAX];

	/* Input: touched only by the holder of the strand and, while `receiving`, by nng. */
	struct wire_buffer in;
	size_t read_size; /* of the next read into an empty buffer */
	size_t offered;	  /* to the read under way */
	uint32_t small_reads;

	pthread_mutex_t lock; /* guards everything below */
	nng_stream *stream;
	unsigned false_starts; /* dialed links only */
	enum link_state state;
	enum wire_error reason; /* WIRE_OK until the link ends */
	bool strand;		/* some thread runs this link's events */
	bool opened_due;
	bool idle_due;
	bool receive_done;	  /* a read's result waits for the strand */
	bool receiving;		  /* the receive aio is in nng's hands, or in its callback's */
	bool input_running;	  /* the `input` event is looking at `in` */
	bool paused;		  /* not reading because of output_bytes_max */
	bool sending;		  /* `going` is being written */
	bool writing;		  /* some thread is submitting that write, without the lock */
	bool close_due;		  /* by that thread */
	unsigned corks;		  /* threads that will flush when their event is over */
	unsigned held;		  /* sends of corked threads since the last write began */
	bool flush_due;		  /* the flush aio is on its way through nng's queue */
	bool output_broken;	  /* writing failed; the reading side will say why */
	bool greeting;		  /* the channel above waits for the peer's greeting */
	bool heard;		  /* a byte has come */
	bool spoken;		  /* a byte has gone */
	struct wire_buffer out;	  /* being filled */
	struct wire_buffer going; /* being sent */
	uint64_t input_ms;	  /* when a byte last came */
	uint64_t partial_ms;	  /* when the message at the front of `in` was begun; 0: none is */
	uint64_t send_ms;	  /* when the write under way last moved */
	uint64_t deadline_ms;	  /* of connecting, greeting, flushing or lingering; 0: none */
};

/* error.c */
enum wire_error wire_error_of_nng(int rv);
/* Why reading or writing an open stream failed; 0 bytes without an error are its end. */
enum wire_error link_stream_error(int rv);

/* link.c. `lock` held where the name ends in _locked. */
enum wire_error link_new(const struct wire_limits *limits, const char *peer, wire_link **ret)
    __attribute__((warn_unused_result));
void link_free(wire_link *link);
void link_end_locked(wire_link *link, enum wire_error reason, bool flush);
void link_fail_locked(wire_link *link, enum wire_error reason);
void link_close_stream_locked(wire_link *link);
void link_move_locked(wire_link *link, enum link_state state);
void link_flushed_locked(wire_link *link);
void link_run_locked(wire_link *link);
/* Ends the strand that the caller took by setting `strand`, delivering what has become due meanwhile. */
void link_resume_locked(wire_link *link);

/* input.c */
void link_receive_locked(wire_link *link);
void link_take_input_locked(wire_link *link);
void link_on_received(void *arg);

/* output.c */
size_t link_output_locked(const wire_link *link);
void link_send_more_locked(wire_link *link);
/* A cork is over. With `is_crowd` the write may be put off to share it with others: see output.c. */
void link_flush(wire_link *link, bool is_crowd);
void link_on_flush(void *arg);
/* Writes if much has gathered; stays corked. */
void link_relieve(wire_link *link);
void link_on_sent(void *arg);
/* As wire_link_send with `head` in front. */
void link_send_framed(wire_link *link, const struct iovec *head, const struct iovec *parts, size_t count);

/* dial.c */
enum wire_error link_dial(const char *url, const struct wire_limits *limits, wire_tls *tls,
			  const struct wire_link_events *events, void *owner, bool greeting, wire_link **ret)
    __attribute__((warn_unused_result));

/* The channel's handshake: until link_greeted, the link ends with WIRE_TIMED_OUT connect_timeout_ms after it opened. */
void link_expect_greeting(wire_link *link);
void link_greeted(wire_link *link);

/* cork.c. NONE: this thread is not corked, the caller flushes. NEW: the caller counts one more cork on the link, which
 * link_flush takes off. */
enum cork_hold { CORK_NONE, CORK_HELD, CORK_NEW };
enum cork_hold cork_hold(wire_link *link);
/* Around an `input` event of this link: corks, and knows whose event it is. */
void cork_begin(const wire_link *link);
void cork_end(void);
/* At the end of a callback, when this thread is about to look for the next one. */
void cork_rest(void);
/* One of the links that this thread holds has gathered WIRE_CORK_SENDS_MAX sends. */
void cork_note_much(void);

/* check.c. What has become overdue by now; ends the link or asks its owner. Returns ms until the next look. */
uint32_t link_check(wire_link *link);

/* watch.c */
enum wire_error watch_born(void) __attribute__((warn_unused_result));
/* A link is on its way out, and will be freed. */
void watch_ends(void);
void watch_died(bool has_ended);
void watch_add(wire_link *link);
void watch_remove(wire_link *link);
/* Something is due earlier than the link's time-outs made the watch think. */
void watch_soon(wire_link *link);
void watch_bury(wire_link *link);

/* tls.c: the settings to hand to nng for a connection to `host` (a client's) or from anybody (a server's: NULL).
 * Holds a reference for the caller, who drops it by nng_tls_config_free. */
struct nng_tls_config;
enum wire_error wire_tls_config(wire_tls *tls, const char *host, struct nng_tls_config **ret)
    __attribute__((warn_unused_result));

#endif
