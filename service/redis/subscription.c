/* A subscriber on a dialog.
 *
 *   DEAF -> ASKING -> LIVE
 *
 * with a step back to DEAF from both when the connection ends. ASKING: SUBSCRIBE is sent, and not confirmed for every
 * channel.
 *
 * Threads. All of a dialog's events are serial, so the state and the count of confirmations are theirs; `lock` only lets
 * others see whether it is LIVE. It is never held when the owner is called. */

#include "redis/subscription.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "redis/dialog.h"

/* Nothing tells a silent channel from a dead connection but asking. */
#define PING_AFTER_MS 1000U

enum subscription_state { STATE_DEAF, STATE_ASKING, STATE_LIVE, STATES };

struct subscription {
	struct subscription_options options; /* of its text only `channels` is kept */
	char *channels[SUBSCRIPTION_CHANNELS_MAX];
	size_t channel_count;
	size_t confirmed;
	dialog *dialog;

	pthread_mutex_t lock;
	enum subscription_state state;
	bool is_ending;
};

/* The one place that changes the state. Returns what it was. */
static enum subscription_state move(subscription *s, enum subscription_state to)
{
	static const uint8_t from[STATES] = {
	    [STATE_DEAF] = 1U << STATE_DEAF | 1U << STATE_ASKING | 1U << STATE_LIVE,
	    [STATE_ASKING] = 1U << STATE_DEAF,
	    [STATE_LIVE] = 1U << STATE_ASKING,
	};
	enum subscription_state old;

	pthread_mutex_lock(&s->lock);
	old = s->state;
	assert((from[to] & 1U << old) != 0);
	s->state = to;
	pthread_mutex_unlock(&s->lock);
	return old;
}

static void on_opened(void *owner, const char *version)
{
	subscription *s = owner;
	struct store_command command = {.script = STORE_NO_SCRIPT, .argc = 1, .argv[0] = SPAN_LIT("SUBSCRIBE")};

	(void)version;
	for (size_t i = 0; i < s->channel_count; i++)
		command.argv[command.argc++] = span_str(s->channels[i]);
	s->confirmed = 0;
	(void)move(s, STATE_ASKING);
	/* When it is not open any more, `closed` is on its way. */
	dialog_send(s->dialog, &command, (uint32_t)s->channel_count);
}

static enum dialog_reading confirm(subscription *s)
{
	/* Redis confirms each channel once: another is not an answer to anything here. */
	if (s->confirmed == s->channel_count)
		return DIALOG_BROKEN;
	if (++s->confirmed == s->channel_count) {
		(void)move(s, STATE_LIVE);
		s->options.began(s->options.owner);
	}
	return DIALOG_ANSWER;
}

static bool is_word(const struct store_reply *r, span word)
{
	return r->type == STORE_STRING && span_eq(r->string, word);
}

static enum dialog_reading on_reply(void *owner, const struct store_reply *reply)
{
	subscription *s = owner;

	if (reply->type != STORE_ARRAY || reply->count < 2)
		return DIALOG_BROKEN;
	if (is_word(reply->elements[0], SPAN_LIT("subscribe")))
		return confirm(s);
	if (is_word(reply->elements[0], SPAN_LIT("pong")))
		return DIALOG_ANSWER;
	if (!is_word(reply->elements[0], SPAN_LIT("message")) || reply->count != 3 ||
	    reply->elements[1]->type != STORE_STRING || reply->elements[2]->type != STORE_STRING)
		return DIALOG_BROKEN;
	s->options.message(s->options.owner, reply->elements[1]->string, reply->elements[2]->string);
	return DIALOG_PUSH;
}

static void on_idle(void *owner)
{
	subscription *s = owner;
	const struct store_command ping = {.script = STORE_NO_SCRIPT, .argc = 1, .argv[0] = SPAN_LIT("PING")};

	/* Before all is confirmed something is awaited anyway; PING would be answered in another form there. */
	if (subscription_is_live(s))
		dialog_send(s->dialog, &ping, 1);
}

static void on_closed(void *owner, const char *why, const char *remedy, uint32_t attempts)
{
	subscription *s = owner;

	(void)attempts;
	(void)move(s, STATE_DEAF);
	s->options.ended(s->options.owner, why, remedy);
}

static const struct dialog_events dialog_events = {
    .opened = on_opened,
    .reply = on_reply,
    .idle = on_idle,
    .closed = on_closed,
};

static bool copy_channels(subscription *s)
{
	for (size_t i = 0; i < SUBSCRIPTION_CHANNELS_MAX && s->options.channels[i] != NULL; i++) {
		s->channels[i] = strdup(s->options.channels[i]);
		if (s->channels[i] == NULL)
			return false;
		s->channel_count++;
	}
	assert(s->channel_count > 0);
	return true;
}

subscription *subscription_new(const struct subscription_options *options)
{
	subscription *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	pthread_mutex_init(&s->lock, NULL);
	s->options = *options;
	s->dialog = dialog_new(&(struct dialog_options){
	    .url = options->url,
	    .tls = options->tls,
	    .greeting = options->greeting,
	    .connect_timeout_ms = options->connect_timeout_ms,
	    .answer_timeout_ms = options->connect_timeout_ms,
	    .idle_ms = PING_AFTER_MS,
	    .events = &dialog_events,
	    .owner = s,
	});
	if (s->dialog == NULL || !copy_channels(s))
		subscription_free(&s);
	return s;
}

void subscription_tick(subscription *s, uint64_t now_ms)
{
	dialog_tick(s->dialog, now_ms);
}

bool subscription_is_live(subscription *s)
{
	bool is_live;

	pthread_mutex_lock(&s->lock);
	is_live = s->state == STATE_LIVE && !s->is_ending;
	pthread_mutex_unlock(&s->lock);
	return is_live;
}

void subscription_end(subscription *s)
{
	pthread_mutex_lock(&s->lock);
	s->is_ending = true;
	pthread_mutex_unlock(&s->lock);
	dialog_end(s->dialog);
}

bool subscription_has_ended(subscription *s)
{
	return dialog_has_ended(s->dialog);
}

void subscription_free(subscription **s)
{
	subscription *old = *s;

	if (old == NULL)
		return;
	*s = NULL;
	dialog_free(&old->dialog);
	for (size_t i = 0; i < old->channel_count; i++)
		free(old->channels[i]);
	pthread_mutex_destroy(&old->lock);
	free(old);
}
