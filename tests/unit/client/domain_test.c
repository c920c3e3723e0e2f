/* Visitors, the auth cache, limits and locks: requests as they reach a server, and its answers as results. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "latchkey/auth.h"
#include "latchkey/limit.h"
#include "latchkey/lock.h"
#include "latchkey/v1/auth_cache.pb-c.h"
#include "latchkey/v1/limits.pb-c.h"
#include "latchkey/v1/locks.pb-c.h"
#include "latchkey/v1/visitors.pb-c.h"
#include "latchkey/visitors.h"
#include "seen_util.h"

/* ---- Visitors ---- */

static void visitors_are_recorded_and_counted(void **state)
{
	Latchkey__V1__RecordVisitorsResponse recorded = LATCHKEY__V1__RECORD_VISITORS_RESPONSE__INIT;
	Latchkey__V1__CountVisitorsResponse counted = LATCHKEY__V1__COUNT_VISITORS_RESPONSE__INIT;
	struct lk_visitors_record_request record = LK_VISITORS_RECORD_REQUEST_INIT;
	struct lk_visitors_count_request count = LK_VISITORS_COUNT_REQUEST_INIT;
	static const char *const counters[] = {"home", "shop"};
	const struct lk_bytes ids[] = {{"a", 1}, {"b", 1}};
	Latchkey__V1__RecordVisitorsRequest *m;
	Latchkey__V1__CountVisitorsRequest *c;
	uint32_t buckets = 0;
	uint64_t visitors = 0;
	bool changed = false;

	(void)state;
	recorded.has_changed = recorded.changed = true;
	seen.answer = &recorded.base;
	record.counter = "home";
	record.ids = ids;
	record.id_count = 2;
	record.at_ms = 1700000000123;
	assert_int_equal(lk_visitors_record(client, &record, &changed, NULL), LK_OK);
	assert_true(changed);
	m = unpack_seen(&latchkey__v1__record_visitors_request__descriptor, "/latchkey.v1.Visitors/Record", false);
	assert_bytes(m->counter, "home");
	assert_int_equal(m->n_ids, 2);
	assert_int_equal(m->at_ms, 1700000000123);
	done_with(m);
	record.id_count = 1025;
	assert_int_equal(lk_visitors_record(client, &record, &changed, NULL), LK_E_INVALID_ARGUMENT);
	seen.answer = &counted.base;
	count.counters = counters;
	count.counter_count = 2;
	count.by_hour = true;
	count.from_ms = 5;
	count.to_ms = 6;
	/* Silence is no zero. */
	assert_int_equal(lk_visitors_count(client, &count, &visitors, &buckets, NULL), LK_E_PROTOCOL);
	counted.has_count = counted.has_buckets = true;
	counted.count = 1234567890123;
	counted.buckets = 24;
	assert_int_equal(lk_visitors_count(client, &count, &visitors, &buckets, NULL), LK_OK);
	assert_int_equal(visitors, 1234567890123);
	assert_int_equal(buckets, 24);
	c = unpack_seen(&latchkey__v1__count_visitors_request__descriptor, "/latchkey.v1.Visitors/Count", false);
	assert_bytes(c->counters[1], "shop");
	assert_int_equal(c->bucket, LATCHKEY__V1__VISITOR_BUCKET__HOUR);
	assert_true(c->from_ms == 5 && c->to_ms == 6);
	done_with(c);
	count.counter_count = 17;
	assert_int_equal(lk_visitors_count(client, &count, &visitors, &buckets, NULL), LK_E_INVALID_ARGUMENT);
}

/* ---- The auth cache ---- */

static void an_answer_is_looked_up(void **state)
{
	Latchkey__V1__LookupAuthResponse response = LATCHKEY__V1__LOOKUP_AUTH_RESPONSE__INIT;
	struct lk_auth_lookup_request request = LK_AUTH_LOOKUP_REQUEST_INIT;
	const struct lk_bytes groups[] = {{"role:editor", 11}};
	Latchkey__V1__LookupAuthRequest *m;
	lk_auth_answer *answer = NULL;

	(void)state;
	response.has_state = response.has_lease = response.has_expires_at_ms = response.has_early = true;
	response.state = LATCHKEY__V1__AUTH_STATE__STALE;
	response.lease = bytes_of("lease");
	response.expires_at_ms = 1700000000123;
	response.early = true;
	seen.answer = &response.base;
	request.subject = lk_text("ann");
	request.key = lk_text("may");
	request.groups = groups;
	request.group_count = 1;
	request.load_wait_ms = 700;
	request.lease_ms = 300;
	/* An answer that is not there must not pass for an empty one. */
	assert_int_equal(lk_auth_lookup(client, &request, &answer, NULL), LK_E_PROTOCOL);
	response.has_answer = true;
	assert_int_equal(lk_auth_lookup(client, &request, &answer, NULL), LK_OK);
	assert_int_equal(lk_auth_state_of(answer), LK_AUTH_STALE);
	assert_non_null(lk_auth_answer_bytes(answer).data);
	assert_int_equal(lk_auth_answer_bytes(answer).len, 0);
	assert_string_equal(lk_auth_answer_lease(answer).data, "lease");
	assert_int_equal(lk_auth_answer_expires_at_ms(answer), 1700000000123);
	assert_true(lk_auth_answer_is_early(answer));
	assert_false(lk_auth_answer_is_loaded(answer));
	lk_auth_answer_free(&answer);
	m = unpack_seen(&latchkey__v1__lookup_auth_request__descriptor, "/latchkey.v1.AuthCache/Lookup", false);
	assert_bytes(m->groups[0], "role:editor");
	assert_true(m->wait_ms == 700 && m->lease_ms == 300 && !m->has_no_lease);
	assert_int_equal(seen.timeout_ms, LONG_MS + 700);
	done_with(m);
	/* What a later version may say. */
	response.state = (Latchkey__V1__AuthState)77;
	assert_int_equal(lk_auth_lookup(client, &request, &answer, NULL), LK_E_PROTOCOL);
	response.has_state = false;
	assert_int_equal(lk_auth_lookup(client, &request, &answer, NULL), LK_E_PROTOCOL);
	request.group_count = 5;
	assert_int_equal(lk_auth_lookup(client, &request, &answer, NULL), LK_E_INVALID_ARGUMENT);
	assert_null(answer);
	assert_string_equal(lk_auth_state_name(LK_AUTH_NEGATIVE), "NEGATIVE");
	assert_string_equal(lk_auth_state_name((enum lk_auth_state)77), "UNKNOWN");
}

static void an_answer_is_filled_and_forgotten(void **state)
{
	Latchkey__V1__FillAuthResponse filled = LATCHKEY__V1__FILL_AUTH_RESPONSE__INIT;
	Latchkey__V1__ForgetAuthResponse forgotten = LATCHKEY__V1__FORGET_AUTH_RESPONSE__INIT;
	struct lk_auth_forget_request forget_request = LK_AUTH_FORGET_REQUEST_INIT;
	struct lk_auth_fill_request fill = LK_AUTH_FILL_REQUEST_INIT;
	Latchkey__V1__ForgetAuthRequest *f;
	Latchkey__V1__FillAuthRequest *m;
	uint64_t expires_at_ms = 0;
	bool done = false;

	(void)state;
	filled.has_stored = filled.stored = filled.has_expires_at_ms = true;
	filled.expires_at_ms = 5;
	seen.answer = &filled.base;
	fill.subject = lk_text("ann");
	fill.key = lk_text("may");
	fill.lease = lk_text("lease");
	fill.load_ms = 30;
	assert_int_equal(lk_auth_fill(client, &fill, &done, &expires_at_ms, NULL), LK_OK);
	assert_true(done && expires_at_ms == 5);
	m = unpack_seen(&latchkey__v1__fill_auth_request__descriptor, "/latchkey.v1.AuthCache/Fill", true);
	assert_true(m->has_answer && m->answer.len == 0 && m->load_ms == 30 && !m->has_ttl_ms);
	done_with(m);
	fill.negative = true;
	assert_int_equal(lk_auth_fill(client, &fill, NULL, NULL, NULL), LK_OK);
	m = unpack_seen(&latchkey__v1__fill_auth_request__descriptor, "/latchkey.v1.AuthCache/Fill", true);
	assert_false(m->has_answer);
	done_with(m);
	forgotten.has_forgotten = forgotten.forgotten = true;
	seen.answer = &forgotten.base;
	forget_request.group = lk_text("role:editor");
	assert_int_equal(lk_auth_forget(client, &forget_request, &done, NULL), LK_OK);
	f = unpack_seen(&latchkey__v1__forget_auth_request__descriptor, "/latchkey.v1.AuthCache/Forget", true);
	assert_true(!f->has_subject && !f->has_key);
	assert_bytes(f->group, "role:editor");
	done_with(f);
}

/* ---- Limits ---- */

static void a_limit_is_checked(void **state)
{
	Latchkey__V1__CheckLimitResponse response = LATCHKEY__V1__CHECK_LIMIT_RESPONSE__INIT;
	struct lk_limit_check_request request = LK_LIMIT_CHECK_REQUEST_INIT;
	struct lk_limit_state limit = LK_LIMIT_STATE_INIT;
	Latchkey__V1__CheckLimitRequest *m;

	(void)state;
	seen.answer = &response.base;
	request.name = lk_text("login:ann");
	request.limit = 5;
	request.per_ms = 60000;
	limit.remaining = 77;
	/* Neither yes nor no, and nothing is written. */
	assert_int_equal(lk_limit_check(client, &request, &limit, NULL), LK_E_PROTOCOL);
	assert_int_equal(limit.remaining, 77);
	response.has_allowed = response.has_retry_after_ms = response.has_reset_ms = true;
	response.retry_after_ms = 12000;
	response.reset_ms = 60000;
	assert_int_equal(lk_limit_check(client, &request, &limit, NULL), LK_OK);
	assert_false(limit.allowed);
	assert_true(limit.remaining == 0 && limit.retry_after_ms == 12000 && limit.reset_ms == 60000);
	assert_int_equal(limit.struct_size, sizeof(limit));
	m = unpack_seen(&latchkey__v1__check_limit_request__descriptor, "/latchkey.v1.Limits/Check", true);
	assert_true(m->limit == 5 && m->per_ms == 60000 && !m->has_algorithm && !m->has_burst && !m->has_cost);
	done_with(m);
	/* 0 means the default, unless it is said that nothing is to be taken. */
	request.peek = true;
	request.burst = 9;
	request.algorithm = LK_LIMIT_TOKEN_BUCKET;
	assert_int_equal(lk_limit_check(client, &request, &limit, NULL), LK_OK);
	m = unpack_seen(&latchkey__v1__check_limit_request__descriptor, "/latchkey.v1.Limits/Check", true);
	assert_true(m->has_cost && m->cost == 0 && m->burst == 9);
	assert_int_equal(m->algorithm, LATCHKEY__V1__LIMIT_ALGORITHM__TOKEN_BUCKET);
	done_with(m);
	assert_string_equal(lk_limit_algorithm_name(LK_LIMIT_SLIDING_WINDOW), "SLIDING_WINDOW");
	assert_string_equal(lk_limit_algorithm_name((enum lk_limit_algorithm)9), "UNRECOGNIZED");
}

static void a_limit_is_reset(void **state)
{
	Latchkey__V1__ResetLimitResponse response = LATCHKEY__V1__RESET_LIMIT_RESPONSE__INIT;
	struct lk_limit_reset_request request = LK_LIMIT_RESET_REQUEST_INIT;
	bool existed = false;

	(void)state;
	response.has_existed = response.existed = true;
	seen.answer = &response.base;
	request.name = lk_text("login:ann");
	assert_int_equal(lk_limit_reset(client, &request, &existed, NULL), LK_OK);
	assert_true(existed);
	done_with(unpack_seen(&latchkey__v1__reset_limit_request__descriptor, "/latchkey.v1.Limits/Reset", true));
}

/* ---- Locks ---- */

static void a_lock_is_acquired(void **state)
{
	Latchkey__V1__AcquireLockResponse response = LATCHKEY__V1__ACQUIRE_LOCK_RESPONSE__INIT;
	struct lk_lock_acquire_request request = LK_LOCK_ACQUIRE_REQUEST_INIT;
	struct lk_lock_state lock = LK_LOCK_STATE_INIT;
	Latchkey__V1__AcquireLockRequest *m;

	(void)state;
	seen.answer = &response.base;
	request.name = lk_text("report");
	request.ttl_ms = 1000;
	request.lock_wait_ms = 400;
	assert_int_equal(lk_lock_acquire(client, &request, &lock, NULL), LK_E_PROTOCOL);
	response.has_acquired = response.acquired = response.has_fencing_token = true;
	response.fencing_token = 12;
	/* Nobody could release it. */
	assert_int_equal(lk_lock_acquire(client, &request, &lock, NULL), LK_E_PROTOCOL);
	response.has_owner = true;
	response.owner = bytes_of("sixteen bytes or more");
	assert_int_equal(lk_lock_acquire(client, &request, &lock, NULL), LK_OK);
	assert_true(lock.held && lock.fencing_token == 12);
	assert_int_equal(lk_lock_owner(&lock).len, strlen("sixteen bytes or more"));
	m = unpack_seen(&latchkey__v1__acquire_lock_request__descriptor, "/latchkey.v1.Locks/Acquire", true);
	assert_true(m->ttl_ms == 1000 && m->wait_ms == 400);
	assert_int_equal(seen.timeout_ms, LONG_MS + 400);
	done_with(m);
	response = (Latchkey__V1__AcquireLockResponse)LATCHKEY__V1__ACQUIRE_LOCK_RESPONSE__INIT;
	response.has_acquired = response.has_retry_after_ms = true;
	response.retry_after_ms = 90;
	assert_int_equal(lk_lock_acquire(client, &request, &lock, NULL), LK_OK);
	assert_true(!lock.held && lock.retry_after_ms == 90 && lock.owner_bytes == 0);
}

static void a_lock_is_extended_and_released(void **state)
{
	Latchkey__V1__ExtendLockResponse extended = LATCHKEY__V1__EXTEND_LOCK_RESPONSE__INIT;
	Latchkey__V1__ReleaseLockResponse released = LATCHKEY__V1__RELEASE_LOCK_RESPONSE__INIT;
	struct lk_lock_extend_request extend = LK_LOCK_EXTEND_REQUEST_INIT;
	struct lk_lock_release_request release = LK_LOCK_RELEASE_REQUEST_INIT;
	struct lk_lock_state lock = LK_LOCK_STATE_INIT;
	Latchkey__V1__ExtendLockRequest *m;
	bool done = true;

	(void)state;
	seen.answer = &extended.base;
	extend.name = lk_text("report");
	extend.owner = lk_text("owner");
	extend.ttl_ms = 1000;
	assert_int_equal(lk_lock_extend(client, &extend, &lock, NULL), LK_E_PROTOCOL);
	extended.has_held = true;
	assert_int_equal(lk_lock_extend(client, &extend, &lock, NULL), LK_OK);
	assert_false(lock.held);
	m = unpack_seen(&latchkey__v1__extend_lock_request__descriptor, "/latchkey.v1.Locks/Extend", true);
	assert_bytes(m->owner, "owner");
	done_with(m);
	seen.answer = &released.base;
	release.name = lk_text("report");
	release.owner = lk_text("owner");
	assert_int_equal(lk_lock_release(client, &release, &done, NULL), LK_OK);
	assert_false(done);
	done_with(unpack_seen(&latchkey__v1__release_lock_request__descriptor, "/latchkey.v1.Locks/Release", true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SEEN_TEST(visitors_are_recorded_and_counted),
	    SEEN_TEST(an_answer_is_looked_up),
	    SEEN_TEST(an_answer_is_filled_and_forgotten),
	    SEEN_TEST(a_limit_is_checked),
	    SEEN_TEST(a_limit_is_reset),
	    SEEN_TEST(a_lock_is_acquired),
	    SEEN_TEST(a_lock_is_extended_and_released),
	};

	return cmocka_run_group_tests(tests, open_seen, close_seen);
}
