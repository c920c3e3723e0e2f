#include "support/caller.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "rpc/server.h"
#include "support/check.h"

struct received {
	struct received *next;
	uint32_t id;
	struct bytes frame;
};

struct caller {
	wire_channel *channel;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_ready;
	bool is_closed;
	enum wire_error reason;
	uint32_t last_id;
	struct received *received;
};

static void on_ready(void *owner, wire_channel *ch)
{
	struct caller *c = owner;

	(void)ch;
	(void)pthread_mutex_lock(&c->lock);
	c->is_ready = true;
	(void)pthread_cond_broadcast(&c->changed);
	(void)pthread_mutex_unlock(&c->lock);
}

static void on_message(void *owner, wire_channel *ch, const struct wire_route *route, const uint8_t *body, size_t len)
{
	struct caller *c = owner;
	struct received *r = calloc(1, sizeof(*r));

	(void)ch;
	check(r != NULL);
	r->id = wire_route_id(route);
	r->frame = bytes_of(body, len);
	(void)pthread_mutex_lock(&c->lock);
	r->next = c->received;
	c->received = r;
	(void)pthread_cond_broadcast(&c->changed);
	(void)pthread_mutex_unlock(&c->lock);
}

static void on_closed(void *owner, wire_channel *ch, enum wire_error reason)
{
	struct caller *c = owner;

	(void)ch;
	(void)pthread_mutex_lock(&c->lock);
	c->is_closed = true;
	c->reason = reason;
	(void)pthread_cond_broadcast(&c->changed);
	(void)pthread_mutex_unlock(&c->lock);
}

static const struct wire_channel_events events = {.ready = on_ready, .message = on_message, .closed = on_closed};

static const struct wire_limits limits = {
    .connect_timeout_ms = CHECK_PATIENCE_S * 1000,
    .idle_timeout_ms = CHECK_PATIENCE_S * 1000,
    .stall_timeout_ms = CHECK_PATIENCE_S * 1000,
    .input_bytes_max = 65536,
    .output_bytes_max = 4 << 20,
};

/* With the lock held: waits until *flag or, which is never expected, for too long. */
static void wait_for(struct caller *c, bool (*is_so)(struct caller *c, uint32_t id), uint32_t id)
{
	struct timespec until;
	int err = 0;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += CHECK_PATIENCE_S;
	while (!is_so(c, id) && err != ETIMEDOUT)
		err = pthread_cond_timedwait(&c->changed, &c->lock, &until);
	check(is_so(c, id));
}

static bool is_settled(struct caller *c, uint32_t id)
{
	(void)id;
	return c->is_ready || c->is_closed;
}

static bool is_over(struct caller *c, uint32_t id)
{
	(void)id;
	return c->is_closed;
}

static struct received **find(struct caller *c, uint32_t id)
{
	struct received **r = &c->received;

	while (*r != NULL && (*r)->id != id)
		r = &(*r)->next;
	return r;
}

static bool has_reply(struct caller *c, uint32_t id)
{
	return *find(c, id) != NULL;
}

static struct caller *start(const char *url)
{
	struct caller *c = calloc(1, sizeof(*c));

	check(c != NULL);
	check(pthread_mutex_init(&c->lock, NULL) == 0 && pthread_cond_init(&c->changed, NULL) == 0);
	c->last_id = WIRE_ID_BIT;
	check(wire_channel_dial(url, &limits, NULL, RPC_REPLY_BYTES_MAX, &events, c, &c->channel) == WIRE_OK);
	(void)pthread_mutex_lock(&c->lock);
	wait_for(c, is_settled, 0);
	(void)pthread_mutex_unlock(&c->lock);
	return c;
}

struct caller *caller_open(const char *url)
{
	struct caller *c = start(url);

	check(c->is_ready);
	return c;
}

bool caller_try(const char *url)
{
	struct caller *c = start(url);
	bool was_ready;

	(void)pthread_mutex_lock(&c->lock);
	was_ready = c->is_ready;
	(void)pthread_mutex_unlock(&c->lock);
	caller_close(&c);
	return was_ready;
}

void caller_close(struct caller **c)
{
	struct caller *old = *c;

	*c = NULL;
	wire_channel_close(old->channel, WIRE_CLOSED, true);
	(void)caller_wait_closed(old);
	wire_channel_release(&old->channel);
	while (old->received != NULL) {
		struct received *r = old->received;

		old->received = r->next;
		bytes_free(&r->frame);
		free(r);
	}
	(void)pthread_cond_destroy(&old->changed);
	(void)pthread_mutex_destroy(&old->lock);
	free(old);
}

uint32_t caller_send(struct caller *c, struct bytes frame)
{
	const uint32_t id = ++c->last_id;
	const struct wire_route route = wire_route_of_id(id);
	const struct iovec part = {.iov_base = frame.data, .iov_len = frame.len};

	wire_channel_send(c->channel, &route, &part, 1);
	bytes_free(&frame);
	return id;
}

Latchkey__V1__ReplyFrame *caller_wait(struct caller *c, uint32_t id)
{
	Latchkey__V1__ReplyFrame *frame;
	struct received **at;
	struct received *r;

	(void)pthread_mutex_lock(&c->lock);
	wait_for(c, has_reply, id);
	at = find(c, id);
	r = *at;
	*at = r->next;
	(void)pthread_mutex_unlock(&c->lock);
	frame = latchkey__v1__reply_frame__unpack(NULL, r->frame.len, r->frame.data);
	check(frame != NULL && frame->protocol == RPC_PROTOCOL);
	bytes_free(&r->frame);
	free(r);
	return frame;
}

Latchkey__V1__ReplyFrame *caller_ask(struct caller *c, struct bytes frame)
{
	return caller_wait(c, caller_send(c, frame));
}

void reply_free(Latchkey__V1__ReplyFrame **frame)
{
	latchkey__v1__reply_frame__free_unpacked(*frame, NULL);
	*frame = NULL;
}

size_t caller_unread(struct caller *c)
{
	size_t count = 0;

	(void)pthread_mutex_lock(&c->lock);
	for (const struct received *r = c->received; r != NULL; r = r->next)
		count++;
	(void)pthread_mutex_unlock(&c->lock);
	return count;
}

enum wire_error caller_wait_closed(struct caller *c)
{
	enum wire_error reason;

	(void)pthread_mutex_lock(&c->lock);
	wait_for(c, is_over, 0);
	reason = c->reason;
	(void)pthread_mutex_unlock(&c->lock);
	return reason;
}
