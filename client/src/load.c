/* lk_auth_get_or_load: cache-aside over Lookup and Fill.
 *
 *	take_turn -> a flight that loads is under way -> follow
 *	          -> the breaker is open, or no answer -> fall_back
 *	          -> Lookup -> HIT, NEGATIVE, STALE    -> done
 *	                    -> STALE with a lease      -> refresh
 *	                    -> MISS with a lease       -> load_leased
 *	                    -> WAIT -> wait_at_server  -> as after a Lookup; or, in another thread's flight, follow
 *
 * A turn ends the call, or another turn begins, until the deadline. Lookups are not shared: one that was answered before
 * somebody asked might hand them what was forgotten in between, and to share only those that are not yet sent would put
 * the threads that want a warm key in a line. Loads are shared: see flight.h for whom. */

#include <assert.h>
#include <errno.h>
#include <time.h>

#include "auth_result.h"
#include "call.h"
#include "client.h"
#include "error.h"
#include "loader.h"
#include "options.h"
#include "wire/ticker.h"

#define SUBJECT_BYTES_MAX 256
#define KEY_BYTES_MAX	  256
/* Of one wait at the server: well within what it allows a call, so that nothing is cut short at its end. */
#define SERVER_WAIT_MS 10000
/* Between two looks where the server does not let anybody wait: a crowd that asks anew each time is bounded. */
#define PAUSE_MS_MIN 20
#define LEASE_MS_MIN 10
#define LEASE_MS_MAX 60000

/* One call of lk_auth_get_or_load. */
struct asking {
	lk_client *client;
	struct lk_auth_get_request request; /* whole, defaults filled in */
	struct flight_key key;
	lk_auth_loader loader;
	void *arg;
	uint64_t ticket;
	uint64_t deadline_ms;
	lk_auth_answer *answer; /* the result */
	struct lk_error error;
};

enum turn { TURN_DONE, TURN_AGAIN };

static enum turn done(struct asking *a, lk_auth_answer *answer)
{
	a->answer = answer;
	error_clear(&a->error);
	return TURN_DONE;
}

static enum turn fail_no_memory(struct asking *a)
{
	(void)error_set(&a->error, LK_E_NO_MEMORY, "out of memory");
	return TURN_DONE;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* ---- Calls ---- */

/* The store could not tell, or not in time: then the loader stands in. What is wrong with the request, or not allowed, is
 * not cured by it. */
static bool is_away(enum lk_err err)
{
	return err == LK_E_UNAVAILABLE || err == LK_E_TIMED_OUT || err == LK_E_LIMIT || err == LK_E_UNREADABLE ||
	       err == LK_E_INTERNAL;
}

static bool ask_breaker(lk_client *client)
{
	bool admits;

	pthread_mutex_lock(&client->breaker_lock);
	admits = breaker_admits(&client->breaker, wire_now_ms());
	pthread_mutex_unlock(&client->breaker_lock);
	return admits;
}

static void tell_breaker(lk_client *client, enum lk_err err)
{
	pthread_mutex_lock(&client->breaker_lock);
	breaker_note(&client->breaker, err != LK_E_UNAVAILABLE && err != LK_E_TIMED_OUT, wire_now_ms());
	pthread_mutex_unlock(&client->breaker_lock);
}

static enum lk_err look(struct asking *a, uint32_t load_wait_ms, lk_auth_answer **ret_answer)
{
	const struct lk_auth_get_request *r = &a->request;
	struct lk_auth_lookup_request lookup = LK_AUTH_LOOKUP_REQUEST_INIT;
	uint32_t left_ms = loader_left_ms(a->deadline_ms) + 1;
	enum lk_err err;

	lookup.realm = r->realm;
	lookup.timeout_ms = least(load_wait_ms + r->lookup_ms, left_ms);
	lookup.traceparent = r->traceparent;
	lookup.subject = r->subject;
	lookup.key = r->key;
	lookup.groups = r->groups;
	lookup.group_count = r->group_count;
	lookup.load_wait_ms = load_wait_ms;
	lookup.lease_ms = r->lease_ms;
	err = lk_auth_lookup(a->client, &lookup, ret_answer, &a->error);
	/* Who is in a hurry cannot say that nobody answers. */
	if (err != LK_E_TIMED_OUT || lookup.timeout_ms < left_ms)
		tell_breaker(a->client, err);
	return err;
}

/* Whether the server keeps it: then it was not forgotten since the lease was given. A fill that fails is no failure of
 * whoever asked: they have their answer. */
static bool fill(struct asking *a, const lk_auth_load *load, struct lk_bytes lease, uint64_t load_ms,
		 uint64_t *ret_expires_at_ms)
{
	struct lk_auth_fill_request request = LK_AUTH_FILL_REQUEST_INIT;
	bool is_stored = false;
	enum lk_err err;

	request.realm = a->request.realm;
	request.timeout_ms = a->request.lookup_ms;
	request.traceparent = a->request.traceparent;
	request.subject = a->request.subject;
	request.key = a->request.key;
	request.lease = lease;
	request.answer = lk_bytes_of(load->answer, load->answer_bytes);
	request.negative = load->is_none;
	request.ttl_ms = load->ttl_ms;
	/* 0 would be taken for "not said". */
	request.load_ms = load_ms == 0 ? 1 : load_ms < UINT32_MAX ? (uint32_t)load_ms : UINT32_MAX;
	err = lk_auth_fill(a->client, &request, &is_stored, ret_expires_at_ms, NULL);
	tell_breaker(a->client, err);
	return err == LK_OK && is_stored;
}

/* The lease of a load that failed is given back, so that another may try at once and does not wait for its end: to
 * forget the key, of which there is no answer, ends it. If that fails, it ends by itself. */
static void give_back(struct asking *a)
{
	struct lk_auth_forget_request request = LK_AUTH_FORGET_REQUEST_INIT;
	enum lk_err err;

	request.realm = a->request.realm;
	request.timeout_ms = a->request.lookup_ms;
	request.traceparent = a->request.traceparent;
	request.subject = a->request.subject;
	request.key = a->request.key;
	err = lk_auth_forget(a->client, &request, NULL, NULL);
	tell_breaker(a->client, err);
}

/* ---- Turns ---- */

/* Waits for another thread's flight. Nulls *flight. */
static enum turn follow(struct asking *a, struct flight **flight)
{
	lk_auth_answer *answer = NULL;
	enum lk_err err = LK_OK;

	switch (flight_wait(&a->client->flights, flight, a->ticket, a->deadline_ms, &answer, &err)) {
	case FLIGHT_ANSWER:
		return done(a, answer);
	case FLIGHT_ERROR:
		(void)error_set(&a->error, err, "the loader could not tell: %s", lk_err_name(err));
		return TURN_DONE;
	default:
		return TURN_AGAIN;
	}
}

/* With a lease that ends at lease_end_ms: loads and fills. *ret_answer is the loaded answer, or NULL: a->error. `flight`
 * may be NULL; it is closed before the fill. */
static bool load_and_fill(struct asking *a, struct lk_bytes lease, uint64_t lease_end_ms, struct flight *flight,
			  lk_auth_answer **ret_answer)
{
	lk_auth_load load = {.subject = a->key.subject,
			     .key = a->key.key,
			     .deadline_ms = lease_end_ms < a->deadline_ms ? lease_end_ms : a->deadline_ms};
	uint64_t started_ms = wire_now_ms();
	uint64_t expires_at_ms = 0;
	bool is_kept = false;

	*ret_answer = NULL;
	if (loader_run(&load, a->loader, a->arg, &a->error) == LK_OK) {
		if (flight != NULL)
			flight_close(&a->client->flights, flight);
		is_kept = fill(a, &load, lease, wire_now_ms() - started_ms, &expires_at_ms);
		*ret_answer = loader_answer(&load, expires_at_ms);
		if (*ret_answer == NULL)
			(void)fail_no_memory(a);
	}
	loader_clear(&load);
	return is_kept;
}

/* Of a miss. `flight`: that of a thread that waited; NULL: it begins one. */
static enum turn load_leased(struct asking *a, struct lk_bytes lease, uint64_t lease_end_ms, struct flight *flight)
{
	struct flights *flights = &a->client->flights;
	struct landing landing = {0};

	if (flight != NULL)
		flight_load(flights, flight);
	else
		flight = flights_begin(flights, &a->key);
	if (flight == NULL)
		return fail_no_memory(a);
	landing.is_for_all = load_and_fill(a, lease, lease_end_ms, flight, &landing.answer);
	if (landing.answer == NULL)
		landing.err = a->error.code;
	/* After its end it is perhaps another's. */
	if (landing.answer == NULL && loader_left_ms(lease_end_ms) > 0)
		give_back(a);
	flight_end(flights, &flight, &landing);
	return landing.answer != NULL ? done(a, landing.answer) : TURN_DONE;
}

/* Of a stale answer: nobody waits for it, so there is no flight. Takes `stale` over. */
static enum turn refresh(struct asking *a, lk_auth_answer *stale, uint64_t lease_end_ms)
{
	lk_auth_answer *fresh;

	(void)load_and_fill(a, lk_auth_answer_lease(stale), lease_end_ms, NULL, &fresh);
	if (fresh == NULL)
		return done(a, stale);
	lk_auth_answer_free(&stale);
	return done(a, fresh);
}

/* Without a lease, for want of Latchkey; a->error says why. */
static enum turn fall_back(struct asking *a)
{
	struct flights *flights = &a->client->flights;
	lk_auth_load load = {.subject = a->key.subject, .key = a->key.key, .deadline_ms = a->deadline_ms};
	struct landing landing = {0};
	struct flight *flight;
	bool leads;

	if (a->request.no_fallback)
		return TURN_DONE;
	/* Whoever had no time for an answer has none for the loader. */
	if (loader_left_ms(a->deadline_ms) == 0)
		return TURN_AGAIN;
	flight = flights_enter(flights, &a->key, true, &leads);
	if (flight == NULL)
		return fail_no_memory(a);
	if (!leads)
		return follow(a, &flight);
	landing.err = loader_run(&load, a->loader, a->arg, &a->error);
	if (landing.err == LK_OK) {
		landing.answer = loader_answer(&load, 0);
		if (landing.answer == NULL)
			landing.err = LK_E_NO_MEMORY;
	}
	loader_clear(&load);
	flight_end(flights, &flight, &landing);
	if (landing.answer != NULL)
		return done(a, landing.answer);
	return landing.err == LK_E_NO_MEMORY ? fail_no_memory(a) : TURN_DONE;
}

/* What a lookup brought, WAIT apart. Takes `answer` over, and a flight that it leads, which may be NULL. */
static enum turn act_on(struct asking *a, lk_auth_answer *answer, uint64_t lease_end_ms, struct flight *flight)
{
	const struct lk_bytes lease = lk_auth_answer_lease(answer);
	enum turn turn;

	if (lk_auth_state_of(answer) == LK_AUTH_MISS && lease.len > 0) {
		turn = load_leased(a, lease, lease_end_ms, flight);
		lk_auth_answer_free(&answer);
		return turn;
	}
	if (flight != NULL)
		flight_end(&a->client->flights, &flight, &(struct landing){0});
	if (lk_auth_state_of(answer) == LK_AUTH_STALE && lease.len > 0)
		return refresh(a, answer, lease_end_ms);
	if (lk_auth_state_of(answer) != LK_AUTH_MISS)
		return done(a, answer);
	lk_auth_answer_free(&answer);
	(void)error_set(&a->error, LK_E_PROTOCOL, "the server's answer cannot be understood: a miss without a lease");
	return TURN_DONE;
}

/* As long as the server asks for, within the deadline. */
static void pause_ms(const struct asking *a, uint32_t retry_after_ms)
{
	uint32_t ms = retry_after_ms > PAUSE_MS_MIN ? retry_after_ms : PAUSE_MS_MIN;
	struct timespec left;

	ms = least(ms, loader_left_ms(a->deadline_ms));
	left = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

/* Somebody loads, not in this client as far as is known. One thread waits at the server. */
static enum turn wait_at_server(struct asking *a)
{
	struct flights *flights = &a->client->flights;
	uint32_t left_ms = loader_left_ms(a->deadline_ms);
	/* The answer comes after it, and before the deadline. */
	uint32_t wait_ms = least(left_ms - least(a->request.lookup_ms, left_ms / 2), SERVER_WAIT_MS);
	uint64_t sent_ms = wire_now_ms();
	struct flight *flight;
	lk_auth_answer *answer;
	bool leads;
	enum lk_err err;

	flight = flights_enter(flights, &a->key, false, &leads);
	if (flight == NULL)
		return fail_no_memory(a);
	if (!leads)
		return follow(a, &flight);
	err = look(a, wait_ms, &answer);
	/* The lease was given at some moment of the wait: what is left of it is reckoned from the answer, which is late
	 * by its way. The server judges the fill. */
	if (err == LK_OK && lk_auth_state_of(answer) != LK_AUTH_WAIT)
		return act_on(a, answer, wire_now_ms() + a->request.lease_ms, flight);
	/* A server with no room for one who waits says so at once. */
	if (err == LK_OK && wire_now_ms() < sent_ms + wait_ms)
		pause_ms(a, lk_auth_answer_retry_after_ms(answer));
	flight_end(flights, &flight, &(struct landing){0});
	if (err != LK_OK)
		return is_away(err) ? fall_back(a) : TURN_DONE;
	lk_auth_answer_free(&answer);
	return TURN_AGAIN;
}

static enum turn take_turn(struct asking *a)
{
	struct flight *flight = flights_join(&a->client->flights, &a->key);
	uint64_t sent_ms = wire_now_ms();
	lk_auth_answer *answer;
	enum lk_err err;

	if (flight != NULL)
		return follow(a, &flight);
	if (!ask_breaker(a->client)) {
		(void)error_set(&a->error, LK_E_UNAVAILABLE,
				"the last %d lookups were not answered: it is asked again within %d ms",
				BREAKER_FAILURES_MAX, BREAKER_PAUSE_MS);
		return fall_back(a);
	}
	err = look(a, 0, &answer);
	if (err != LK_OK)
		return is_away(err) ? fall_back(a) : TURN_DONE;
	if (lk_auth_state_of(answer) != LK_AUTH_WAIT)
		return act_on(a, answer, sent_ms + a->request.lease_ms, NULL);
	lk_auth_answer_free(&answer);
	return wait_at_server(a);
}

/* ---- The whole ---- */

static enum lk_err check_range(const char *what, uint64_t value, uint64_t min, uint64_t max, struct lk_error *error)
{
	if (value >= min && value <= max)
		return LK_OK;
	return error_set(error, LK_E_INVALID_ARGUMENT, "%s is %llu, not %llu to %llu", what, (unsigned long long)value,
			 (unsigned long long)min, (unsigned long long)max);
}

static enum lk_err take_request(const struct lk_auth_get_request *given, struct lk_auth_get_request *to,
				struct lk_error *error)
{
	enum lk_err err = struct_take(given, to, sizeof(*to),
				      offsetof(struct lk_auth_get_request, no_fallback) + sizeof(to->no_fallback),
				      "lk_auth_get_request", error);

	if (err != LK_OK)
		return err;
	to->timeout_ms = to->timeout_ms > 0 ? to->timeout_ms : LK_AUTH_TIMEOUT_MS;
	to->lease_ms = to->lease_ms > 0 ? to->lease_ms : LK_AUTH_LEASE_MS;
	to->lookup_ms = to->lookup_ms > 0 ? to->lookup_ms : LK_AUTH_LOOKUP_MS;
	err = check_range("timeout_ms", to->timeout_ms, 1, LK_TIMEOUT_MS_MAX, error);
	if (err == LK_OK)
		err = check_range("lease_ms", to->lease_ms, LEASE_MS_MIN, LEASE_MS_MAX, error);
	if (err == LK_OK)
		err = check_range("lookup_ms", to->lookup_ms, 1, LK_TIMEOUT_MS_MAX - SERVER_WAIT_MS, error);
	/* Checked here because the loader runs even where no server would refuse them. */
	if (err == LK_OK)
		err = check_range("the length of the subject", to->subject.len, 1, SUBJECT_BYTES_MAX, error);
	if (err == LK_OK)
		err = check_range("the length of the key", to->key.len, 1, KEY_BYTES_MAX, error);
	return err;
}

static enum lk_err ask(struct asking *a)
{
	const char *realm = a->request.realm;

	a->key = (struct flight_key){
	    .realm = lk_text(realm != NULL ? realm : a->client->options.realm),
	    .subject = a->request.subject,
	    .key = a->request.key,
	};
	a->ticket = flights_ticket(&a->client->flights);
	a->deadline_ms = wire_now_ms() + a->request.timeout_ms;
	while (loader_left_ms(a->deadline_ms) > 0)
		if (take_turn(a) == TURN_DONE)
			return a->error.code;
	return error_set(&a->error, LK_E_TIMED_OUT,
			 "no answer within %u ms: somebody else loads it, or did not end in time",
			 a->request.timeout_ms);
}

enum lk_err lk_auth_get_or_load(lk_client *client, const struct lk_auth_get_request *request, lk_auth_loader loader,
				void *arg, lk_auth_answer **ret_answer, struct lk_error *error)
{
	struct asking a = {.client = client, .loader = loader, .arg = arg, .error = LK_ERROR_INIT};
	enum lk_err err;

	assert(client != NULL && loader != NULL && ret_answer != NULL);
	if (call_in_callback())
		err = error_set(&a.error, LK_E_MISUSE, "a callback must not block: this may");
	else
		err = take_request(request, &a.request, &a.error);
	if (err == LK_OK)
		err = ask(&a);
	if (err == LK_OK)
		*ret_answer = a.answer;
	error_copy(&a.error, error);
	return err;
}
