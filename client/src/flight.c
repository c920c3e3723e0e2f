/* Flights: a table by key. A listed flight has no reference of the table's: its leader, who has one, takes it off before
 * it ends. */

#include "flight.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "auth_result.h"

#define FNV_OFFSET 14695981039346656037ULL
#define FNV_PRIME  1099511628211ULL

struct flight {
	struct flight *next;
	unsigned refs;
	pthread_cond_t ended_changed;
	bool is_listed;
	bool is_loading;
	bool has_ended;
	bool is_for_all;
	uint64_t loading_since; /* a ticket */
	lk_auth_answer *answer;
	enum lk_err err;
	uint64_t hash;
	size_t realm_bytes;
	size_t subject_bytes;
	size_t key_bytes;
	char bytes[]; /* realm, subject, key */
};

void flights_init(struct flights *flights)
{
	atomic_init(&flights->tickets, 1);
	/* With the default attributes it cannot fail. */
	(void)pthread_mutex_init(&flights->lock, NULL);
	memset(flights->rows, 0, sizeof(flights->rows));
}

void flights_clear(struct flights *flights)
{
	for (size_t i = 0; i < FLIGHT_ROWS; i++)
		assert(flights->rows[i] == NULL);
	(void)pthread_mutex_destroy(&flights->lock);
}

uint64_t flights_ticket(struct flights *flights)
{
	return atomic_fetch_add(&flights->tickets, 1);
}

static uint64_t hash_more(uint64_t hash, struct lk_bytes bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		hash = (hash ^ (unsigned char)bytes.data[i]) * FNV_PRIME;
	return hash;
}

/* Strangers may choose keys, but no more of them are in the table than threads wait. */
static uint64_t hash_of(const struct flight_key *key)
{
	return hash_more(hash_more(hash_more(FNV_OFFSET, key->realm), key->subject), key->key);
}

static bool is_at(const struct flight *flight, size_t at, size_t len, struct lk_bytes bytes)
{
	return len == bytes.len && (len == 0 || memcmp(flight->bytes + at, bytes.data, len) == 0);
}

static bool is_for(const struct flight *flight, uint64_t hash, const struct flight_key *key)
{
	return flight->hash == hash && is_at(flight, 0, flight->realm_bytes, key->realm) &&
	       is_at(flight, flight->realm_bytes, flight->subject_bytes, key->subject) &&
	       is_at(flight, flight->realm_bytes + flight->subject_bytes, flight->key_bytes, key->key);
}

/* Under the lock. */
static struct flight *find(struct flights *flights, uint64_t hash, const struct flight_key *key)
{
	struct flight *flight = flights->rows[hash % FLIGHT_ROWS];

	while (flight != NULL && !is_for(flight, hash, key))
		flight = flight->next;
	return flight;
}

/* Under the lock. */
static void unlist(struct flights *flights, struct flight *flight)
{
	struct flight **at = &flights->rows[flight->hash % FLIGHT_ROWS];

	if (!flight->is_listed)
		return;
	while (*at != flight)
		at = &(*at)->next;
	*at = flight->next;
	flight->is_listed = false;
}

static char *put(char *to, struct lk_bytes bytes)
{
	if (bytes.len > 0)
		memcpy(to, bytes.data, bytes.len);
	return to + bytes.len;
}

/* Waits by the monotonic clock. */
static void init_condition(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	/* None of these can fail. */
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(condition, &attributes);
	(void)pthread_condattr_destroy(&attributes);
}

/* Under the lock. */
static struct flight *list_new(struct flights *flights, uint64_t hash, const struct flight_key *key)
{
	struct flight **row = &flights->rows[hash % FLIGHT_ROWS];
	struct flight *flight = calloc(1, sizeof(*flight) + key->realm.len + key->subject.len + key->key.len);

	if (flight == NULL)
		return NULL;
	flight->refs = 1;
	flight->hash = hash;
	flight->realm_bytes = key->realm.len;
	flight->subject_bytes = key->subject.len;
	flight->key_bytes = key->key.len;
	(void)put(put(put(flight->bytes, key->realm), key->subject), key->key);
	init_condition(&flight->ended_changed);
	flight->next = *row;
	flight->is_listed = true;
	*row = flight;
	return flight;
}

/* Under the lock. */
static void release(struct flight **flight)
{
	struct flight *own = *flight;

	*flight = NULL;
	if (--own->refs > 0)
		return;
	assert(!own->is_listed);
	lk_auth_answer_free(&own->answer);
	(void)pthread_cond_destroy(&own->ended_changed);
	free(own);
}

struct flight *flights_join(struct flights *flights, const struct flight_key *key)
{
	uint64_t hash = hash_of(key);
	struct flight *flight;

	pthread_mutex_lock(&flights->lock);
	flight = find(flights, hash, key);
	if (flight != NULL && !flight->is_loading)
		flight = NULL;
	if (flight != NULL)
		flight->refs++;
	pthread_mutex_unlock(&flights->lock);
	return flight;
}

/* Under the lock. */
static void start_loading(struct flights *flights, struct flight *flight)
{
	flight->is_loading = true;
	flight->loading_since = flights_ticket(flights);
}

struct flight *flights_enter(struct flights *flights, const struct flight_key *key, bool to_load, bool *ret_leads)
{
	uint64_t hash = hash_of(key);
	struct flight *flight, *other;

	pthread_mutex_lock(&flights->lock);
	other = find(flights, hash, key);
	*ret_leads = other == NULL || (to_load && !other->is_loading);
	flight = *ret_leads ? list_new(flights, hash, key) : other;
	if (!*ret_leads)
		flight->refs++;
	else if (flight != NULL && other != NULL)
		unlist(flights, other);
	if (*ret_leads && to_load && flight != NULL)
		start_loading(flights, flight);
	pthread_mutex_unlock(&flights->lock);
	return flight;
}

struct flight *flights_begin(struct flights *flights, const struct flight_key *key)
{
	uint64_t hash = hash_of(key);
	struct flight *flight, *other;

	pthread_mutex_lock(&flights->lock);
	other = find(flights, hash, key);
	flight = list_new(flights, hash, key);
	if (flight != NULL && other != NULL)
		unlist(flights, other);
	if (flight != NULL)
		start_loading(flights, flight);
	pthread_mutex_unlock(&flights->lock);
	return flight;
}

void flight_load(struct flights *flights, struct flight *flight)
{
	pthread_mutex_lock(&flights->lock);
	start_loading(flights, flight);
	pthread_mutex_unlock(&flights->lock);
}

void flight_close(struct flights *flights, struct flight *flight)
{
	pthread_mutex_lock(&flights->lock);
	unlist(flights, flight);
	pthread_mutex_unlock(&flights->lock);
}

void flight_end(struct flights *flights, struct flight **flight, const struct landing *landing)
{
	struct flight *own = *flight;

	pthread_mutex_lock(&flights->lock);
	unlist(flights, own);
	if (landing->answer != NULL)
		own->answer = auth_answer_retain(landing->answer);
	own->is_for_all = landing->is_for_all;
	own->err = landing->err;
	own->has_ended = true;
	(void)pthread_cond_broadcast(&own->ended_changed);
	release(flight);
	pthread_mutex_unlock(&flights->lock);
}

/* Under the lock. */
static enum flight_news news_of(const struct flight *flight, uint64_t ticket, lk_auth_answer **ret_answer,
				enum lk_err *ret_err)
{
	if (!flight->has_ended)
		return FLIGHT_LATE;
	if (flight->err != LK_OK) {
		*ret_err = flight->err;
		return FLIGHT_ERROR;
	}
	if (flight->answer == NULL || (!flight->is_for_all && ticket > flight->loading_since))
		return FLIGHT_AGAIN;
	*ret_answer = auth_answer_retain(flight->answer);
	return FLIGHT_ANSWER;
}

enum flight_news flight_wait(struct flights *flights, struct flight **flight, uint64_t ticket, uint64_t deadline_ms,
			     lk_auth_answer **ret_answer, enum lk_err *ret_err)
{
	const struct timespec until = {.tv_sec = (time_t)(deadline_ms / 1000),
				       .tv_nsec = (long)(deadline_ms % 1000) * 1000000};
	enum flight_news news;
	int waited = 0;

	pthread_mutex_lock(&flights->lock);
	while (!(*flight)->has_ended && waited != ETIMEDOUT)
		waited = pthread_cond_timedwait(&(*flight)->ended_changed, &flights->lock, &until);
	news = news_of(*flight, ticket, ret_answer, ret_err);
	release(flight);
	pthread_mutex_unlock(&flights->lock);
	return news;
}
