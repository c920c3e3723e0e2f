#ifndef LK_RPC_CONNECTION_H
#define LK_RPC_CONNECTION_H

/* One caller: its channel, and the exchanges that it waits for. */

#include "rpc/core.h"
#include "rpc/exchange.h"
#include "wire/channel.h"

struct connection;

/* For a listener's `accepted`: takes the channel's reference, or returns NULL (too many connections, no memory) and
 * leaves it. */
const struct wire_channel_events *connection_accept(struct core *core, wire_channel *ch, void **ret_owner);

void connection_retain(struct connection *c);
void connection_release(struct connection **c);

struct core *connection_core(struct connection *c);

/* An exchange under way, from here to connection_answer. */
void connection_begin(struct connection *c, struct exchange *x);
/* Sends the reply, if anybody is there, and lets go of the exchange. An empty body: there was no memory for one, and the
 * connection is closed, so that the caller learns that the outcome is unknown. */
void connection_answer(struct connection *c, struct exchange *x, span body);
/* Whether the caller is to be told to move on, with the reply to a frame that arrived then: the server drains, or
 * the connection is old. */
bool connection_sends_away(struct connection *c, uint64_t arrived_ms);
/* The exchange's memory goes: another frame may come in its place. */
void connection_unhold(struct connection *c);

/* A frame has come with a credential that nobody has. Whoever goes on like that loses the connection. */
void connection_note_stranger(struct connection *c);

/* Answers what has run out of time by cutoff->now_ms. Returns the calls that it answered. */
size_t connection_sweep(struct connection *c, const struct exchange_cutoff *cutoff);

void connection_close(struct connection *c);
/* Nobody is there any more who could hear an answer. */
bool connection_is_closed(struct connection *c);

#endif
