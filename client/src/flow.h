#ifndef LK_CLIENT_FLOW_H
#define LK_CLIENT_FLOW_H

/* The way of a call through a client: see flow.c. Nothing is locked when these are called. */

#include "call.h"
#include "client.h"

/* A prepared call. An error: it was not taken. */
enum lk_err flow_submit(lk_call *call) __attribute__((warn_unused_result));

/* What endpoints report. */
void flow_ready(struct endpoint *endpoint, wire_channel *channel);
void flow_reply(struct endpoint *endpoint, uint32_t id, const uint8_t *body, size_t len);
void flow_lost(struct endpoint *endpoint, enum wire_error reason);

/* Each tick: deadlines, retries, cancellations, redials. */
void flow_tick(lk_client *client);

#endif
