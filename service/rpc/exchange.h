#ifndef LK_RPC_EXCHANGE_H
#define LK_RPC_EXCHANGE_H

/* One frame, from its arrival until the store is done with its last command. */

#include "base/arena.h"
#include "base/status.h"
#include "wire/channel.h"

struct connection;
struct exchange;
struct sleeper;

/* Intrusive list, in the connection's hands, under its lock. */
struct exchange_link {
	struct exchange *next;
	struct exchange *previous;
};

/* Decodes the frame and carries it out. An error: the frame was refused as a whole and nothing is left of it. Otherwise
 * the connection hears of the exchange by connection_begin and connection_answer; both may come before this returns. */
enum status_code exchange_start(struct connection *c, const struct wire_route *route, span frame,
				struct status *st) MUST_CHECK;

/* Why calls are answered before the store has done so. */
struct exchange_cutoff {
	uint64_t now_ms;  /* monotonic: calls with a deadline at or before it are answered */
	bool is_stopping; /* UNAVAILABLE, because the server stops; otherwise DEADLINE_EXCEEDED */
	bool is_parked_only;
};

/* Parked calls are answered OK: when they are due by now_ms, or there is something to tell them. Returns the other calls
 * that it answered. */
size_t exchange_cut_off(struct exchange *x, const struct exchange_cutoff *cutoff);

/* A task that paused goes on, if its call is not answered yet. */
void exchange_wake(struct sleeper *sleeper);

/* Has parked calls. */
bool exchange_is_parked(const struct exchange *x);

/* The earliest deadline of the calls not answered. */
uint64_t exchange_due(const struct exchange *x);
const struct wire_route *exchange_route(const struct exchange *x);
struct exchange_link *exchange_link_of(struct exchange *x);

void exchange_retain(struct exchange *x);
void exchange_release(struct exchange **x);

#endif
