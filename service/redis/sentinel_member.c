/* A Sentinel: asked over a dialog, heard over a subscription.
 *
 *   a poll, once a second: who is the primary? --- answer ---> report
 *   +switch-master ------------------------------------------> report, and a poll at once
 *
 * Threads and locks are as redis/sentinel.c says. Questions are sent by the tick; the answers of a connection come in
 * their order, one at a time. */

#include "redis/sentinel_member.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/ticker.h"

#define POLL_MS	       1000U
#define POLL_URGENT_MS 100U
/* Sentinels and replicas change seldom: they are asked for at each so many polls. */
#define POLLS_A_LIST 10U
/* Never reached: there is a poll a second. */
#define IDLE_MS 60000U

void member_tell(const struct member *m, struct redis_event event)
{
	const struct redis_events *events = &m->owner->options.events;

	event.node = m->text;
	if (events->report != NULL)
		events->report(events->owner, &event);
}

static void tell_problem(const struct member *m, const char *name, const char *error, const char *text,
			 uint32_t attempt)
{
	member_tell(m, (struct redis_event){
			   .kind = REDIS_EVENT_PROBLEM,
			   .name = name,
			   .error = error,
			   .text = text,
			   .attempt = attempt,
		       });
}

static void report(const struct member *m, enum sentinel_opinion opinion, const struct address *primary, bool is_event)
{
	const struct sentinel_options *o = &m->owner->options;
	struct sentinel_report r = {.from = &m->address, .opinion = opinion, .is_event = is_event};

	if (primary != NULL)
		r.primary = *primary;
	o->report(o->owner, &r);
}

static uint32_t with_jitter(uint32_t ms)
{
	return ms * 3 / 4 + arc4random_uniform(ms / 2 + 1);
}

/* With the lock held. */
static void ask_locked(struct member *m, enum question question)
{
	static const char *const words[] = {
	    [ASK_PRIMARY] = "GET-MASTER-ADDR-BY-NAME",
	    [ASK_ID] = "MYID",
	    [ASK_PEERS] = "SENTINELS",
	    [ASK_REPLICAS] = "REPLICAS",
	};
	struct store_command c = {
	    .script = STORE_NO_SCRIPT,
	    .argc = question == ASK_ID ? 2 : 3,
	    .argv = {SPAN_LIT("SENTINEL"), span_str(words[question]), span_str(m->owner->name)},
	};

	assert(m->question_count < QUESTIONS_MAX);
	if (dialog_send(m->asked, &c, 1))
		m->questions[m->question_count++] = question;
}

static void ask_all_locked(struct member *m)
{
	ask_locked(m, ASK_PRIMARY);
	if (!m->is_identified)
		ask_locked(m, ASK_ID);
	if (m->polls++ % POLLS_A_LIST == 0 || m->wants_lists) {
		ask_locked(m, ASK_PEERS);
		ask_locked(m, ASK_REPLICAS);
		m->wants_lists = false;
	}
}

/* With the lock held. While answers are due the next questions wait for them. */
static bool is_due_locked(const struct member *m, uint64_t now_ms, bool is_urgent)
{
	return now_ms >= (is_urgent ? m->soon_ms : m->next_ms) && (!m->is_connected || m->question_count == 0);
}

static void poll_member(struct member *m, uint64_t now_ms, bool is_urgent)
{
	bool is_silent = false;

	pthread_mutex_lock(&m->owner->lock);
	if (is_due_locked(m, now_ms, is_urgent)) {
		m->next_ms = now_ms + with_jitter(POLL_MS);
		m->soon_ms = now_ms + with_jitter(POLL_URGENT_MS);
		is_silent = m->has_failed;
		if (m->is_connected)
			ask_all_locked(m);
	}
	pthread_mutex_unlock(&m->owner->lock);
	if (is_silent)
		report(m, SENTINEL_SILENT, NULL, false);
}

/* At the next tick. */
static void ask_soon_locked(struct member *m, bool wants_lists)
{
	m->next_ms = 0;
	m->soon_ms = 0;
	m->wants_lists = m->wants_lists || wants_lists;
}

static void on_opened(void *owner, const char *version)
{
	struct member *m = owner;

	(void)version;
	pthread_mutex_lock(&m->owner->lock);
	m->is_connected = true;
	m->is_proven = false;
	m->has_failed = false;
	m->question_count = 0;
	m->is_identified = false;
	ask_soon_locked(m, true);
	pthread_mutex_unlock(&m->owner->lock);
}

/* False: an answer to nothing. */
static bool take_question(struct member *m, enum question *ret)
{
	bool has_one;

	pthread_mutex_lock(&m->owner->lock);
	has_one = m->question_count > 0;
	if (has_one) {
		*ret = m->questions[0];
		m->question_count--;
		memmove(m->questions, m->questions + 1, m->question_count * sizeof(m->questions[0]));
	}
	pthread_mutex_unlock(&m->owner->lock);
	return has_one;
}

/* Returns whether it is the first answer of this connection. */
static bool note_answer(struct member *m, const struct address *primary)
{
	sentinel *s = m->owner;
	bool is_first;

	pthread_mutex_lock(&s->lock);
	is_first = !m->is_proven;
	m->is_proven = true;
	m->answered_ms = wire_now_ms();
	s->latest = m;
	if (primary != NULL && !address_eq(primary, &m->primary)) {
		m->primary = *primary;
		m->wants_lists = true;
	}
	pthread_mutex_unlock(&s->lock);
	return is_first;
}

static void tell_unknown_name(const struct member *m)
{
	char error[SENTINEL_NAME_BYTES_MAX + 40];

	(void)snprintf(error, sizeof(error), "it watches no primary named %s", m->owner->name);
	tell_problem(m, "redis_sentinel_unknown_name", error,
		     "put the name of its line `sentinel monitor NAME ...` behind the hosts in redis.url", 0);
}

static enum dialog_reading take_primary(struct member *m, const struct store_reply *reply)
{
	enum sentinel_opinion opinion;
	struct address primary;

	if (!sentinel_read_primary(reply, &opinion, &primary))
		return DIALOG_BROKEN;
	if (note_answer(m, opinion == SENTINEL_PRIMARY_IS ? &primary : NULL))
		member_tell(m, (struct redis_event){.kind = REDIS_EVENT_RECOVERY, .name = "redis_sentinel_connected"});
	if (opinion == SENTINEL_UNKNOWN_NAME)
		tell_unknown_name(m);
	report(m, opinion, opinion == SENTINEL_PRIMARY_IS ? &primary : NULL, false);
	return DIALOG_ANSWER;
}

static void take_id(struct member *m, const struct store_reply *reply)
{
	char id[SENTINEL_ID_BYTES] = "";

	if (!sentinel_read_id(reply, id))
		id[0] = '\0';
	pthread_mutex_lock(&m->owner->lock);
	memcpy(m->id, id, sizeof(m->id));
	m->is_identified = true;
	m->owner->has_news = true;
	pthread_mutex_unlock(&m->owner->lock);
}

bool sentinel_knows_locked(const sentinel *s, const struct sentinel_peer *peer)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct member *m = s->members[i];

		if (address_eq(&m->address, &peer->address))
			return true;
		if (m->is_connected && peer->id[0] != '\0' && strcmp(m->id, peer->id) == 0)
			return true;
	}
	return false;
}

static void take_peers(struct member *m, const struct store_reply *reply)
{
	struct sentinel_peer peers[SENTINEL_MEMBERS_MAX];
	size_t count = sentinel_read_peers(reply, peers);
	sentinel *s = m->owner;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < count && s->learned_count < SENTINEL_MEMBERS_MAX; i++)
		if (!sentinel_knows_locked(s, &peers[i])) {
			s->learned[s->learned_count++] = peers[i];
			s->has_news = true;
		}
	pthread_mutex_unlock(&s->lock);
}

static void take_replicas(struct member *m, const struct store_reply *reply)
{
	const struct sentinel_options *o = &m->owner->options;
	struct address replicas[SENTINEL_REPLICAS_MAX];

	if (reply->type == STORE_ARRAY)
		o->replicas(o->owner, replicas, sentinel_read_replicas(reply, replicas));
}

static enum dialog_reading on_reply(void *owner, const struct store_reply *reply)
{
	struct member *m = owner;
	enum question question;

	if (!take_question(m, &question))
		return DIALOG_BROKEN;
	switch (question) {
	case ASK_PRIMARY:
		return take_primary(m, reply);
	case ASK_ID:
		take_id(m, reply);
		break;
	case ASK_PEERS:
		take_peers(m, reply);
		break;
	case ASK_REPLICAS:
		take_replicas(m, reply);
		break;
	}
	return DIALOG_ANSWER;
}

/* Of the Sentinels' own users, not of Redis's. */
static const char *remedy_for(const char *why, const char *remedy)
{
	if (strstr(why, "NOAUTH") != NULL || strstr(why, "WRONGPASS") != NULL || strstr(why, "NOPERM") != NULL)
		return "set redis.sentinel_user and redis.sentinel_password_file to a user of the Sentinels that may "
		       "SENTINEL, PING, INFO and SUBSCRIBE";
	if (strstr(why, "without any password configured") != NULL)
		return "the Sentinels have no password: remove redis.sentinel_password_file";
	/* "ERR unknown command 'SENTINEL'" */
	if (strstr(why, "unknown command") != NULL)
		return "it is a Redis server, not a Sentinel: redis.url must name the Sentinels, whose port mostly is "
		       "26379, or begin with redis://";
	return remedy;
}

static void on_closed(void *owner, const char *why, const char *remedy, uint32_t attempts)
{
	struct member *m = owner;

	pthread_mutex_lock(&m->owner->lock);
	m->is_connected = false;
	m->has_failed = true;
	m->question_count = 0;
	(void)snprintf(m->error, sizeof(m->error), "%s", why);
	pthread_mutex_unlock(&m->owner->lock);
	tell_problem(m, attempts == 0 ? "redis_sentinel_disconnected" : "redis_sentinel_failed", why,
		     remedy_for(why, remedy), attempts);
	report(m, SENTINEL_SILENT, NULL, false);
}

static const struct dialog_events asked_events = {
    .opened = on_opened,
    .reply = on_reply,
    .closed = on_closed,
};

static void on_began(void *owner)
{
	struct member *m = owner;

	pthread_mutex_lock(&m->owner->lock);
	m->is_listening = true;
	/* What was said while nobody listened is made up for by asking. */
	ask_soon_locked(m, false);
	pthread_mutex_unlock(&m->owner->lock);
}

static void on_ended(void *owner, const char *why, const char *remedy)
{
	struct member *m = owner;
	bool is_worth_a_word;

	pthread_mutex_lock(&m->owner->lock);
	/* When it is gone altogether that is said already. */
	is_worth_a_word = !m->is_listening && m->is_connected;
	m->is_listening = false;
	pthread_mutex_unlock(&m->owner->lock);
	if (is_worth_a_word)
		tell_problem(m, "redis_sentinel_deaf", why, remedy_for(why, remedy), 0);
}

static void on_message(void *owner, span channel, span payload)
{
	struct member *m = owner;
	struct address primary;

	(void)channel;
	if (!sentinel_read_switch(payload, span_str(m->owner->name), &primary))
		return;
	pthread_mutex_lock(&m->owner->lock);
	ask_soon_locked(m, true);
	pthread_mutex_unlock(&m->owner->lock);
	report(m, SENTINEL_PRIMARY_IS, &primary, true);
}

void member_free(struct member **m)
{
	struct member *old = *m;

	if (old == NULL)
		return;
	*m = NULL;
	dialog_free(&old->asked);
	subscription_free(&old->heard);
	free(old);
}

struct member *member_new(sentinel *s, const struct address *address, bool is_seed)
{
	const struct sentinel_options *o = &s->options;
	struct member *m = calloc(1, sizeof(*m));
	char url[ADDRESS_URL_BYTES];

	if (m == NULL)
		return NULL;
	m->owner = s;
	m->address = *address;
	m->is_seed = is_seed;
	m->adopted_ms = wire_now_ms();
	address_print(address, m->text);
	address_url(address, o->is_tls, url);
	m->asked = dialog_new(&(struct dialog_options){
	    .url = url,
	    .tls = o->tls,
	    .greeting = o->greeting,
	    .connect_timeout_ms = o->connect_timeout_ms,
	    .answer_timeout_ms = o->answer_timeout_ms,
	    .idle_ms = IDLE_MS,
	    .events = &asked_events,
	    .owner = m,
	});
	m->heard = subscription_new(&(struct subscription_options){
	    .url = url,
	    .tls = o->tls,
	    .greeting = o->greeting,
	    .channels = {"+switch-master"},
	    .connect_timeout_ms = o->connect_timeout_ms,
	    .message = on_message,
	    .began = on_began,
	    .ended = on_ended,
	    .owner = m,
	});
	if (m->asked == NULL || m->heard == NULL)
		member_free(&m);
	return m;
}

void member_end(struct member *m)
{
	dialog_end(m->asked);
	subscription_end(m->heard);
}

bool member_has_ended(struct member *m)
{
	return dialog_has_ended(m->asked) && subscription_has_ended(m->heard);
}

void member_tick(struct member *m, uint64_t now_ms, bool is_urgent)
{
	if (m->is_leaving)
		return;
	dialog_tick(m->asked, now_ms);
	subscription_tick(m->heard, now_ms);
	poll_member(m, now_ms, is_urgent);
}
