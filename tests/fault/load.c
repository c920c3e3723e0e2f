#include "fault/load.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/wait.h"

/* A worker waits for each answer before it asks again, so that its history is a sequence: no two operations on one of its
 * sessions ever overlap, but for those that the service still carries out after the worker has given up on them.
 *
 * Threads: a worker's history and sessions are its own until it is joined; progress is told by atomics. */

#define TOKEN_BYTES 112
/* Users are tried until one is of the right shard: of three, 60 misses in a row happen once in 10^10. */
#define USER_TRIES_MAX 60
#define START_MS       60000
/* Answers a worker must get from an instance before load_wait_advanced believes that all is well. */
#define ADVANCE 10
/* An audit asks again so soon. */
#define AUDIT_PAUSE_MS 50
/* Of a question to an instance that may be cut off: it must not keep the worker from its own. */
#define ABROAD_TIMEOUT_MS 50

/* A session that the worker holds a token of; they stay for the final reading. */
struct held {
	char token[TOKEN_BYTES];
	uint64_t version; /* as last acknowledged */
	uint32_t n;	  /* as last written */
	uint8_t user;
	bool is_dead; /* its end was acknowledged */
};

struct user {
	char name[24];
	uint16_t slot;
};

struct worker {
	struct load *load;
	pthread_t thread;
	unsigned number;
	uint64_t random;
	struct history history;
	struct held *held; /* by session number */
	size_t held_room;
	struct user users[LOAD_USERS];
	uint32_t alive[LOAD_ALIVE]; /* session numbers */
	size_t alive_count;
	uint32_t *dead; /* numbers of all that were asked to end */
	size_t dead_count;
	size_t dead_room;
	unsigned failed_revokes;
	_Atomic bool is_ready;
	_Atomic uint64_t answered[LOAD_INSTANCES_MAX];
};

struct load {
	struct load_options options;
	uint64_t origin_us;
	uint32_t audit_bound_ms;
	_Atomic bool is_over;
	_Atomic bool has_failed; /* a worker could not get its users */
	struct worker workers[LOAD_WORKERS_MAX];
	struct history histories[LOAD_WORKERS_MAX]; /* the workers', for the checker */
};

/* What each call returns, before it is written down. */
struct answer {
	enum lk_err err;
	struct lk_error error;
	enum lk_verdict verdict;
	enum lk_reason reason;
	uint64_t version;
	uint32_t n;
	uint32_t marks[HISTORY_MARKS];
};

uint64_t load_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint32_t pick(struct worker *w, uint32_t below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (uint32_t)(w->random >> 33) % below;
}

static unsigned pick_instance(struct worker *w)
{
	return w->load->options.is_pinned ? w->number % LOAD_INSTANCES_MAX : pick(w, LOAD_INSTANCES_MAX);
}

static struct history_entry begin(const struct worker *w, enum history_op op, unsigned instance, uint32_t session)
{
	struct history_entry e = {
	    .op = (uint8_t)op, .session = session, .slot = HISTORY_NO_SLOT, .successor = HISTORY_NO_TOKEN};

	e.instance = w->load->options.is_any_instance ? HISTORY_ANY_INSTANCE : (uint8_t)instance;
	e.is_abroad = w->load->options.is_pinned && instance != w->number % LOAD_INSTANCES_MAX;
	if (session != HISTORY_NO_SESSION)
		e.slot = w->users[w->held[session].user].slot;
	e.start_us = load_now_us();
	return e;
}

static void finish(struct worker *w, struct history_entry *e, unsigned instance, const struct answer *a)
{
	e->end_us = load_now_us();
	e->err = (uint8_t)a->err;
	e->text = a->err == LK_OK ? 0 : history_add_text(&w->history, a->error.message);
	e->verdict = (uint8_t)a->verdict;
	e->reason = (uint8_t)a->reason;
	e->version = a->version;
	if (e->op == HISTORY_GET) {
		e->n = a->n;
		memcpy(e->marks, a->marks, sizeof(e->marks));
	}
	history_add(&w->history, e);
	if (a->err == LK_OK)
		atomic_fetch_add_explicit(&w->answered[instance], 1, memory_order_relaxed);
}

#define DIGITS_BYTES 12

static struct lk_attribute attribute_of(const char *key, uint32_t n, char digits[static DIGITS_BYTES])
{
	struct lk_attribute a = {.key = lk_text(key)};

	(void)snprintf(digits, DIGITS_BYTES, "%u", n);
	a.value = lk_text(digits);
	return a;
}

static const char *const mark_keys[HISTORY_MARKS] = {"m0", "m1", "m2", "m3"};

static uint32_t hold(struct worker *w, const lk_session *session, uint8_t user)
{
	uint32_t number = history_add_session(&w->history, lk_session_handle(session));
	struct held *held;

	if (number >= w->held_room) {
		w->held_room = w->held_room == 0 ? 64 : w->held_room * 2;
		w->held = realloc(w->held, w->held_room * sizeof(*w->held));
		if (w->held == NULL)
			abort();
	}
	held = &w->held[number];
	*held = (struct held){.user = user, .version = 1};
	(void)snprintf(held->token, sizeof(held->token), "%s", lk_session_token(session));
	w->users[user].slot = history_slot_of_handle(lk_session_handle(session));
	return number;
}

/* Returns the session's number, or HISTORY_NO_SESSION. */
static uint32_t create(struct worker *w, uint8_t user)
{
	struct lk_session_create_request request = LK_SESSION_CREATE_REQUEST_INIT;
	unsigned instance = pick_instance(w);
	struct history_entry e = begin(w, HISTORY_CREATE, instance, HISTORY_NO_SESSION);
	struct answer a = {.error = LK_ERROR_INIT};
	lk_session *session = NULL;
	char digits[DIGITS_BYTES];
	struct lk_attribute attribute = attribute_of("n", 0, digits);

	request.user = lk_text(w->users[user].name);
	request.attributes = &attribute;
	request.attribute_count = 1;
	e.slot = w->users[user].slot;
	a.err = lk_session_create(w->load->options.clients[instance], &request, &session, &a.error);
	if (a.err == LK_OK) {
		e.session = hold(w, session, user);
		e.slot = w->users[user].slot;
		a.version = 1;
	}
	finish(w, &e, instance, &a);
	lk_session_free(&session);
	return e.session;
}

static uint32_t number_in(const lk_session *session, const char *key, uint32_t absent)
{
	struct lk_bytes text = lk_session_attribute(session, key);

	return text.data == NULL ? absent : (uint32_t)strtoul(text.data, NULL, 10);
}

static void take_session(struct answer *a, const lk_session *session)
{
	a->reason = a->error.reason;
	if (session == NULL)
		return;
	a->reason = lk_session_reason(session);
	a->version = lk_session_version(session);
	a->n = number_in(session, "n", UINT32_MAX);
	for (size_t i = 0; i < HISTORY_MARKS; i++)
		a->marks[i] = number_in(session, mark_keys[i], 0);
}

static enum lk_verdict get(struct worker *w, uint32_t number, unsigned instance, bool is_audit)
{
	struct lk_session_get_request request = LK_SESSION_GET_REQUEST_INIT;
	struct history_entry e = begin(w, HISTORY_GET, instance, number);
	struct answer a = {.error = LK_ERROR_INIT};
	lk_session *session = NULL;

	request.token = lk_text(w->held[number].token);
	/* Every fourth reading leaves the idle timeout alone: another command in Redis. */
	request.peek = pick(w, 4) == 0;
	request.timeout_ms = e.is_abroad && !is_audit ? ABROAD_TIMEOUT_MS : 0;
	a.err = lk_session_get(w->load->options.clients[instance], &request, &a.verdict, &session, &a.error);
	take_session(&a, session);
	e.is_audit = is_audit;
	/* Of an audit only the last answer counts: it asks again where it learnt nothing. */
	if (!is_audit || a.verdict != LK_UNKNOWN)
		finish(w, &e, instance, &a);
	lk_session_free(&session);
	return a.verdict;
}

static void update(struct worker *w, uint32_t number)
{
	struct lk_session_update_request request = LK_SESSION_UPDATE_REQUEST_INIT;
	unsigned instance = pick_instance(w);
	struct held *held = &w->held[number];
	struct history_entry e = begin(w, HISTORY_UPDATE, instance, number);
	struct answer a = {.error = LK_ERROR_INIT};
	char digits[DIGITS_BYTES];
	uint32_t n = ++held->n;
	const struct lk_attribute attributes[] = {attribute_of("n", n, digits),
						  attribute_of(mark_keys[n % HISTORY_MARKS], n, digits)};

	e.n = n;
	e.expected = pick(w, 2) == 0 ? held->version : 0;
	request.token = lk_text(held->token);
	request.set = attributes;
	request.set_count = sizeof(attributes) / sizeof(attributes[0]);
	request.expected_version = e.expected;
	a.err = lk_session_update(w->load->options.clients[instance], &request, &a.version, NULL, &a.error);
	a.reason = a.error.reason;
	if (a.err == LK_E_CONFLICT)
		a.version = a.error.version;
	if (a.version != 0)
		held->version = a.version;
	finish(w, &e, instance, &a);
}

static void bury(struct worker *w, size_t at)
{
	uint32_t number = w->alive[at];

	if (w->dead_count == w->dead_room) {
		w->dead_room = w->dead_room == 0 ? 64 : w->dead_room * 2;
		w->dead = realloc(w->dead, w->dead_room * sizeof(*w->dead));
		if (w->dead == NULL)
			abort();
	}
	w->dead[w->dead_count++] = number;
	w->alive[at] = w->alive[--w->alive_count];
}

static void revoke(struct worker *w, uint32_t number)
{
	struct lk_session_revoke_request request = LK_SESSION_REVOKE_REQUEST_INIT;
	unsigned instance = pick_instance(w);
	struct history_entry e = begin(w, HISTORY_REVOKE, instance, number);
	struct answer a = {.error = LK_ERROR_INIT};

	request.token = lk_text(w->held[number].token);
	a.err = lk_session_revoke(w->load->options.clients[instance], &request, NULL, &a.error);
	w->held[number].is_dead |= a.err == LK_OK;
	w->failed_revokes += a.err != LK_OK;
	finish(w, &e, instance, &a);
}

/* One call, an entry for each session that it ends. */
static void revoke_user(struct worker *w, uint8_t user)
{
	struct lk_session_revoke_user_request request = LK_SESSION_REVOKE_USER_REQUEST_INIT;
	unsigned instance = pick_instance(w);
	struct history_entry e = begin(w, HISTORY_REVOKE_USER, instance, HISTORY_NO_SESSION);
	struct answer a = {.error = LK_ERROR_INIT};

	request.user = lk_text(w->users[user].name);
	e.slot = w->users[user].slot;
	a.err = lk_session_revoke_user(w->load->options.clients[instance], &request, NULL, &a.error);
	for (size_t i = w->alive_count; i-- > 0;) {
		if (w->held[w->alive[i]].user != user)
			continue;
		e.session = w->alive[i];
		w->held[e.session].is_dead |= a.err == LK_OK;
		w->failed_revokes += a.err != LK_OK;
		bury(w, i);
		finish(w, &e, instance, &a);
		e.is_echo = true;
	}
	if (!e.is_echo)
		finish(w, &e, instance, &a);
}

/* A caller whose logout failed asks for it again. */
static bool revoke_again(struct worker *w)
{
	for (size_t i = w->dead_count; i-- > 0 && w->failed_revokes > 0;) {
		if (w->held[w->dead[i]].is_dead)
			continue;
		w->failed_revokes--;
		revoke(w, w->dead[i]);
		return true;
	}
	return false;
}

/* Every other time one of the last to die: what a failover forgets is young. */
static void ask_for_dead(struct worker *w)
{
	size_t recent = w->dead_count < 8 ? w->dead_count : 8;
	size_t at = pick(w, 2) == 0 ? w->dead_count - 1 - pick(w, (uint32_t)recent) : pick(w, (uint32_t)w->dead_count);

	(void)get(w, w->dead[at], pick(w, LOAD_INSTANCES_MAX), false);
}

/* With nothing alive and no way to create, the dead are still asked after. */
static void begin_anew(struct worker *w)
{
	uint32_t number;

	if (w->alive_count == 0 && w->dead_count > 0 && pick(w, 2) == 0) {
		ask_for_dead(w);
		return;
	}
	number = create(w, (uint8_t)pick(w, LOAD_USERS));
	if (number != HISTORY_NO_SESSION)
		w->alive[w->alive_count++] = number;
}

/* Of 100: 20 reads of the living, 15 of the dead, 57 updates, 7 revocations of one session, 1 of a user; and as many
 * creates as ended. Nearly 3 of 4 are writes. */
static void step(struct worker *w)
{
	uint32_t dice = pick(w, 100);
	uint32_t at;

	if (w->alive_count < LOAD_ALIVE && (w->alive_count == 0 || dice < 30)) {
		begin_anew(w);
		return;
	}
	if (dice < 2 && revoke_again(w))
		return;
	at = pick(w, (uint32_t)w->alive_count);
	if (dice < 20) {
		(void)get(w, w->alive[at], pick_instance(w), false);
	} else if (dice < 35 && w->dead_count > 0) {
		ask_for_dead(w);
	} else if (dice < 92) {
		update(w, w->alive[at]);
	} else if (dice < 99) {
		uint32_t number = w->alive[at];

		bury(w, at);
		revoke(w, number);
	} else {
		revoke_user(w, (uint8_t)pick(w, LOAD_USERS));
	}
}

static bool is_of_wanted_shard(const struct worker *w, uint8_t user)
{
	unsigned shards = w->load->options.shards;

	return shards <= 1 || history_shard_of_slot(w->users[user].slot, shards) == w->number % shards;
}

/* A first session for each user. Where a name has the wrong shard, its session stays, untouched, for the final reading. */
static bool find_user(struct worker *w, uint8_t user)
{
	for (unsigned try = 0; try < USER_TRIES_MAX && !atomic_load(&w->load->is_over); try++) {
		uint32_t number;

		(void)snprintf(w->users[user].name, sizeof(w->users[user].name), "w%u-u%u-%u", w->number, user, try);
		w->users[user].slot = HISTORY_NO_SLOT;
		number = create(w, user);
		if (number != HISTORY_NO_SESSION && is_of_wanted_shard(w, user)) {
			w->alive[w->alive_count++] = number;
			return true;
		}
	}
	return false;
}

/* Keeps the pace, without making up for time lost. */
static uint64_t pace(uint64_t due_us, uint64_t interval_us)
{
	uint64_t now_us = load_now_us();
	struct timespec at = {.tv_sec = (time_t)(due_us / 1000000), .tv_nsec = (long)(due_us % 1000000) * 1000};

	if (now_us > due_us + interval_us)
		return now_us + interval_us;
	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
	return due_us + interval_us;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct load *l = w->load;
	uint64_t interval_us = 1000000ULL * l->options.workers / l->options.operations_per_s;
	uint64_t due_us = load_now_us() + pick(w, (uint32_t)interval_us + 1);

	for (uint8_t i = 0; i < LOAD_USERS; i++) {
		if (!find_user(w, i)) {
			atomic_store(&l->has_failed, true);
			return NULL;
		}
	}
	atomic_store(&w->is_ready, true);
	while (!atomic_load_explicit(&l->is_over, memory_order_relaxed)) {
		due_us = pace(due_us, interval_us);
		step(w);
	}
	return NULL;
}

static bool all_ready(struct load *l)
{
	for (unsigned i = 0; i < l->options.workers; i++)
		if (!atomic_load(&l->workers[i].is_ready))
			return false;
	return true;
}

struct load *load_start(const struct load_options *options)
{
	struct load *l = calloc(1, sizeof(*l));

	if (l == NULL)
		abort();
	assert(options->workers <= LOAD_WORKERS_MAX && options->operations_per_s > 0);
	l->options = *options;
	l->origin_us = load_now_us();
	for (unsigned i = 0; i < options->workers; i++) {
		l->workers[i].load = l;
		l->workers[i].number = i;
		l->workers[i].random = 0x9e3779b97f4a7c15ULL * (i + 1);
		if (pthread_create(&l->workers[i].thread, NULL, work, &l->workers[i]) != 0)
			abort();
	}
	if (!WAIT_FOR(all_ready(l) || atomic_load(&l->has_failed), START_MS) || atomic_load(&l->has_failed))
		fail_msg("the load did not get its first sessions");
	return l;
}

static bool has_advanced(struct load *l, const uint64_t (*marks)[LOAD_INSTANCES_MAX])
{
	for (unsigned i = 0; i < l->options.workers; i++) {
		for (unsigned j = 0; j < LOAD_INSTANCES_MAX; j++) {
			if (l->options.is_pinned && j != i % LOAD_INSTANCES_MAX)
				continue;
			if (atomic_load(&l->workers[i].answered[j]) < marks[i][j] + ADVANCE)
				return false;
		}
	}
	return true;
}

bool load_wait_advanced(struct load *l, uint32_t bound_ms)
{
	uint64_t marks[LOAD_WORKERS_MAX][LOAD_INSTANCES_MAX] = {0};

	for (unsigned i = 0; i < l->options.workers; i++)
		for (unsigned j = 0; j < LOAD_INSTANCES_MAX; j++)
			marks[i][j] = atomic_load(&l->workers[i].answered[j]);
	return WAIT_FOR(has_advanced(l, (const uint64_t(*)[LOAD_INSTANCES_MAX])marks), bound_ms);
}

uint64_t load_answered(struct load *l)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < l->options.workers; i++)
		for (unsigned j = 0; j < LOAD_INSTANCES_MAX; j++)
			sum += atomic_load(&l->workers[i].answered[j]);
	return sum;
}

static void join(struct load *l)
{
	for (unsigned i = 0; i < l->options.workers; i++) {
		pthread_join(l->workers[i].thread, NULL);
		l->histories[i] = l->workers[i].history;
	}
}

void load_stop(struct load *l)
{
	atomic_store(&l->is_over, true);
	join(l);
}

static void *audit(void *arg)
{
	struct worker *w = arg;
	uint64_t until_us = load_now_us() + w->load->audit_bound_ms * 1000ULL;

	for (uint32_t i = 0; i < w->history.session_count; i++)
		for (unsigned j = 0; j < LOAD_INSTANCES_MAX; j++)
			while (get(w, i, j, true) == LK_UNKNOWN && load_now_us() < until_us)
				nap_ms(AUDIT_PAUSE_MS);
	return NULL;
}

void load_audit(struct load *l, uint32_t bound_ms)
{
	l->audit_bound_ms = bound_ms;
	for (unsigned i = 0; i < l->options.workers; i++)
		if (pthread_create(&l->workers[i].thread, NULL, audit, &l->workers[i]) != 0)
			abort();
	join(l);
}

const struct history *load_histories(const struct load *l, size_t *ret_count)
{
	*ret_count = l->options.workers;
	return l->histories;
}

uint64_t load_origin_us(const struct load *l)
{
	return l->origin_us;
}

void load_free(struct load **l)
{
	if (*l == NULL)
		return;
	for (unsigned i = 0; i < (*l)->options.workers; i++) {
		history_free(&(*l)->workers[i].history);
		free((*l)->workers[i].held);
		free((*l)->workers[i].dead);
	}
	free(*l);
	*l = NULL;
}
