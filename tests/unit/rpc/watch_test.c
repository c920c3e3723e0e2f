/* Watch: calls that are parked, and how each of them ends. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "rpc/watchers.h"
#include "support/check.h"
#include "support/fixture.h"

#define WATCH "/latchkey.v1.Sessions/Watch"
#define TAG   "0123456789A"

#define OK LATCHKEY__V1__CODE__OK

static int start(void **state)
{
	struct rpc_options options = fixture_options();

	options.frames_in_flight_max = 2 * WATCHERS_MAX;
	options.frames_in_flight_per_connection_max = 2 * WATCHERS_MAX;
	*state = fixture_start(&options);
	return 0;
}

static int stop(void **state)
{
	struct fixture *f = *state;

	fixture_stop(&f);
	return 0;
}

static struct bytes watch_frame(ProtobufCBinaryData cursor, uint32_t events_max, uint32_t timeout_ms)
{
	Latchkey__V1__WatchSessionsRequest m = LATCHKEY__V1__WATCH_SESSIONS_REQUEST__INIT;

	m.has_cursor = cursor.data != NULL;
	m.cursor = cursor;
	m.has_events_max = events_max > 0;
	m.events_max = events_max;
	return frame_of_one(WATCH, &m.base, timeout_ms);
}

static uint32_t watch(struct fixture *f, const char *cursor, uint32_t timeout_ms)
{
	const ProtobufCBinaryData none = {0};

	return caller_send(f->caller, watch_frame(cursor == NULL ? none : text(cursor), 0, timeout_ms));
}

/* So many watches have been parked since. */
static void wait_parked(uint64_t before, uint64_t count)
{
	const uint64_t until_ms = clock_mono_ms() + CHECK_PATIENCE_S * 1000;

	while (metric_get(METRIC_WATCHES) < before + count)
		check(clock_mono_ms() < until_ms);
}

static uint32_t watch_parked(struct fixture *f, const char *cursor, uint32_t timeout_ms)
{
	const uint64_t before = metric_get(METRIC_WATCHES);
	const uint32_t id = watch(f, cursor, timeout_ms);

	wait_parked(before, 1);
	return id;
}

/* Sessions are told apart by two characters of their names. */
static void happen(struct fixture *f, uint32_t realm_tag, enum session_event_kind kind, unsigned n)
{
	char name[NAME_CHARS];

	memset(name, 'A', sizeof(name));
	name[0] = (char)('A' + n % 26);
	name[1] = (char)('A' + n / 26);
	event_log_hear(f->events,
		       &(struct announcement){.kind = kind,
					      .realm_tag = realm_tag,
					      .reason = kind == EVENT_REVOKED ? REASON_ADMIN : REASON_NONE,
					      .at_ms = 1000 + n,
					      .tag = SPAN_LIT(TAG),
					      .names = span_of(name, sizeof(name))},
		       1);
}

struct seen {
	size_t count;
	bool is_gap;
	char first; /* character of the first event's name */
	char last;
	char cursor[EVENT_CURSOR_CHARS + 1];
};

static struct seen seen_in(const Latchkey__V1__Reply *reply)
{
	Latchkey__V1__WatchSessionsResponse *m;
	struct seen seen = {0};

	if (reply->code != OK)
		fail_msg("code %d: %.*s", (int)reply->code, (int)reply->message.len, (const char *)reply->message.data);
	m = body_of(reply, &latchkey__v1__watch_sessions_response__descriptor);
	seen.count = m->n_events;
	seen.is_gap = m->gap;
	if (m->n_events > 0) {
		seen.first = (char)m->events[0]->handle.data[USER_TAG_CHARS + 1];
		seen.last = (char)m->events[m->n_events - 1]->handle.data[USER_TAG_CHARS + 1];
	}
	assert_int_equal(m->cursor.len, EVENT_CURSOR_CHARS);
	memcpy(seen.cursor, m->cursor.data, EVENT_CURSOR_CHARS);
	body_free(m);
	return seen;
}

static struct seen wait_seen(struct fixture *f, uint32_t id)
{
	Latchkey__V1__ReplyFrame *frame = caller_wait(f->caller, id);
	struct seen seen;

	assert_int_equal(frame->code, OK);
	assert_int_equal(frame->n_replies, 1);
	seen = seen_in(frame->replies[0]);
	reply_free(&frame);
	return seen;
}

static void expect_seen(struct fixture *f, uint32_t id, size_t count, bool is_gap, struct seen *ret)
{
	*ret = wait_seen(f, id);
	assert_int_equal(ret->count, count);
	assert_int_equal(ret->is_gap, is_gap);
}

/* ---- Answers ---- */

static void test_the_next_event_answers(void **state)
{
	struct fixture *f = *state;
	struct seen seen;
	uint32_t id;

	happen(f, f->realm.tag, EVENT_CREATED, 0);
	id = watch_parked(f, NULL, 0);
	assert_int_equal(caller_unread(f->caller), 0);
	happen(f, f->realm.tag, EVENT_CREATED, 1);
	expect_seen(f, id, 1, false, &seen);
	assert_int_equal(seen.first, 'B');
	/* What came meanwhile is there at once. */
	happen(f, f->realm.tag, EVENT_CREATED, 2);
	happen(f, f->realm.tag, EVENT_CREATED, 3);
	id = watch(f, seen.cursor, 0);
	expect_seen(f, id, 2, false, &seen);
	assert_int_equal(seen.first, 'C');
	assert_int_equal(seen.last, 'D');
}

static void test_all_of_an_event(void **state)
{
	struct fixture *f = *state;
	const uint32_t id = watch_parked(f, NULL, 0);
	Latchkey__V1__WatchSessionsResponse *m;
	Latchkey__V1__ReplyFrame *frame;

	happen(f, f->realm.tag, EVENT_REVOKED, 4);
	frame = caller_wait(f->caller, id);
	m = body_of(frame->replies[0], &latchkey__v1__watch_sessions_response__descriptor);
	assert_int_equal(m->n_events, 1);
	assert_int_equal(m->events[0]->kind, LATCHKEY__V1__EVENT_KIND__EVENT_REVOKED);
	assert_int_equal(m->events[0]->reason, LATCHKEY__V1__REASON__ADMIN);
	assert_int_equal(m->events[0]->at_ms, 1004);
	assert_int_equal(m->events[0]->user_tag.len, USER_TAG_CHARS);
	assert_memory_equal(m->events[0]->user_tag.data, TAG, USER_TAG_CHARS);
	assert_int_equal(m->events[0]->handle.len, HANDLE_CHARS);
	assert_memory_equal(m->events[0]->handle.data, TAG ".EAAA", USER_TAG_CHARS + 5);
	assert_false(m->events[0]->has_successor);
	assert_false(m->has_gap);
	body_free(m);
	reply_free(&frame);
}

static void test_another_realm_is_not_heard(void **state)
{
	struct fixture *f = *state;
	const uint32_t id = watch_parked(f, NULL, 400);
	struct seen seen;

	/* The same place in the log's table of realms too. */
	happen(f, (f->realm.tag + 1), EVENT_CREATED, 1);
	happen(f, (f->realm.tag + 256), EVENT_CREATED, 2);
	expect_seen(f, id, 0, false, &seen);
	happen(f, f->realm.tag, EVENT_CREATED, 3);
	expect_seen(f, watch(f, seen.cursor, 0), 1, false, &seen);
	assert_int_equal(seen.first, 'D');
}

static void test_pages(void **state)
{
	struct fixture *f = *state;
	struct seen seen;

	expect_seen(f, watch(f, NULL, 1), 0, false, &seen);
	for (unsigned n = 0; n < 25; n++)
		happen(f, f->realm.tag, EVENT_CREATED, n);
	for (unsigned page = 0; page < 3; page++) {
		const uint32_t id = caller_send(f->caller, watch_frame(text(seen.cursor), 10, 0));

		expect_seen(f, id, page == 2 ? 5 : 10, false, &seen);
		assert_int_equal(seen.first, 'A' + 10 * page);
	}
}

/* ---- Gaps ---- */

static void test_gaps(void **state)
{
	struct fixture *f = *state;
	struct seen seen, from_start;
	uint32_t id = watch_parked(f, NULL, 0);
	char foreign[EVENT_CURSOR_CHARS + 1];

	event_log_gap(f->events);
	expect_seen(f, id, 0, true, &from_start);
	/* Once told, it is over. */
	id = watch_parked(f, from_start.cursor, 0);
	happen(f, f->realm.tag, EVENT_CREATED, 1);
	expect_seen(f, id, 1, false, &seen);
	/* Of another instance, or an earlier run: from now on. */
	memcpy(foreign, seen.cursor, sizeof(foreign));
	foreign[0] = foreign[0] == 'a' ? 'b' : 'a';
	expect_seen(f, watch(f, foreign, 0), 0, true, &seen);
	/* A number that this run never gave. */
	memcpy(foreign, seen.cursor, sizeof(foreign));
	foreign[EVENT_INSTANCE_CHARS + 1] = 'f';
	expect_seen(f, watch(f, foreign, 0), 0, true, &seen);
	happen(f, f->realm.tag, EVENT_CREATED, 2);
	expect_seen(f, watch(f, seen.cursor, 0), 1, false, &seen);
	/* Dropped from memory. */
	for (unsigned n = 0; n <= EVENT_LOG_MAX; n++)
		event_log_gap(f->events);
	expect_seen(f, watch(f, from_start.cursor, 0), 0, true, &seen);
}

static void expect_refused(struct fixture *f, struct bytes frame, Latchkey__V1__Code code, const char *part)
{
	Latchkey__V1__ReplyFrame *reply = caller_ask(f->caller, frame);

	assert_int_equal(reply->replies[0]->code, code);
	assert_true(message_has(reply->replies[0]->message, part));
	reply_free(&reply);
}

static void test_wrong_requests(void **state)
{
	Latchkey__V1__WatchSessionsRequest elsewhere = LATCHKEY__V1__WATCH_SESSIONS_REQUEST__INIT;
	const Latchkey__V1__Code invalid = LATCHKEY__V1__CODE__INVALID_ARGUMENT;
	const ProtobufCBinaryData none = {0};
	struct fixture *f = *state;

	expect_refused(f, watch_frame(text(""), 0, 0), invalid, "cursor of 0 bytes");
	expect_refused(f, watch_frame(text("0123456789abcdef.0000"), 0, 0), invalid, "cursor of 21 bytes");
	expect_refused(f, watch_frame(text("0123456789abcdef.000000000000000z"), 0, 0), invalid, "cursor");
	expect_refused(f, watch_frame(none, 501, 0), invalid, "events_max 501: ask for 1 to 500");
	elsewhere.has_events_max = true;
	expect_refused(f, frame_of_one(WATCH, &elsewhere.base, 0), invalid, "events_max 0");
	elsewhere.has_realm = true;
	elsewhere.realm = text("elsewhere");
	expect_refused(f, frame_of_one(WATCH, &elsewhere.base, 0), LATCHKEY__V1__CODE__NOT_FOUND, "elsewhere");
}

/* ---- The end of the wait ---- */

/* Never DEADLINE_EXCEEDED, however short the time; and before the caller's own clock runs out. */
static void test_deadline(void **state)
{
	struct fixture *f = *state;
	const uint64_t deadlines = metric_get(METRIC_CALLS_DEADLINE);
	const uint64_t failed = metric_get(METRIC_CALLS_FAILED);
	struct seen seen;

	for (uint32_t timeout_ms = 1; timeout_ms <= 256; timeout_ms *= 4)
		expect_seen(f, watch(f, NULL, timeout_ms), 0, false, &seen);
	expect_seen(f, watch(f, seen.cursor, 1), 0, false, &seen);
	assert_int_equal(metric_get(METRIC_CALLS_DEADLINE), deadlines);
	assert_int_equal(metric_get(METRIC_CALLS_FAILED), failed);
}

/* The frame is answered when its last call is. */
static void test_with_others_in_a_frame(void **state)
{
	struct fixture *f = *state;
	const uint64_t before = metric_get(METRIC_WATCHES);
	Latchkey__V1__WatchSessionsRequest m = LATCHKEY__V1__WATCH_SESSIONS_REQUEST__INIT;
	Latchkey__V1__ListSessionsRequest list = LATCHKEY__V1__LIST_SESSIONS_REQUEST__INIT;
	const struct sent_call calls[] = {
	    {.method = WATCH, .body = &m.base},
	    {.method = HEALTH},
	    {.method = LIST, .body = &list.base, .timeout_ms = 50},
	    {.method = WATCH, .body = &m.base, .timeout_ms = 50},
	};
	Latchkey__V1__ReplyFrame *frame;
	struct store_op *op;
	uint32_t id;

	list.has_user = true;
	list.user = text("ann");
	id = caller_send(f->caller, frame_of(calls, 4));
	op = scripted_take(&f->script);
	wait_parked(before, 2);
	happen(f, f->realm.tag, EVENT_CREATED, 6);
	frame = caller_wait(f->caller, id);
	assert_int_equal(frame->n_replies, 4);
	assert_int_equal(seen_in(frame->replies[0]).count, 1);
	assert_int_equal(frame->replies[1]->code, OK);
	assert_int_equal(frame->replies[2]->code, LATCHKEY__V1__CODE__DEADLINE_EXCEEDED);
	(void)seen_in(frame->replies[3]);
	reply_free(&frame);
	scripted_outcome(op, STORE_LOST);
}

static void test_drain(void **state)
{
	const struct rpc_options options = fixture_options();
	struct fixture *f = fixture_start(&options);
	uint32_t ids[3];
	struct seen seen;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		ids[i] = watch_parked(f, NULL, 0);
	/* While it only says so, nobody is sent away. */
	rpc_server_set_draining(f->server);
	happen(f, f->realm.tag, EVENT_CREATED, 1);
	expect_seen(f, ids[0], 1, false, &seen);
	expect_seen(f, ids[1], 1, false, &seen);
	expect_seen(f, ids[2], 1, false, &seen);
	ids[0] = watch_parked(f, seen.cursor, 0);
	assert_true(rpc_server_drain(f->server, CHECK_PATIENCE_S * 1000));
	expect_seen(f, ids[0], 0, false, &seen);
	(void)caller_wait_closed(f->caller);
	fixture_stop(&f);
}

/* A drain that begins while more and more calls are being parked. */
struct crowd {
	pthread_t thread;
	struct caller *caller;
};

static void *watch_and_watch(void *arg)
{
	const struct crowd *c = arg;
	const ProtobufCBinaryData none = {0};

	for (int i = 0; i < 200; i++)
		(void)caller_send(c->caller, watch_frame(none, 0, 0));
	return NULL;
}

static void test_drain_of_a_crowd(void **state)
{
	enum { CALLERS = 4, ROUNDS = 10 };
	struct rpc_options options = fixture_options();

	(void)state;
	options.frames_in_flight_max = 2 * WATCHERS_MAX;
	options.frames_in_flight_per_connection_max = 2 * WATCHERS_MAX;
	for (int round = 0; round < ROUNDS; round++) {
		struct fixture *f = fixture_start(&options);
		const uint64_t before = metric_get(METRIC_WATCHES);
		struct crowd crowd[CALLERS];
		uint64_t began_ms;

		for (size_t i = 0; i < CALLERS; i++) {
			crowd[i].caller = caller_open(f->url);
			check(pthread_create(&crowd[i].thread, NULL, watch_and_watch, &crowd[i]) == 0);
		}
		wait_parked(before, 1 + 20 * (uint64_t)round);
		began_ms = clock_mono_ms();
		assert_true(rpc_server_drain(f->server, CHECK_PATIENCE_S * 1000));
		/* Nobody was forgotten, to be answered when his time was nearly over. */
		assert_true(clock_mono_ms() - began_ms < CHECK_PATIENCE_S * 1000 / 2);
		for (size_t i = 0; i < CALLERS; i++) {
			check(pthread_join(crowd[i].thread, NULL) == 0);
			caller_close(&crowd[i].caller);
		}
		fixture_stop(&f);
	}
}

/* Nothing of a parked call is left when its caller goes: neither his place nor the call's, which watchers_free tells. */
static void test_caller_hangs_up(void **state)
{
	struct rpc_options options = fixture_options();

	(void)state;
	options.connections_max = 1;
	for (int round = 0; round < 10; round++) {
		struct fixture *f = fixture_start(&options);
		uint64_t began_ms;

		for (int i = 0; i < 3; i++)
			(void)watch_parked(f, NULL, 0);
		began_ms = clock_mono_ms();
		caller_close(&f->caller);
		for (int tries = 0; !caller_try(f->url); tries++)
			assert_true(tries < 100000);
		assert_true(clock_mono_ms() - began_ms < CHECK_PATIENCE_S * 1000 / 2);
		fixture_stop(&f);
	}
}

/* ---- Many ---- */

static void test_many_watchers(void **state)
{
	struct fixture *f = *state;
	const uint64_t before = metric_get(METRIC_WATCHES);
	uint32_t *ids = calloc(WATCHERS_MAX, sizeof(*ids));
	const ProtobufCBinaryData none = {0};
	struct seen seen;

	check(ids != NULL);
	for (size_t i = 0; i < WATCHERS_MAX; i++)
		ids[i] = watch(f, NULL, 0);
	wait_parked(before, WATCHERS_MAX);
	expect_refused(f, watch_frame(none, 0, 0), LATCHKEY__V1__CODE__RESOURCE_EXHAUSTED, "1024 calls watch already");
	/* What can be answered at once needs no place. */
	expect_seen(f, watch(f, "0123456789abcdef.0000000000000000", 0), 0, true, &seen);
	for (unsigned n = 0; n < 100; n++)
		happen(f, f->realm.tag, EVENT_CREATED, n);
	for (size_t i = 0; i < WATCHERS_MAX; i++) {
		const struct seen each = wait_seen(f, ids[i]);

		assert_in_range(each.count, 1, 100);
		assert_int_equal(each.first, 'A');
	}
	/* Their places are free again. */
	ids[0] = watch_parked(f, NULL, 0);
	happen(f, f->realm.tag, EVENT_REVOKED, 1);
	expect_seen(f, ids[0], 1, false, &seen);
	free(ids);
}

/* One who reads all that comes while it comes misses nothing. */
struct storm {
	pthread_t thread;
	struct fixture *f;
};

#define STORM 20000

static void *rage(void *arg)
{
	const struct storm *s = arg;

	for (unsigned n = 0; n < STORM; n++)
		event_log_hear(s->f->events,
			       &(struct announcement){.kind = EVENT_REALM_REVOKED,
						      .realm_tag = s->f->realm.tag,
						      .at_ms = n,
						      .tag = SPAN_LIT("00000000000")},
			       1);
	return NULL;
}

/* How many events a page has that go on where the last left off. */
static size_t follow(const Latchkey__V1__Reply *reply, uint64_t *next_ms, char cursor[static EVENT_CURSOR_CHARS + 1])
{
	Latchkey__V1__WatchSessionsResponse *m;
	size_t count;

	check(reply->code == OK);
	m = body_of(reply, &latchkey__v1__watch_sessions_response__descriptor);
	for (size_t i = 0; i < m->n_events; i++) {
		check(m->events[i]->at_ms == *next_ms || (m->gap && m->events[i]->at_ms > *next_ms));
		check(!m->events[i]->has_handle && !m->events[i]->has_user_tag);
		*next_ms = m->events[i]->at_ms + 1;
	}
	memcpy(cursor, m->cursor.data, EVENT_CURSOR_CHARS);
	count = m->n_events;
	body_free(m);
	return count;
}

static void test_a_storm_is_followed(void **state)
{
	struct fixture *f = *state;
	struct storm storm = {.f = f};
	uint64_t next_ms = 0;
	struct seen seen;

	expect_seen(f, watch(f, NULL, 1), 0, false, &seen);
	check(pthread_create(&storm.thread, NULL, rage, &storm) == 0);
	while (next_ms < STORM) {
		Latchkey__V1__ReplyFrame *frame = caller_ask(f->caller, watch_frame(text(seen.cursor), 500, 0));

		(void)follow(frame->replies[0], &next_ms, seen.cursor);
		reply_free(&frame);
	}
	check(pthread_join(storm.thread, NULL) == 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_the_next_event_answers),
	    TEST(test_all_of_an_event),
	    TEST(test_another_realm_is_not_heard),
	    TEST(test_pages),
	    TEST(test_gaps),
	    TEST(test_wrong_requests),
	    TEST(test_deadline),
	    TEST(test_with_others_in_a_frame),
	    cmocka_unit_test(test_drain),
	    cmocka_unit_test(test_drain_of_a_crowd),
	    cmocka_unit_test(test_caller_hangs_up),
	    TEST(test_many_watchers),
	    TEST(test_a_storm_is_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
