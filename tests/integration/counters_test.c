/* Visitors, limits and locks through two instances of the service: on a single Redis, on one with Sentinels, and on a
 * cluster, by the same tests. */

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "latchkey/v1/limits.pb-c.h"
#include "latchkey/v1/locks.pb-c.h"
#include "latchkey/v1/visitors.pb-c.h"
#include "support/deployment.h"
#include "support/sessions.h"
#include "support/wait.h"

#define OK	    LATCHKEY__V1__CODE__OK
#define UNAVAILABLE LATCHKEY__V1__CODE__UNAVAILABLE

#define TYPE(name)    (&latchkey__v1__##name##__descriptor)
#define OWNER_BYTES   65
#define LONG_MS	      600000
#define INSTANCES     2
#define SCAN_KEYS_MAX 10000

/* For so long after the start, too, a lock that is not there is not believed. The failovers here are planned ones, whose
 * old primary takes writes for a second or so. */
static const char config[] = "redis: { replay_window_ms: 6000 }\n";

static struct deployment all;

static int open_mode(enum deployment_mode mode)
{
	deployment_open(
	    &all, &(struct deployment_options){.mode = mode,
					       .instances = INSTANCES,
					       .config = config,
					       .sentinels = &(struct redis_sentinels_options){.down_after_ms = 2000}});
	return 0;
}

static int open_standalone(void **state)
{
	(void)state;
	return open_mode(STANDALONE);
}

static int open_sentinels(void **state)
{
	(void)state;
	return open_mode(SENTINELS);
}

static int open_cluster(void **state)
{
	(void)state;
	return open_mode(CLUSTER);
}

static int close_all(void **state)
{
	(void)state;
	deployment_close(&all);
	return 0;
}

/* A single server, which stores nothing on disk, comes back with nothing: all that is there then was brought back. */
static void fail_over(void)
{
	if (all.mode == STANDALONE) {
		redis_server_kill(&all.single);
		redis_server_start(&all.single);
	}
	deployment_fail_over(&all);
}

/* ---- Calls ---- */

/* The response, NULL unless OK; the test frees it. */
static void *ask(int instance, const struct raw_call *call, const ProtobufCMessageDescriptor *type,
		 Latchkey__V1__Code *ret_code)
{
	Latchkey__V1__ReplyFrame *frame = raw_exchange(&all.callers[instance], call, 1);
	void *response = NULL;

	assert_int_equal(frame->n_replies, 1);
	*ret_code = frame->replies[0]->code;
	if (*ret_code == OK)
		response = raw_unpack(frame->replies[0], type);
	else if (*ret_code != UNAVAILABLE)
		print_message("%s: %d: %.*s\n", call->method, *ret_code, (int)frame->replies[0]->message.len,
			      (const char *)frame->replies[0]->message.data);
	raw_free(frame);
	return response;
}

/* The same until Redis is there: a failover may be under way. */
static void *must_ask(int instance, const struct raw_call *call, const ProtobufCMessageDescriptor *type)
{
	const uint64_t until_ms = now_mono_ms() + BOUND_MS;
	Latchkey__V1__Code code;
	void *response;

	while ((response = ask(instance, call, type, &code)) == NULL) {
		assert_int_equal(code, UNAVAILABLE);
		assert_true(now_mono_ms() < until_ms);
		nap_ms(50);
	}
	return response;
}

struct lock_seen {
	bool acquired;
	char owner[OWNER_BYTES];
	uint64_t number;
	uint64_t expires_at_ms;
};

static void see_lock(const Latchkey__V1__AcquireLockResponse *m, struct lock_seen *ret)
{
	*ret =
	    (struct lock_seen){.acquired = m->acquired, .number = m->fencing_token, .expires_at_ms = m->expires_at_ms};
	assert_true(m->has_acquired && m->has_expires_at_ms);
	assert_int_equal(m->has_owner, m->acquired);
	assert_int_equal(m->has_fencing_token, m->acquired);
	assert_int_equal(m->has_retry_after_ms, !m->acquired);
	assert_true(m->owner.len < OWNER_BYTES);
	if (m->owner.len > 0)
		memcpy(ret->owner, m->owner.data, m->owner.len);
}

static struct lock_seen acquire(int instance, const char *name, uint32_t ttl_ms, uint32_t wait_ms)
{
	Latchkey__V1__AcquireLockRequest req = LATCHKEY__V1__ACQUIRE_LOCK_REQUEST__INIT;
	const struct raw_call call = {
	    .method = "/latchkey.v1.Locks/Acquire", .request = &req.base, .timeout_ms = 10000};
	Latchkey__V1__AcquireLockResponse *m;
	struct lock_seen seen;

	req.has_name = req.has_ttl_ms = req.has_wait_ms = true;
	req.name = raw_text(name);
	req.ttl_ms = ttl_ms;
	req.wait_ms = wait_ms;
	m = must_ask(instance, &call, TYPE(acquire_lock_response));
	see_lock(m, &seen);
	raw_free(m);
	return seen;
}

static bool extend(int instance, const char *name, const char *owner, uint64_t *ret_number)
{
	Latchkey__V1__ExtendLockRequest req = LATCHKEY__V1__EXTEND_LOCK_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.Locks/Extend", .request = &req.base, .timeout_ms = 10000};
	Latchkey__V1__ExtendLockResponse *m;
	bool held;

	req.has_name = req.has_owner = req.has_ttl_ms = true;
	req.name = raw_text(name);
	req.owner = raw_text(owner);
	req.ttl_ms = LONG_MS;
	m = must_ask(instance, &call, TYPE(extend_lock_response));
	held = m->held;
	*ret_number = m->fencing_token;
	raw_free(m);
	return held;
}

static bool release(int instance, const char *name, const char *owner)
{
	Latchkey__V1__ReleaseLockRequest req = LATCHKEY__V1__RELEASE_LOCK_REQUEST__INIT;
	const struct raw_call call = {
	    .method = "/latchkey.v1.Locks/Release", .request = &req.base, .timeout_ms = 10000};
	Latchkey__V1__ReleaseLockResponse *m;
	bool released;

	req.has_name = req.has_owner = true;
	req.name = raw_text(name);
	req.owner = raw_text(owner);
	m = must_ask(instance, &call, TYPE(release_lock_response));
	released = m->released;
	raw_free(m);
	return released;
}

static bool check(int instance, const char *name, Latchkey__V1__LimitAlgorithm algorithm, uint32_t cost)
{
	Latchkey__V1__CheckLimitRequest req = LATCHKEY__V1__CHECK_LIMIT_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.Limits/Check", .request = &req.base, .timeout_ms = 10000};
	Latchkey__V1__CheckLimitResponse *m;
	bool allowed;

	req.has_name = req.has_algorithm = req.has_limit = req.has_per_ms = req.has_cost = true;
	req.name = raw_text(name);
	req.algorithm = algorithm;
	req.limit = 20;
	req.per_ms = LONG_MS;
	req.cost = cost;
	m = must_ask(instance, &call, TYPE(check_limit_response));
	allowed = m->allowed;
	assert_true(m->has_remaining && m->has_retry_after_ms && m->has_reset_ms);
	assert_int_equal(m->retry_after_ms == 0, allowed);
	raw_free(m);
	return allowed;
}

static bool reset(int instance, const char *name, Latchkey__V1__LimitAlgorithm algorithm)
{
	Latchkey__V1__ResetLimitRequest req = LATCHKEY__V1__RESET_LIMIT_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.Limits/Reset", .request = &req.base, .timeout_ms = 10000};
	Latchkey__V1__ResetLimitResponse *m;
	bool existed;

	req.has_name = req.has_algorithm = true;
	req.name = raw_text(name);
	req.algorithm = algorithm;
	m = must_ask(instance, &call, TYPE(reset_limit_response));
	existed = m->existed;
	raw_free(m);
	return existed;
}

static void record(int instance, const char *counter, unsigned first, unsigned count)
{
	Latchkey__V1__RecordVisitorsRequest req = LATCHKEY__V1__RECORD_VISITORS_REQUEST__INIT;
	const struct raw_call call = {
	    .method = "/latchkey.v1.Visitors/Record", .request = &req.base, .timeout_ms = 10000};
	ProtobufCBinaryData ids[1024];
	char texts[1024][12];

	assert_true(count <= 1024);
	for (unsigned i = 0; i < count; i++) {
		snprintf(texts[i], sizeof(texts[i]), "v%u", first + i);
		ids[i] = raw_text(texts[i]);
	}
	req.has_counter = true;
	req.counter = raw_text(counter);
	req.n_ids = count;
	req.ids = ids;
	raw_free(must_ask(instance, &call, TYPE(record_visitors_response)));
}

static uint64_t count(int instance, const char *const *names, size_t n, uint64_t from_ms, uint32_t buckets)
{
	Latchkey__V1__CountVisitorsRequest req = LATCHKEY__V1__COUNT_VISITORS_REQUEST__INIT;
	const struct raw_call call = {
	    .method = "/latchkey.v1.Visitors/Count", .request = &req.base, .timeout_ms = 10000};
	Latchkey__V1__CountVisitorsResponse *m;
	ProtobufCBinaryData counters[16];
	uint64_t found;

	for (size_t i = 0; i < n; i++)
		counters[i] = raw_text(names[i]);
	req.n_counters = n;
	req.counters = counters;
	req.has_from_ms = from_ms > 0;
	req.from_ms = from_ms;
	m = must_ask(instance, &call, TYPE(count_visitors_response));
	found = m->count;
	assert_true(m->buckets == buckets || m->buckets == buckets + 1);
	raw_free(m);
	return found;
}

/* ---- What is in Redis ---- */

static unsigned odd_keys_of(const struct redis_server *server)
{
	redisReply *reply = redis_server_command(server, "SCAN 0 MATCH lk1:v:* COUNT %d", SCAN_KEYS_MAX);
	unsigned odd = 0;

	assert_string_equal(reply->element[0]->str, "0");
	for (size_t i = 0; i < reply->element[1]->elements; i++) {
		const char *bucket = strstr(reply->element[1]->element[i]->str, "}:");

		assert_non_null(bucket);
		odd += bucket[2] != 'd' && bucket[2] != 'h' ? 1 : 0;
	}
	freeReplyObject(reply);
	return odd;
}

/* Keys of visitors that are no buckets, on all servers. */
static unsigned odd_keys(void)
{
	unsigned odd = 0;

	if (all.mode == STANDALONE)
		return odd_keys_of(&all.single);
	for (unsigned i = 0; all.mode == SENTINELS && i < all.sentinels.count; i++)
		odd += odd_keys_of(&all.sentinels.nodes[i]);
	for (unsigned i = 0; all.mode == CLUSTER && i < all.cluster.count; i++)
		odd += odd_keys_of(&all.cluster.nodes[i]);
	return odd;
}

/* ---- The tests ---- */

static void test_limits_hold_over_instances(void **state)
{
	(void)state;
	for (int a = 0; a <= LATCHKEY__V1__LIMIT_ALGORITHM__TOKEN_BUCKET; a++) {
		unsigned allowed = 0;

		for (int i = 0; i < 40; i++)
			allowed += check(i % INSTANCES, "login", (Latchkey__V1__LimitAlgorithm)a, 1) ? 1 : 0;
		assert_int_equal(allowed, 20);
		assert_true(reset(1, "login", (Latchkey__V1__LimitAlgorithm)a));
		assert_false(reset(0, "login", (Latchkey__V1__LimitAlgorithm)a));
		assert_true(check(0, "login", (Latchkey__V1__LimitAlgorithm)a, 20));
		assert_false(check(1, "login", (Latchkey__V1__LimitAlgorithm)a, 0));
	}
	assert_true(server_counter(&all.callers[0], "latchkey_limits_allowed_total") >= 40);
	assert_true(server_counter(&all.callers[1], "latchkey_limits_refused_total") >= 40);
}

static void test_locks_exclude_over_instances(void **state)
{
	const struct lock_seen held = acquire(0, "nightly", LONG_MS, 0);
	struct lock_seen other = acquire(1, "nightly", LONG_MS, 0);
	uint64_t number = 0;

	(void)state;
	assert_true(held.acquired && !other.acquired);
	assert_int_equal(other.expires_at_ms, held.expires_at_ms);
	assert_true(extend(1, "nightly", held.owner, &number));
	assert_int_equal(number, held.number);
	assert_false(release(1, "nightly", "somebody-else's-owner"));
	assert_true(release(1, "nightly", held.owner));
	other = acquire(1, "nightly", LONG_MS, 0);
	assert_true(other.acquired && other.number > held.number);
	assert_false(extend(0, "nightly", held.owner, &number));
	/* A wait that is in vain ends before the call's time does. */
	assert_false(acquire(0, "nightly", LONG_MS, 300).acquired);
	assert_true(release(0, "nightly", other.owner));
}

static uint32_t remaining_with_key(int instance, const char *key)
{
	Latchkey__V1__CheckLimitRequest req = LATCHKEY__V1__CHECK_LIMIT_REQUEST__INIT;
	const struct raw_call call = {
	    .method = "/latchkey.v1.Limits/Check", .request = &req.base, .timeout_ms = 10000, .idempotency_key = key};
	Latchkey__V1__CheckLimitResponse *m;
	uint32_t remaining;

	req.has_name = req.has_limit = req.has_per_ms = true;
	req.name = raw_text("with a key");
	req.limit = 20;
	req.per_ms = LONG_MS;
	m = must_ask(instance, &call, TYPE(check_limit_response));
	remaining = m->remaining;
	raw_free(m);
	return remaining;
}

static void acquire_with_key(int instance, const char *key, struct lock_seen *ret)
{
	Latchkey__V1__AcquireLockRequest req = LATCHKEY__V1__ACQUIRE_LOCK_REQUEST__INIT;
	const struct raw_call call = {
	    .method = "/latchkey.v1.Locks/Acquire", .request = &req.base, .timeout_ms = 10000, .idempotency_key = key};
	Latchkey__V1__AcquireLockResponse *m;

	req.has_name = req.has_ttl_ms = true;
	req.name = raw_text("with a key");
	req.ttl_ms = LONG_MS;
	m = must_ask(instance, &call, TYPE(acquire_lock_response));
	see_lock(m, ret);
	raw_free(m);
}

/* By whichever instance they come. */
static void test_repetitions_take_once(void **state)
{
	struct lock_seen first;
	struct lock_seen again;

	(void)state;
	assert_int_equal(remaining_with_key(0, "one"), 19);
	assert_int_equal(remaining_with_key(1, "one"), 19);
	assert_int_equal(remaining_with_key(1, "two"), 18);
	acquire_with_key(0, "one", &first);
	acquire_with_key(1, "one", &again);
	assert_true(first.acquired && again.acquired && first.number == again.number);
	assert_string_equal(first.owner, again.owner);
	acquire_with_key(1, "two", &again);
	assert_false(again.acquired);
	assert_true(release(1, "with a key", first.owner));
}

static void send_acquire(struct raw *r, const char *name)
{
	Latchkey__V1__AcquireLockRequest req = LATCHKEY__V1__ACQUIRE_LOCK_REQUEST__INIT;
	const struct raw_call call = {
	    .method = "/latchkey.v1.Locks/Acquire", .request = &req.base, .timeout_ms = 2 * BOUND_MS};

	req.has_name = req.has_ttl_ms = req.has_wait_ms = true;
	req.name = raw_text(name);
	req.ttl_ms = LONG_MS;
	req.wait_ms = BOUND_MS;
	assert_true(raw_send_calls(r, 3, &call, 1));
}

static void test_a_waiting_call_gets_the_lock(void **state)
{
	const struct lock_seen held = acquire(0, "waited for", LONG_MS, 0);
	const uint64_t waited = server_counter(&all.callers[1], "latchkey_locks_waited_total");
	Latchkey__V1__ReplyFrame *frame = NULL;
	Latchkey__V1__AcquireLockResponse *m;
	struct lock_seen seen;
	struct raw observer;

	(void)state;
	raw_connect(&observer, all.services[1].url);
	send_acquire(&all.callers[1], "waited for");
	assert_becomes(server_counter(&observer, "latchkey_locks_waited_total") > waited + 2, BOUND_MS);
	assert_true(release(0, "waited for", held.owner));
	assert_true(raw_receive(&all.callers[1], NULL, &frame, 2 * BOUND_MS));
	assert_int_equal(frame->replies[0]->code, OK);
	m = (Latchkey__V1__AcquireLockResponse *)raw_unpack(frame->replies[0], TYPE(acquire_lock_response));
	see_lock(m, &seen);
	assert_true(seen.acquired && seen.number > held.number);
	raw_free(m);
	raw_free(frame);
	raw_close(&observer);
}

/* A lock that is given to somebody who does not hear of it is nobody's until it ends. */
static void test_who_has_hung_up_gets_no_lock(void **state)
{
	const struct lock_seen held = acquire(0, "hung up", LONG_MS, 0);
	const uint64_t waited = server_counter(&all.callers[1], "latchkey_locks_waited_total");
	const uint64_t failed = server_counter(&all.callers[1], "latchkey_calls_failed_total");
	struct raw waiter;
	struct lock_seen next;

	(void)state;
	raw_connect(&waiter, all.services[1].url);
	send_acquire(&waiter, "hung up");
	assert_becomes(server_counter(&all.callers[1], "latchkey_locks_waited_total") > waited, BOUND_MS);
	raw_close(&waiter);
	assert_becomes(server_counter(&all.callers[1], "latchkey_calls_failed_total") > failed, BOUND_MS / 2);
	assert_true(release(0, "hung up", held.owner));
	next = acquire(0, "hung up", LONG_MS, 0);
	assert_true(next.acquired);
	assert_true(release(0, "hung up", next.owner));
}

#define WAITERS 8

static bool has_reply(const struct raw *r)
{
	struct pollfd p = {.fd = r->fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

/* The one who got it; nobody else has, until he has released it. */
static void take_turn(struct raw *waiters, bool *is_done, uint64_t *last_number)
{
	Latchkey__V1__AcquireLockResponse *m;
	Latchkey__V1__ReplyFrame *frame = NULL;
	struct lock_seen seen;
	int winner = -1;

	assert_becomes(({
			       for (int i = 0; i < WAITERS; i++)
				       winner = !is_done[i] && has_reply(&waiters[i]) ? i : winner;
			       winner >= 0;
		       }),
		       BOUND_MS);
	assert_true(raw_receive(&waiters[winner], NULL, &frame, BOUND_MS));
	m = (Latchkey__V1__AcquireLockResponse *)raw_unpack(frame->replies[0], TYPE(acquire_lock_response));
	see_lock(m, &seen);
	raw_free(m);
	raw_free(frame);
	assert_true(seen.acquired && seen.number > *last_number);
	*last_number = seen.number;
	is_done[winner] = true;
	for (int i = 0; i < WAITERS; i++)
		assert_false(!is_done[i] && has_reply(&waiters[i]));
	assert_true(release(winner % INSTANCES, "crowded", seen.owner));
}

static void test_many_wait_and_each_has_it_alone(void **state)
{
	const struct lock_seen held = acquire(0, "crowded", LONG_MS, 0);
	struct raw waiters[WAITERS];
	bool is_done[WAITERS] = {false};
	uint64_t last_number = held.number;

	(void)state;
	assert_true(held.acquired);
	for (int i = 0; i < WAITERS; i++) {
		raw_connect(&waiters[i], all.services[i % INSTANCES].url);
		send_acquire(&waiters[i], "crowded");
	}
	assert_true(release(0, "crowded", held.owner));
	for (int i = 0; i < WAITERS; i++)
		take_turn(waiters, is_done, &last_number);
	for (int i = 0; i < WAITERS; i++)
		raw_close(&waiters[i]);
}

/* The drain does not wait for a lock: whoever waits for one is told that another holds it. */
static void test_a_waiting_call_at_the_end(void **state)
{
	const struct lock_seen held = acquire(0, "at the end", LONG_MS, 0);
	const uint64_t waited = server_counter(&all.callers[1], "latchkey_locks_waited_total");
	Latchkey__V1__ReplyFrame *frame = NULL;
	Latchkey__V1__AcquireLockResponse *m;
	struct lock_seen seen;
	struct raw observer;

	(void)state;
	assert_true(held.acquired);
	raw_connect(&observer, all.services[1].url);
	send_acquire(&all.callers[1], "at the end");
	assert_becomes(server_counter(&observer, "latchkey_locks_waited_total") > waited, BOUND_MS);
	raw_close(&observer);
	latchkeyd_stop(&all.services[1]);
	assert_true(raw_receive(&all.callers[1], NULL, &frame, BOUND_MS));
	m = (Latchkey__V1__AcquireLockResponse *)raw_unpack(frame->replies[0], TYPE(acquire_lock_response));
	see_lock(m, &seen);
	assert_false(seen.acquired);
	raw_free(m);
	raw_free(frame);
	raw_close(&all.callers[1]);
	latchkeyd_start_serving(&all.services[1]);
	raw_connect(&all.callers[1], all.services[1].url);
	assert_true(release(1, "at the end", held.owner));
}

static void test_visitors_over_shards(void **state)
{
	static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h",
					    "i", "j", "k", "l", "m", "n", "o", "p"};

	(void)state;
	for (unsigned i = 0; i < 16; i++)
		record((int)i % INSTANCES, names[i], i * 100, 200);
	assert_in_range(count(0, names, 1, 0, 1), 195, 205);
	assert_in_range(count(1, names, 16, 0, 1), 1640, 1760);
	assert_in_range(count(0, names, 16, now_wall_ms() - 59 * 86400000ULL, 60), 1640, 1760);
	assert_int_equal(count(0, (const char *const[]){"nobody", "none"}, 2, 0, 1), 0);
	record(0, "full", 0, 1024);
	assert_in_range(count(1, (const char *const[]){"full"}, 1, 0, 1), 990, 1058);
	assert_int_equal(odd_keys(), 0);
}

/* A lock stays with its holder; a count stays as it was; and nobody is refused who has taken nothing. */
static void test_failover(void **state)
{
	static const char *const names[] = {"x", "y", "z"};
	struct lock_seen held[8];
	char name[8][16];
	uint64_t visitors;
	uint64_t number;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		record(0, names[i], i * 100, 500);
	visitors = count(0, names, 3, 0, 1);
	for (unsigned i = 0; i < 8; i++) {
		snprintf(name[i], sizeof(name[i]), "lock %u", i);
		held[i] = acquire((int)i % INSTANCES, name[i], LONG_MS, 0);
		assert_true(held[i].acquired);
	}
	fail_over();
	for (unsigned i = 0; i < 8; i++) {
		struct lock_seen next = acquire((int)i % INSTANCES, name[i], LONG_MS, 0);

		assert_false(next.acquired);
		assert_true(extend((int)(i + 1) % INSTANCES, name[i], held[i].owner, &number));
		assert_int_equal(number, held[i].number);
		assert_true(release(0, name[i], held[i].owner));
		next = acquire(1, name[i], LONG_MS, 0);
		assert_true(next.acquired && next.number > held[i].number);
	}
	assert_int_equal(count(1, names, 3, 0, 1), visitors);
	assert_true(check(0, "after it", LATCHKEY__V1__LIMIT_ALGORITHM__SLIDING_WINDOW, 20));
}

static void test_refusals(void **state)
{
	Latchkey__V1__RecordVisitorsRequest many = LATCHKEY__V1__RECORD_VISITORS_REQUEST__INIT;
	Latchkey__V1__CheckLimitRequest limit = LATCHKEY__V1__CHECK_LIMIT_REQUEST__INIT;
	Latchkey__V1__AcquireLockRequest lock = LATCHKEY__V1__ACQUIRE_LOCK_REQUEST__INIT;
	ProtobufCBinaryData ids[1025];
	const struct raw_call calls[] = {
	    {.method = "/latchkey.v1.Visitors/Record", .request = &many.base},
	    {.method = "/latchkey.v1.Visitors/Count", .body = {0, NULL}},
	    {.method = "/latchkey.v1.Limits/Check", .request = &limit.base},
	    {.method = "/latchkey.v1.Locks/Acquire", .request = &lock.base},
	    {.method = "/latchkey.v1.Locks/Release", .body = {0, NULL}},
	};

	(void)state;
	for (unsigned i = 0; i < 1025; i++)
		ids[i] = raw_text("x");
	many.n_ids = 1025;
	many.ids = ids;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		(void)raw_call_expect(&all.callers[0], LATCHKEY__V1__CODE__INVALID_ARGUMENT, &calls[i], NULL);
	lock.has_realm = true;
	lock.realm = raw_text("nowhere");
	(void)raw_call_expect(&all.callers[0], LATCHKEY__V1__CODE__NOT_FOUND, &calls[3], NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_limits_hold_over_instances),
	    cmocka_unit_test(test_locks_exclude_over_instances),
	    cmocka_unit_test(test_repetitions_take_once),
	    cmocka_unit_test(test_a_waiting_call_gets_the_lock),
	    cmocka_unit_test(test_who_has_hung_up_gets_no_lock),
	    cmocka_unit_test(test_many_wait_and_each_has_it_alone),
	    cmocka_unit_test(test_a_waiting_call_at_the_end),
	    cmocka_unit_test(test_visitors_over_shards),
	    cmocka_unit_test(test_failover),
	};
	int failed = 0;

	failed += cmocka_run_group_tests_name("standalone", tests, open_standalone, close_all);
	failed += cmocka_run_group_tests_name("sentinel", tests, open_sentinels, close_all);
	failed += cmocka_run_group_tests_name("cluster", tests, open_cluster, close_all);
	return failed;
}
