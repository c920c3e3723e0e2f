#ifndef LK_TESTS_RPC_CALLER_H
#define LK_TESTS_RPC_CALLER_H

/* A caller: a requester on a real channel, with its replies kept until they are asked for. */

#include "support/frames.h"

struct caller;

/* Connects, and waits until frames can be sent. */
struct caller *caller_open(const char *url);
/* Closes, and waits for the channel's end. Nulls *c. */
void caller_close(struct caller **c);
/* The same, but true when the connection was made at all: for servers that refuse it. */
bool caller_try(const char *url);

/* Sends a frame and frees its bytes. Returns the request id. */
uint32_t caller_send(struct caller *c, struct bytes frame);
/* The reply to it; fails the test when none comes in time. */
Latchkey__V1__ReplyFrame *caller_wait(struct caller *c, uint32_t id);
/* Both. */
Latchkey__V1__ReplyFrame *caller_ask(struct caller *c, struct bytes frame);
void reply_free(Latchkey__V1__ReplyFrame **frame);

/* Replies that have come and were not waited for yet. */
size_t caller_unread(struct caller *c);
/* Waits for the end of the connection from the other side. */
enum wire_error caller_wait_closed(struct caller *c);

#endif
