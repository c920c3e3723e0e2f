/* The Sentinels, each with two connections: one to ask (a dialog), one to listen (a subscription).
 *
 *   seeds ---> members <--- learned (SENTINEL SENTINELS, at every tenth poll)
 *
 * A Sentinel may have several addresses (a name among the seeds, an IP address in the others' lists): its id tells, and
 * the learned double goes. A learned one that is gone for good only goes when its place is needed.
 *
 * Threads. Only the tick adds and removes members, asks questions and dials. Answers and messages come from the links'
 * threads, those of one connection never two at once. `lock` guards the list of members and what is said there to be
 * so; it is held while a question is queued and sent, because both must have the same order, and before a dialog's
 * lock. It is never held when a function of the owner is called.
 *
 * Life. A member that is to go is ended first, without waiting, and freed by a later tick when nothing of it runs any
 * more: the tick has a library thread, which must not wait for another. */

#include "redis/sentinel.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "redis/sentinel_member.h"

/* A learned Sentinel that has not answered for so long gives way to another, when there is no other place. */
#define GONE_AFTER_MS 10000U

/* The same Sentinel as another member, at another address, and the one of the two that is not needed. */
static bool is_double_locked(const sentinel *s, size_t at)
{
	const struct member *m = s->members[at];

	for (size_t i = 0; i < s->count && !m->is_seed && m->id[0] != '\0'; i++) {
		const struct member *other = s->members[i];

		if (i != at && !other->is_leaving && other->is_connected && strcmp(other->id, m->id) == 0 &&
		    (other->is_seed || !m->is_connected || i < at))
			return true;
	}
	return false;
}

static struct member *find_double(sentinel *s)
{
	struct member *found = NULL;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->count && found == NULL; i++)
		if (!s->members[i]->is_leaving && is_double_locked(s, i))
			found = s->members[i];
	if (found != NULL)
		found->is_leaving = true;
	pthread_mutex_unlock(&s->lock);
	return found;
}

/* Of the learned ones that are not there the one whose last sign of life is oldest; NULL: none is gone for long. */
static struct member *find_gone(sentinel *s, uint64_t now_ms)
{
	struct member *found = NULL;
	uint64_t oldest_ms = now_ms;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->count; i++) {
		struct member *m = s->members[i];
		uint64_t sign_ms = m->answered_ms != 0 ? m->answered_ms : m->adopted_ms;

		if (m->is_seed || m->is_leaving || m->is_connected || now_ms < sign_ms + GONE_AFTER_MS)
			continue;
		/* One that was never seen is worth less than any that was. */
		sign_ms = m->answered_ms;
		if (sign_ms < oldest_ms) {
			oldest_ms = sign_ms;
			found = m;
		}
	}
	if (found != NULL)
		found->is_leaving = true;
	pthread_mutex_unlock(&s->lock);
	return found;
}

static void adopt(sentinel *s, const struct sentinel_peer *peer)
{
	struct member *m;
	bool is_known;

	pthread_mutex_lock(&s->lock);
	is_known = sentinel_knows_locked(s, peer);
	pthread_mutex_unlock(&s->lock);
	m = is_known ? NULL : member_new(s, &peer->address, false);
	if (m == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	s->members[s->count++] = m;
	pthread_mutex_unlock(&s->lock);
	member_tell(m, (struct redis_event){.kind = REDIS_EVENT_NEWS, .name = "redis_sentinel_learned"});
}

/* It is freed by a later tick. */
static void let_go(struct member *m, const char *why)
{
	member_tell(m, (struct redis_event){.kind = REDIS_EVENT_NEWS, .name = "redis_sentinel_forgotten", .text = why});
	member_end(m);
}

/* Whether every member that can be asked has been asked who it is: before that a learned address may well be another one
 * of theirs. */
static bool are_identified_locked(const sentinel *s)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct member *m = s->members[i];

		if (!m->is_leaving && !(m->is_connected ? m->is_identified : m->has_failed))
			return false;
	}
	return true;
}

/* Returns whether there is news that can be acted on, and takes it. */
static bool take_news(sentinel *s, struct sentinel_peer learned[static SENTINEL_MEMBERS_MAX], size_t *ret_count)
{
	bool is_time;

	pthread_mutex_lock(&s->lock);
	is_time = s->has_news && are_identified_locked(s);
	if (is_time) {
		*ret_count = s->learned_count;
		memcpy(learned, s->learned, s->learned_count * sizeof(learned[0]));
		s->has_news = false;
		s->learned_count = 0;
	}
	pthread_mutex_unlock(&s->lock);
	return is_time;
}

/* Acts on what was learned about who there is. One that finds no place is learned again at the next list. */
static void update_members(sentinel *s, uint64_t now_ms)
{
	struct sentinel_peer learned[SENTINEL_MEMBERS_MAX];
	struct member *leaver;
	size_t count;

	if (!take_news(s, learned, &count))
		return;
	while ((leaver = find_double(s)) != NULL)
		let_go(leaver, "is known at another address too");
	for (size_t i = 0; i < count; i++) {
		if (s->count < SENTINEL_MEMBERS_MAX)
			adopt(s, &learned[i]);
		else if ((leaver = find_gone(s, now_ms)) != NULL)
			let_go(leaver, "has not answered for long, and its place is needed");
	}
}

static void bury_leavers(sentinel *s)
{
	for (size_t i = 0; i < s->count;) {
		struct member *m = s->members[i];

		if (!m->is_leaving || !member_has_ended(m)) {
			i++;
			continue;
		}
		pthread_mutex_lock(&s->lock);
		if (s->latest == m)
			s->latest = NULL;
		s->members[i] = s->members[--s->count];
		pthread_mutex_unlock(&s->lock);
		member_free(&m);
	}
}

void sentinel_tick(sentinel *s, uint64_t now_ms, bool is_urgent)
{
	struct member *latest;

	update_members(s, now_ms);
	bury_leavers(s);
	pthread_mutex_lock(&s->lock);
	latest = s->latest;
	pthread_mutex_unlock(&s->lock);
	if (latest != NULL)
		member_tick(latest, now_ms, is_urgent);
	for (size_t i = 0; i < s->count; i++)
		if (s->members[i] != latest)
			member_tick(s->members[i], now_ms, is_urgent);
}

size_t sentinel_members(sentinel *s, struct sentinel_member *ret, size_t max)
{
	size_t count = 0;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->count; i++) {
		const struct member *m = s->members[i];

		if (m->is_leaving)
			continue;
		if (count < max)
			ret[count] = (struct sentinel_member){
			    .address = m->address,
			    .is_connected = m->is_connected,
			    .is_listening = m->is_listening,
			    .is_seed = m->is_seed,
			    .answered_ms = m->answered_ms,
			};
		if (count < max && !m->is_connected)
			memcpy(ret[count].error, m->error, sizeof(ret[count].error));
		count++;
	}
	pthread_mutex_unlock(&s->lock);
	return count;
}

static bool copy_options(sentinel *s, const struct sentinel_options *o)
{
	s->options = *o;
	s->options.name = s->name;
	(void)snprintf(s->name, sizeof(s->name), "%s", o->name);
	if (o->greeting.user != NULL && (s->user = strdup(o->greeting.user)) == NULL)
		return false;
	if (o->greeting.password != NULL && (s->password = strdup(o->greeting.password)) == NULL)
		return false;
	s->options.greeting = (struct greeting_settings){.user = s->user, .password = s->password};
	return true;
}

static bool add_seeds(sentinel *s, const struct sentinel_options *o)
{
	for (size_t i = 0; i < o->seed_count; i++) {
		s->members[s->count] = member_new(s, &o->seeds[i], true);
		if (s->members[s->count] == NULL)
			return false;
		s->count++;
	}
	s->options.seeds = NULL;
	s->options.seed_count = 0;
	return true;
}

sentinel *sentinel_new(const struct sentinel_options *options)
{
	sentinel *s = calloc(1, sizeof(*s));

	assert(options->seed_count >= 1 && options->seed_count <= SENTINEL_MEMBERS_MAX);
	assert(options->name[0] != '\0' && strlen(options->name) <= SENTINEL_NAME_BYTES_MAX);
	if (s == NULL)
		return NULL;
	pthread_mutex_init(&s->lock, NULL);
	if (!copy_options(s, options) || !add_seeds(s, options))
		sentinel_free(&s);
	return s;
}

void sentinel_free(sentinel **s)
{
	sentinel *old = *s;

	if (old == NULL)
		return;
	*s = NULL;
	for (size_t i = 0; i < old->count; i++)
		member_end(old->members[i]);
	for (size_t i = 0; i < old->count; i++)
		member_free(&old->members[i]);
	if (old->password != NULL)
		explicit_bzero(old->password, strlen(old->password));
	free(old->password);
	free(old->user);
	pthread_mutex_destroy(&old->lock);
	free(old);
}
