/* SP request/reply messages over a link.
 *
 * Life. A channel counts references: one is the owner's, one belongs to the link below until the link's `closed` is
 * delivered. The channel holds the link's owner reference and gives it back when it goes itself.
 *
 * Threads. Parsing happens in the link's events, one at a time. Other threads only send and close: `ready` and
 * `closing` are atomic for them. No lock here.
 *
 * Hostile input. A length is believed only when it is within the limit; before that nothing is allocated for it: what
 * has come of a message lies in the link's input buffer, which grows with what has come. */

#include "wire/channel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "wire/listener.h"
#include "wire/private.h"

#define GREETING_BYTES 8
#define LENGTH_BYTES   8
#define WORD_BYTES     4
#define IPC_MESSAGE    0x01
#define HEAD_MAX       (1 + LENGTH_BYTES + WORD_BYTES * WIRE_HOPS_MAX)

static const uint8_t greetings[][GREETING_BYTES] = {
    [WIRE_REQUESTER] = {0, 'S', 'P', 0, 0, 0x30, 0, 0},
    [WIRE_REPLIER] = {0, 'S', 'P', 0, 0, 0x31, 0, 0},
};

struct wire_channel {
	atomic_uint refs;
	wire_link *link;
	const struct wire_channel_events *events;
	void *owner;
	uint32_t message_bytes_max;
	enum wire_role role;
	bool is_ipc;
	bool greeted; /* the peer's greeting has come; only the link's events */
	atomic_bool ready;
	atomic_bool closing;
};

struct wire_channel_listener {
	const struct wire_channel_listener_events *events;
	void *owner;
	wire_listener *listener;
	uint32_t message_bytes_max;
	bool is_ipc;
};

/* The front of a message, as far as it has come. */
struct head {
	uint64_t announced; /* route and body */
	size_t len;	    /* of ipc's byte, length and route */
	struct wire_route route;
};

enum parsed { PARSED_MORE, PARSED_HEAD, PARSED_BAD };

static uint32_t word_at(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t length_at(const uint8_t *p)
{
	return (uint64_t)word_at(p) << 32 | word_at(p + WORD_BYTES);
}

struct wire_route wire_route_of_id(uint32_t id)
{
	struct wire_route route = {.len = WORD_BYTES};

	assert(id & WIRE_ID_BIT);
	for (unsigned i = 0; i < WORD_BYTES; i++)
		route.bytes[i] = (uint8_t)(id >> (24 - 8 * i));
	return route;
}

uint32_t wire_route_id(const struct wire_route *route)
{
	assert(route->len >= WORD_BYTES);
	return word_at(route->bytes + route->len - WORD_BYTES);
}

static enum parsed parse_route(const uint8_t *data, size_t len, struct head *head)
{
	for (unsigned n = 1; n <= WIRE_HOPS_MAX; n++) {
		size_t end = (size_t)n * WORD_BYTES;

		if (head->announced < end)
			return PARSED_BAD;
		if (len < end)
			return PARSED_MORE;
		if (data[end - WORD_BYTES] & 0x80) {
			memcpy(head->route.bytes, data, end);
			head->route.len = (uint8_t)end;
			return PARSED_HEAD;
		}
	}
	return PARSED_BAD;
}

static enum parsed parse_head(const wire_channel *ch, const uint8_t *data, size_t len, struct head *head)
{
	size_t prefix = ch->is_ipc ? 1 : 0;
	enum parsed parsed;

	if (ch->is_ipc && len > 0 && data[0] != IPC_MESSAGE)
		return PARSED_BAD;
	if (len < prefix + LENGTH_BYTES)
		return PARSED_MORE;
	head->announced = length_at(data + prefix);
	head->len = prefix + LENGTH_BYTES;
	parsed = parse_route(data + head->len, len - head->len, head);
	if (parsed == PARSED_HEAD)
		head->len += head->route.len;
	return parsed;
}

static void refuse_large(wire_channel *ch, const struct head *head)
{
	if (ch->events->too_large != NULL)
		ch->events->too_large(ch->owner, ch, &head->route, head->announced - head->route.len);
	wire_channel_close(ch, WIRE_TOO_LARGE, true);
}

/* Bytes of the greeting: all, or 0 when more must come, or negative. */
static ssize_t take_greeting(wire_channel *ch, const uint8_t *data, size_t len)
{
	const uint8_t *expected = greetings[ch->role == WIRE_REPLIER ? WIRE_REQUESTER : WIRE_REPLIER];
	size_t n = len < GREETING_BYTES ? len : GREETING_BYTES;

	if (memcmp(data, expected, n) != 0)
		return -1;
	if (n < GREETING_BYTES)
		return 0;
	ch->greeted = true;
	link_greeted(ch->link);
	atomic_store(&ch->ready, true);
	if (ch->events->ready != NULL)
		ch->events->ready(ch->owner, ch);
	return GREETING_BYTES;
}

/* The whole message at the front of data: its bytes, or 0 when more must come, or negative. */
static ssize_t take_message(wire_channel *ch, const uint8_t *data, size_t len)
{
	struct head head = {0};
	enum parsed parsed = parse_head(ch, data, len, &head);
	size_t body_len;

	if (parsed != PARSED_HEAD)
		return parsed == PARSED_BAD ? -1 : 0;
	if (head.announced - head.route.len > ch->message_bytes_max) {
		refuse_large(ch, &head);
		return (ssize_t)len;
	}
	body_len = (size_t)head.announced - head.route.len;
	if (len - head.len < body_len)
		return 0;
	ch->events->message(ch->owner, ch, &head.route, data + head.len, body_len);
	wire_cork_relieve();
	return (ssize_t)(head.len + body_len);
}

static ssize_t on_input(void *owner, wire_link *link, const uint8_t *data, size_t len)
{
	wire_channel *ch = owner;
	size_t used = 0;
	ssize_t n;

	(void)link;
	while (used < len && !atomic_load_explicit(&ch->closing, memory_order_relaxed)) {
		n = ch->greeted ? take_message(ch, data + used, len - used)
				: take_greeting(ch, data + used, len - used);
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	return (ssize_t)used;
}

static void send_greeting(wire_channel *ch, wire_link *link)
{
	struct iovec part = {.iov_base = NULL, .iov_len = GREETING_BYTES};
	uint8_t bytes[GREETING_BYTES];

	memcpy(bytes, greetings[ch->role], GREETING_BYTES);
	part.iov_base = bytes;
	wire_link_send(link, &part, 1);
}

static void on_opened(void *owner, wire_link *link)
{
	send_greeting(owner, link);
}

static bool on_idle(void *owner, wire_link *link)
{
	wire_channel *ch = owner;

	(void)link;
	return ch->greeted && ch->events->idle != NULL && ch->events->idle(ch->owner, ch);
}

static void on_closed(void *owner, wire_link *link, enum wire_error reason)
{
	wire_channel *ch = owner;

	(void)link;
	atomic_store(&ch->ready, false);
	ch->events->closed(ch->owner, ch, reason);
	wire_channel_release(&ch);
}

static const struct wire_link_events link_events = {
    .opened = on_opened,
    .input = on_input,
    .idle = on_idle,
    .closed = on_closed,
};

static wire_channel *new_channel(enum wire_role role, bool is_ipc, uint32_t message_bytes_max)
{
	wire_channel *ch = calloc(1, sizeof(*ch));

	if (ch == NULL)
		return NULL;
	atomic_init(&ch->refs, 2);
	atomic_init(&ch->ready, false);
	atomic_init(&ch->closing, false);
	ch->role = role;
	ch->is_ipc = is_ipc;
	ch->message_bytes_max = message_bytes_max;
	return ch;
}

/* Room for one message, whole, with its head. */
static struct wire_limits fit_limits(const struct wire_limits *limits, uint32_t message_bytes_max)
{
	struct wire_limits fit = *limits;
	uint32_t need = message_bytes_max < UINT32_MAX - HEAD_MAX ? message_bytes_max + HEAD_MAX : UINT32_MAX;

	if (fit.input_bytes_max < need)
		fit.input_bytes_max = need;
	return fit;
}

enum wire_error wire_channel_dial(const char *url, const struct wire_limits *limits, wire_tls *tls,
				  uint32_t message_bytes_max, const struct wire_channel_events *events, void *owner,
				  wire_channel **ret)
{
	struct wire_limits fit = fit_limits(limits, message_bytes_max);
	wire_channel *before = *ret;
	struct wire_url parsed;
	enum wire_error err;
	wire_channel *ch;

	assert(events != NULL && events->message != NULL && events->closed != NULL);

	err = wire_url_parse(url, false, &parsed);
	if (err != WIRE_OK)
		return err;
	ch = new_channel(WIRE_REQUESTER, parsed.scheme == WIRE_IPC, message_bytes_max);
	if (ch == NULL)
		return WIRE_NO_MEMORY;
	ch->events = events;
	ch->owner = owner;
	/* The first event may come before link_dial returns. */
	*ret = ch;
	err = link_dial(url, &fit, tls, &link_events, ch, true, &ch->link);
	if (err != WIRE_OK) {
		*ret = before;
		free(ch);
	}
	return err;
}

static const struct wire_link_events *on_accepted(void *owner, wire_link *link, void **ret_owner)
{
	wire_channel_listener *l = owner;
	wire_channel *ch = new_channel(WIRE_REPLIER, l->is_ipc, l->message_bytes_max);

	if (ch == NULL)
		return NULL;
	ch->link = link;
	ch->events = l->events->accepted(l->owner, ch, &ch->owner);
	if (ch->events == NULL) {
		free(ch);
		return NULL;
	}
	assert(ch->events->message != NULL && ch->events->closed != NULL);
	link_expect_greeting(link);
	send_greeting(ch, link);
	*ret_owner = ch;
	return &link_events;
}

static const struct wire_listener_events listener_events = {.accepted = on_accepted};

enum wire_error wire_channel_listen(const struct wire_listener_options *options, uint32_t message_bytes_max,
				    const struct wire_channel_listener_events *events, void *owner,
				    wire_channel_listener **ret)
{
	struct wire_listener_options fit = *options;
	struct wire_url url;
	enum wire_error err;
	wire_channel_listener *l;

	assert(events != NULL && events->accepted != NULL);

	err = wire_url_parse(options->url, true, &url);
	if (err != WIRE_OK)
		return err;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return WIRE_NO_MEMORY;
	l->events = events;
	l->owner = owner;
	l->message_bytes_max = message_bytes_max;
	l->is_ipc = url.scheme == WIRE_IPC;
	fit.limits = fit_limits(&options->limits, message_bytes_max);
	err = wire_listener_open(&fit, &listener_events, l, &l->listener);
	if (err != WIRE_OK) {
		free(l);
		return err;
	}
	*ret = l;
	return WIRE_OK;
}

const char *wire_channel_listener_url(const wire_channel_listener *l)
{
	return wire_listener_url(l->listener);
}

enum wire_error wire_channel_listener_renew(wire_channel_listener *l, wire_tls *tls)
{
	return wire_listener_renew(l->listener, tls);
}

void wire_channel_listener_close(wire_channel_listener **held)
{
	wire_channel_listener *l = *held;

	if (l == NULL)
		return;
	wire_listener_close(&l->listener);
	free(l);
	*held = NULL;
}

void wire_channel_send(wire_channel *ch, const struct wire_route *route, const struct iovec *body, size_t count)
{
	uint8_t bytes[HEAD_MAX];
	struct iovec head = {.iov_base = bytes, .iov_len = 0};
	uint64_t length = route->len;

	assert(route->len >= WORD_BYTES && route->len <= sizeof(route->bytes));

	if (!atomic_load(&ch->ready))
		return;
	for (size_t i = 0; i < count; i++)
		length += body[i].iov_len;
	if (ch->is_ipc)
		bytes[head.iov_len++] = IPC_MESSAGE;
	for (unsigned i = 0; i < LENGTH_BYTES; i++)
		bytes[head.iov_len++] = (uint8_t)(length >> (56 - 8 * i));
	memcpy(bytes + head.iov_len, route->bytes, route->len);
	head.iov_len += route->len;
	link_send_framed(ch->link, &head, body, count);
}

void wire_channel_close(wire_channel *ch, enum wire_error reason, bool flush)
{
	atomic_store(&ch->closing, true);
	wire_link_close(ch->link, reason, flush);
}

wire_link *wire_channel_link(wire_channel *ch)
{
	return ch->link;
}

void wire_channel_retain(wire_channel *ch)
{
	unsigned before = atomic_fetch_add_explicit(&ch->refs, 1, memory_order_relaxed);

	assert(before > 0);
	(void)before;
}

void wire_channel_release(wire_channel **held)
{
	wire_channel *ch = *held;

	if (ch == NULL)
		return;
	*held = NULL;
	if (atomic_fetch_sub_explicit(&ch->refs, 1, memory_order_acq_rel) != 1)
		return;
	wire_link_release(&ch->link);
	free(ch);
}
