/* A greeted connection for a few commands.
 *
 *   DEAD -> CONNECTING -> GREETING -> OPEN -> DRAINING -> DEAD
 *
 * with a step to DEAD from everywhere: the link's `closed` event. DRAINING means that this side has asked the link to
 * close and takes no more notice of what it brings. From DEAD the tick dials again, after a pause (redis/backoff.h),
 * which grows until the owner has understood a reply: a peer that greets and then refuses all is no better than one
 * that is not there.
 *
 * Threads. Link events (opened, input, idle, closed) never overlap; the tick is one more thread; commands come from any.
 * `lock` guards what they share; it is never held when an event of the owner or wire_link_close is called. Reader,
 * greeting and `why` belong to the link's events, and to the tick while there is no link.
 *
 * Life. After `closed` has told the owner, and only then, `is_settled`: the tick may dial again, or the memory may go. */

#include "redis/dialog.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "redis/backoff.h"
#include "redis/reason.h"
#include "redis/resp.h"
#include "wire/link.h"
#include "wire/ticker.h"

/* All input is consumed at once; this only has to hold one read. */
#define INPUT_BYTES_MAX 1048576U
/* A handful of short commands. */
#define OUTPUT_BYTES_MAX 65536U

enum dialog_state { STATE_DEAD, STATE_CONNECTING, STATE_GREETING, STATE_OPEN, STATE_DRAINING, STATES };

struct dialog {
	struct dialog_options options; /* its text is this dialog's own */
	char *url;
	char *user;
	char *password;
	resp_reader *reader;
	struct greeting_result greeted;
	struct greeting_scratch scratch;
	enum greeting_step step;       /* whose answer comes next */
	char why[GREETING_TEXT_BYTES]; /* empty: the link knows */

	pthread_mutex_t lock;
	pthread_cond_t settled;
	enum dialog_state state;
	bool is_closing; /* for good */
	bool is_settled;
	bool is_opened; /* since it was dialed; the same: */
	bool is_greeted;
	wire_link *link;   /* from dialing to `closed` */
	uint32_t attempts; /* since something was understood */
	uint32_t awaited;  /* answers */
	uint64_t heard_ms; /* when the last of them came, or the first began to be awaited */
	uint64_t retry_ms; /* when to dial again */
};

/* The one place that changes the state. */
static void move(dialog *d, enum dialog_state to)
{
	static const uint8_t from[STATES] = {
	    [STATE_DEAD] = 1U << STATE_CONNECTING | 1U << STATE_GREETING | 1U << STATE_OPEN | 1U << STATE_DRAINING,
	    [STATE_CONNECTING] = 1U << STATE_DEAD,
	    [STATE_GREETING] = 1U << STATE_CONNECTING,
	    [STATE_OPEN] = 1U << STATE_GREETING,
	    [STATE_DRAINING] = 1U << STATE_CONNECTING | 1U << STATE_GREETING | 1U << STATE_OPEN,
	};

	assert((from[to] & 1U << d->state) != 0);
	d->state = to;
}

/* Asks the link to end. */
static void drop(dialog *d, enum wire_error reason)
{
	wire_link *link = NULL;

	pthread_mutex_lock(&d->lock);
	if (d->state == STATE_CONNECTING || d->state == STATE_GREETING || d->state == STATE_OPEN) {
		move(d, STATE_DRAINING);
		link = d->link;
		wire_link_retain(link);
	}
	pthread_mutex_unlock(&d->lock);
	if (link == NULL)
		return;
	wire_link_close(link, reason, false);
	wire_link_release(&link);
}

static void send_locked(dialog *d, const struct store_command *command, uint32_t answers)
{
	struct resp_request request;

	if (d->awaited == 0)
		d->heard_ms = wire_now_ms();
	d->awaited += answers;
	resp_encode(command, RESP_BY_HASH, &request);
	wire_link_send(d->link, request.parts, request.count);
}

bool dialog_send(dialog *d, const struct store_command *command, uint32_t answers)
{
	bool is_open;

	pthread_mutex_lock(&d->lock);
	is_open = d->state == STATE_OPEN;
	if (is_open)
		send_locked(d, command, answers);
	pthread_mutex_unlock(&d->lock);
	return is_open;
}

/* The first step from `step` on that these settings need; GREETING_STEPS: none. */
static enum greeting_step next_step(dialog *d, enum greeting_step step, struct store_command *ret)
{
	while (step < GREETING_STEPS && !greeting_command(step, &d->options.greeting, &d->scratch, ret))
		step++;
	return step;
}

static void on_opened(void *owner, wire_link *link)
{
	dialog *d = owner;
	struct store_command command;

	(void)link;
	d->step = next_step(d, 0, &command);
	pthread_mutex_lock(&d->lock);
	d->is_opened = true;
	if (d->state == STATE_CONNECTING) {
		move(d, STATE_GREETING);
		for (enum greeting_step step = d->step; step < GREETING_STEPS; step = next_step(d, step + 1, &command))
			send_locked(d, &command, 1);
	}
	pthread_mutex_unlock(&d->lock);
}

/* False: nothing is awaited. */
static bool count_answer(dialog *d)
{
	bool was_awaited;

	pthread_mutex_lock(&d->lock);
	was_awaited = d->awaited > 0;
	if (was_awaited)
		d->awaited--;
	d->heard_ms = wire_now_ms();
	pthread_mutex_unlock(&d->lock);
	return was_awaited;
}

static void greet(dialog *d, const struct store_reply *reply)
{
	struct store_command unused;
	bool is_open;

	(void)count_answer(d);
	if (!greeting_answer(d->step, reply, &d->greeted)) {
		memcpy(d->why, d->greeted.refusal, sizeof(d->why));
		drop(d, WIRE_CLOSED);
		return;
	}
	d->step = next_step(d, d->step + 1, &unused);
	if (d->step < GREETING_STEPS)
		return;
	pthread_mutex_lock(&d->lock);
	is_open = d->state == STATE_GREETING;
	d->is_greeted = true;
	if (is_open)
		move(d, STATE_OPEN);
	pthread_mutex_unlock(&d->lock);
	if (is_open)
		d->options.events->opened(d->options.owner, d->greeted.info.version);
}

static void note_refusal(dialog *d, const struct store_reply *reply)
{
	if (reply->type == STORE_ERROR)
		info_copy_printable(d->why, sizeof(d->why), reply->string);
	else
		(void)snprintf(d->why, sizeof(d->why), "an answer that is not to be understood");
}

static void hand_over(dialog *d, const struct store_reply *reply)
{
	enum dialog_reading reading = d->options.events->reply(d->options.owner, reply);

	if (reading == DIALOG_BROKEN || (reading == DIALOG_ANSWER && !count_answer(d))) {
		note_refusal(d, reply);
		drop(d, WIRE_CLOSED);
		return;
	}
	pthread_mutex_lock(&d->lock);
	d->attempts = 0;
	pthread_mutex_unlock(&d->lock);
}

static bool on_reply(void *owner, const struct store_reply *reply)
{
	dialog *d = owner;
	enum dialog_state state;

	pthread_mutex_lock(&d->lock);
	state = d->state;
	pthread_mutex_unlock(&d->lock);
	if (state == STATE_GREETING)
		greet(d, reply);
	else if (state == STATE_OPEN)
		hand_over(d, reply);
	return state == STATE_GREETING || state == STATE_OPEN;
}

static ssize_t on_input(void *owner, wire_link *link, const uint8_t *data, size_t len)
{
	dialog *d = owner;

	(void)link;
	if (resp_reader_input(d->reader, span_of(data, len), on_reply, d))
		return (ssize_t)len;
	return -1;
}

static bool on_idle(void *owner, wire_link *link)
{
	dialog *d = owner;
	bool is_open;

	(void)link;
	pthread_mutex_lock(&d->lock);
	is_open = d->state == STATE_OPEN;
	pthread_mutex_unlock(&d->lock);
	if (is_open && d->options.events->idle != NULL)
		d->options.events->idle(d->options.owner);
	return true;
}

static void settle(dialog *d)
{
	pthread_mutex_lock(&d->lock);
	d->is_settled = true;
	pthread_cond_broadcast(&d->settled);
	pthread_mutex_unlock(&d->lock);
}

/* Only the peer's own words say more than the link. */
static struct reason reason_of_locked(const dialog *d, enum wire_error error)
{
	const enum reason_stage stage = d->is_greeted  ? REASON_SERVING
					: d->is_opened ? REASON_GREETING
						       : REASON_CONNECTING;

	if (d->why[0] != '\0')
		return (struct reason){d->why, reason_remedy(d->why)};
	return reason_of_end(error, d->options.tls != NULL, stage);
}

static void on_closed(void *owner, wire_link *link, enum wire_error reason)
{
	dialog *d = owner;
	struct reason why;
	uint32_t attempts;
	bool is_closing;

	(void)link;
	pthread_mutex_lock(&d->lock);
	why = reason_of_locked(d, reason);
	move(d, STATE_DEAD);
	d->awaited = 0;
	attempts = d->attempts;
	is_closing = d->is_closing;
	link = d->link;
	d->link = NULL;
	d->retry_ms = wire_now_ms() + backoff_ms(attempts);
	pthread_mutex_unlock(&d->lock);

	wire_link_release(&link);
	if (!is_closing)
		d->options.events->closed(d->options.owner, why.error, why.remedy, attempts);
	settle(d);
}

static const struct wire_link_events link_events = {
    .opened = on_opened,
    .input = on_input,
    .idle = on_idle,
    .closed = on_closed,
};

/* With the lock held, so that no event finds the link's address missing. True: `closed` will come. */
static bool dial_locked(dialog *d, uint64_t now_ms)
{
	const struct wire_limits limits = {
	    .connect_timeout_ms = d->options.connect_timeout_ms,
	    .idle_timeout_ms = d->options.idle_ms,
	    .stall_timeout_ms = d->options.answer_timeout_ms,
	    .input_bytes_max = INPUT_BYTES_MAX,
	    .output_bytes_max = OUTPUT_BYTES_MAX,
	};
	resp_reader *fresh = resp_reader_new();

	d->attempts++;
	d->retry_ms = now_ms + backoff_ms(d->attempts);
	if (fresh == NULL)
		return false;
	resp_reader_free(&d->reader);
	d->reader = fresh;
	d->greeted = (struct greeting_result){0};
	d->why[0] = '\0';
	d->is_opened = false;
	d->is_greeted = false;
	move(d, STATE_CONNECTING);
	d->is_settled = false;
	if (wire_dial(d->url, &limits, d->options.tls, &link_events, d, &d->link) == WIRE_OK)
		return true;
	move(d, STATE_DEAD);
	d->is_settled = true;
	return false;
}

static bool is_overdue(const dialog *d, uint64_t now_ms)
{
	if (d->awaited == 0)
		return false;
	if (d->state == STATE_GREETING)
		return now_ms >= d->heard_ms + d->options.connect_timeout_ms;
	return d->state == STATE_OPEN && now_ms >= d->heard_ms + d->options.answer_timeout_ms;
}

void dialog_tick(dialog *d, uint64_t now_ms)
{
	bool failed = false;
	bool overdue;
	uint32_t attempts;

	pthread_mutex_lock(&d->lock);
	overdue = is_overdue(d, now_ms);
	if (d->state == STATE_DEAD && d->is_settled && !d->is_closing && now_ms >= d->retry_ms)
		failed = !dial_locked(d, now_ms);
	attempts = d->attempts;
	pthread_mutex_unlock(&d->lock);
	if (overdue)
		drop(d, WIRE_TIMED_OUT);
	if (failed)
		d->options.events->closed(d->options.owner, "cannot be dialed: out of memory, or no address", NULL,
					  attempts);
}

static bool copy(const char *text, char **ret)
{
	if (text == NULL)
		return true;
	*ret = strdup(text);
	return *ret != NULL;
}

dialog *dialog_new(const struct dialog_options *options)
{
	dialog *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->settled, NULL);
	d->is_settled = true;
	d->options = *options;
	if (!copy(options->url, &d->url) || !copy(options->greeting.user, &d->user) ||
	    !copy(options->greeting.password, &d->password)) {
		dialog_free(&d);
		return NULL;
	}
	d->options.url = d->url;
	d->options.greeting.user = d->user;
	d->options.greeting.password = d->password;
	return d;
}

void dialog_end(dialog *d)
{
	pthread_mutex_lock(&d->lock);
	d->is_closing = true;
	pthread_mutex_unlock(&d->lock);
	drop(d, WIRE_CLOSED);
}

bool dialog_has_ended(dialog *d)
{
	bool has_ended;

	pthread_mutex_lock(&d->lock);
	has_ended = d->is_closing && d->is_settled;
	pthread_mutex_unlock(&d->lock);
	return has_ended;
}

void dialog_free(dialog **d)
{
	dialog *old = *d;

	if (old == NULL)
		return;
	dialog_end(old);
	pthread_mutex_lock(&old->lock);
	while (!old->is_settled)
		pthread_cond_wait(&old->settled, &old->lock);
	pthread_mutex_unlock(&old->lock);
	/* Not before: the owner's last event may still look at it. */
	*d = NULL;
	resp_reader_free(&old->reader);
	if (old->password != NULL)
		explicit_bzero(old->password, strlen(old->password));
	free(old->password);
	free(old->user);
	free(old->url);
	pthread_mutex_destroy(&old->lock);
	pthread_cond_destroy(&old->settled);
	free(old);
}
