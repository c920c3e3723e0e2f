#ifndef LK_SUPPORT_RELAY_H
#define LK_SUPPORT_RELAY_H

#include <stdint.h>

/* A TCP relay on loopback, in a thread of the test, that misbehaves as told: slow, stuck, cut and half-open links to a
 * server that is in perfect health. All functions may be called from any thread; a setting holds for every connection,
 * old and new, when the call returns. */

enum relay_mode {
	RELAY_FORWARD,
	RELAY_STALL,	 /* takes connections, reads nothing: the senders' windows fill. Nothing is lost */
	RELAY_HALF_OPEN, /* takes connections and all bytes, passes on neither bytes nor ends, as a dead route would. The
			  * connections touched by it stay so in other modes: they have lost bytes */
	RELAY_CUT,	 /* resets all connections, refuses new ones */
};

struct relay_counts {
	uint64_t accepted;
	uint64_t open;	      /* now */
	uint64_t bytes_up;    /* passed on to the target */
	uint64_t bytes_down;  /* passed back */
	uint64_t bytes_lost;  /* swallowed by RELAY_HALF_OPEN */
	uint64_t unconnected; /* reset because the target refused */
};

struct relay;

/* target_port: on 127.0.0.1; need not listen yet. */
struct relay *relay_open(uint16_t target_port);

/* Resets what is open. Nulls *r; accepts NULL in it. */
void relay_close(struct relay **r);

uint16_t relay_port(const struct relay *r);
void relay_set_mode(struct relay *r, enum relay_mode mode);

/* What arrives from now on is passed on so much later; up: towards the target. Order is kept. */
void relay_set_delay(struct relay *r, uint32_t up_ms, uint32_t down_ms);

/* Each connection, each direction; 0: no limit. */
void relay_set_rate(struct relay *r, uint32_t bytes_per_second);

/* Of new connections. */
void relay_set_target(struct relay *r, uint16_t target_port);

/* Resets the connections there are, once; new ones are taken as the mode says. */
void relay_reset(struct relay *r);

void relay_get_counts(struct relay *r, struct relay_counts *ret);

#endif
