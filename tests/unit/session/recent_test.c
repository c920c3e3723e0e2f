/* The memory of recent revocations: what it tells, for how long, and what it forgets first. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/metrics.h"
#include "session/announce.h"
#include "session/session.h"

#define WINDOW_MS 10000U
#define LIVES_MS  (WINDOW_MS + RECENT_SLACK_MS)

static const struct recent_end logout = {REASON_LOGOUT, 1700000000000};
static const struct recent_end admin = {REASON_ADMIN, 1700000000001};

struct name {
	char text[RECENT_HANDLE_BYTES + 1];
};

static struct name name_of(unsigned n)
{
	struct name name;

	(void)snprintf(name.text, sizeof(name.text), "0123456789A.%08uAAAAAAAA", n % 100000000);
	/* What tells them apart is spread over the characters that are hashed too. */
	for (int i = 0; i < 8; i++)
		name.text[27 - i] = (char)('A' + (n >> (4 * i) & 15));
	return name;
}

static bool find(recent *r, unsigned n, uint64_t mono_ms, struct recent_end *ret)
{
	return recent_find(r, name_of(n).text, mono_ms, ret);
}

static bool put(recent *r, unsigned n, uint64_t lives_ms, uint64_t mono_ms)
{
	return recent_put(r, name_of(n).text, &logout, lives_ms, mono_ms);
}

static void it_remembers_for_the_window_and_more(void **state)
{
	recent *r = recent_new(WINDOW_MS);
	struct recent_end end = {0};

	(void)state;
	assert_false(find(r, 1, 0, &end));
	assert_true(put(r, 1, 0, 5000));
	assert_false(find(r, 2, 5000, &end));
	assert_true(find(r, 1, 5000, &end));
	assert_int_equal(end.reason, REASON_LOGOUT);
	assert_int_equal(end.at_ms, logout.at_ms);
	assert_true(find(r, 1, 5000 + LIVES_MS - 1, &end));
	assert_false(find(r, 1, 5000 + LIVES_MS, &end));
	assert_int_equal(recent_count(r), 0);
	recent_free(&r);
	assert_null(r);
	recent_free(&r);
}

static void nothing_is_remembered_without_a_window(void **state)
{
	recent *r = recent_new(0);
	struct recent_end end;

	(void)state;
	assert_false(put(r, 1, 60000, 0));
	assert_false(find(r, 1, 0, &end));
	assert_false(put(NULL, 1, 0, 0));
	assert_false(find(NULL, 1, 0, &end));
	assert_int_equal(recent_count(NULL), 0);
	recent_free(&r);
}

static void the_first_reason_stands_and_lives_as_long_as_the_last(void **state)
{
	recent *r = recent_new(WINDOW_MS);
	struct recent_end end = {0};

	(void)state;
	assert_true(put(r, 1, 0, 0));
	assert_true(recent_put(r, name_of(1).text, &admin, 0, 9000));
	assert_int_equal(recent_count(r), 1);
	assert_true(find(r, 1, 9000 + LIVES_MS - 1, &end));
	assert_int_equal(end.reason, REASON_LOGOUT);
	assert_false(find(r, 1, 9000 + LIVES_MS, &end));
	recent_free(&r);
}

/* And do not keep the others from leaving. */
static void the_pending_live_longer(void **state)
{
	recent *r = recent_new(WINDOW_MS);
	struct recent_end end;

	(void)state;
	assert_true(put(r, 1, 600000, 0));
	assert_true(put(r, 2, 0, 1));
	assert_int_equal(recent_count(r), 2);
	assert_false(find(r, 2, 1 + LIVES_MS, &end));
	assert_int_equal(recent_count(r), 1);
	assert_true(find(r, 1, 599999, &end));
	assert_false(find(r, 1, 600000, &end));
	assert_int_equal(recent_count(r), 0);
	recent_free(&r);
}

static void the_oldest_goes_when_it_is_full(void **state)
{
	const uint64_t dropped = metric_get(METRIC_RECENT_DROPPED);
	recent *r = recent_new(WINDOW_MS);
	struct recent_end end;

	(void)state;
	for (unsigned i = 0; i < RECENT_MAX; i++)
		assert_true(put(r, i, 0, 0));
	assert_int_equal(recent_count(r), RECENT_MAX);
	assert_int_equal(metric_get(METRIC_RECENT_DROPPED), dropped);
	for (unsigned i = 0; i < RECENT_MAX; i++)
		assert_true(find(r, i, 0, &end));
	for (unsigned i = 0; i < 1000; i++)
		assert_true(put(r, RECENT_MAX + i, 0, 0));
	assert_int_equal(recent_count(r), RECENT_MAX);
	assert_int_equal(metric_get(METRIC_RECENT_DROPPED), dropped + 1000);
	for (unsigned i = 0; i < RECENT_MAX + 1000; i++)
		assert_int_equal(find(r, i, 0, &end), i >= 1000);
	/* All of it leaves with the time. */
	assert_false(find(r, 5000, LIVES_MS, &end));
	assert_int_equal(recent_count(r), 0);
	recent_free(&r);
}

/* Against the plainest memory there is, over many rounds. */
static void a_rotation_gives_way_to_an_end(void **state)
{
	static const struct recent_end rotated = {REASON_ROTATED, 1700000000000};
	recent *r = recent_new(WINDOW_MS);
	struct recent_end end;

	(void)state;
	assert_true(recent_put(r, name_of(1).text, &rotated, 0, 0));
	assert_true(find(r, 1, 0, &end));
	assert_int_equal(end.reason, REASON_ROTATED);
	assert_true(put(r, 1, 0, 1));
	assert_true(recent_put(r, name_of(1).text, &rotated, 0, 2));
	assert_true(find(r, 1, 2, &end));
	assert_int_equal(end.reason, REASON_LOGOUT);
	/* Also to one that is pending. */
	assert_true(recent_put(r, name_of(2).text, &rotated, 0, 0));
	assert_true(put(r, 2, 10 * LIVES_MS, 0));
	assert_true(find(r, 2, 0, &end));
	assert_int_equal(end.reason, REASON_LOGOUT);
	recent_free(&r);
}

static void rotations_leave_room_for_ends(void **state)
{
	static const struct recent_end rotated = {REASON_ROTATED, 1700000000000};
	recent *r = recent_new(WINDOW_MS);
	struct recent_end end;

	(void)state;
	for (unsigned i = 0; i < RECENT_ROTATED_MAX; i++)
		assert_true(recent_put(r, name_of(i).text, &rotated, 0, 0));
	assert_false(recent_put(r, name_of(RECENT_ROTATED_MAX).text, &rotated, 0, 0));
	for (unsigned i = 0; i < RECENT_MAX - RECENT_ROTATED_MAX; i++)
		assert_true(put(r, RECENT_MAX + i, 0, 0));
	for (unsigned i = 0; i < RECENT_MAX - RECENT_ROTATED_MAX; i++)
		assert_true(find(r, RECENT_MAX + i, 0, &end));
	assert_true(find(r, 0, 0, &end));
	recent_free(&r);
}

static void it_agrees_with_a_list(void **state)
{
	enum { NAMES = 64, ROUNDS = 200000 };
	uint64_t until_ms[NAMES] = {0};
	recent *r = recent_new(1);
	uint64_t now_ms = 0;
	unsigned seed = 1;
	struct recent_end end;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		const unsigned n = (unsigned)rand_r(&seed) % NAMES;

		now_ms += (unsigned)rand_r(&seed) % 200;
		if (rand_r(&seed) % 4 == 0) {
			assert_true(put(r, n, 0, now_ms));
			until_ms[n] = now_ms + 1 + RECENT_SLACK_MS;
		} else {
			assert_int_equal(find(r, n, now_ms, &end), until_ms[n] > now_ms);
		}
	}
	recent_free(&r);
}

/* ---- Announcements ---- */

#define TAG   "0123456789A"
#define NAME1 "AAAAAAAAAAAAAAAA"
#define NAME2 "BBBBBBBBBBBBBBBB"

static size_t message(char *out, int format, int reason, const char *rest)
{
	const size_t len = strlen(rest);

	memset(out, 0, 15);
	out[0] = (char)format;
	out[1] = EVENT_REVOKED;
	out[6] = (char)reason;
	out[14] = 77;
	memcpy(out + 15, rest, len);
	return 15 + len;
}

static void hear(recent *r, span message_heard)
{
	session_hear(&(struct session_ears){.recent = r}, message_heard, 0);
}

static size_t heard(int format, int reason, const char *rest)
{
	recent *r = recent_new(WINDOW_MS);
	char bytes[256];
	const size_t len = message(bytes, format, reason, rest);
	char *copy = malloc(len);
	size_t count;

	memcpy(copy, bytes, len);
	hear(r, span_of(copy, len));
	count = recent_count(r);
	free(copy);
	recent_free(&r);
	return count;
}

static void announcements_are_remembered(void **state)
{
	recent *r = recent_new(WINDOW_MS);
	struct recent_end end = {0};
	char bytes[256];

	(void)state;
	hear(r, span_of(bytes, message(bytes, 1, REASON_ADMIN, TAG NAME1 NAME2)));
	assert_int_equal(recent_count(r), 2);
	assert_true(recent_find(r, TAG "." NAME1, 0, &end));
	assert_true(recent_find(r, TAG "." NAME2, 0, &end));
	assert_int_equal(end.reason, REASON_ADMIN);
	assert_int_equal(end.at_ms, 77);
	recent_free(&r);
}

static void what_is_no_announcement_is_ignored(void **state)
{
	char bytes[64];
	recent *r = recent_new(WINDOW_MS);

	(void)state;
	assert_int_equal(heard(1, REASON_LOGOUT, TAG NAME1), 1);
	assert_int_equal(heard(1, REASON_LOGOUT, TAG), 0);
	assert_int_equal(heard(1, REASON_LOGOUT, TAG "short"), 0);
	assert_int_equal(heard(1, REASON_LOGOUT, TAG NAME1 "more"), 0);
	assert_int_equal(heard(0, REASON_LOGOUT, TAG NAME1), 0);
	assert_int_equal(heard(3, REASON_LOGOUT, TAG NAME1), 0);
	assert_int_equal(heard(1, REASON_NONE, TAG NAME1), 0);
	assert_int_equal(heard(1, 99, TAG NAME1), 0);
	/* As long as no policy allows. */
	assert_int_equal(heard(2, REASON_LOGOUT, TAG "zzzz" NAME1), 0);
	for (size_t len = message(bytes, 1, REASON_LOGOUT, TAG NAME1) - 1; len > 0; len--)
		hear(r, span_of(bytes, len));
	hear(r, SPAN_EMPTY);
	hear(NULL, span_of(bytes, 49));
	assert_int_equal(recent_count(r), 0);
	recent_free(&r);
}

/* ---- Threads ---- */

struct shared {
	recent *r;
	_Atomic unsigned put_below;
	_Atomic bool is_over;
	unsigned missed;
};

static void *look(void *arg)
{
	struct shared *s = arg;
	struct recent_end end;
	unsigned missed = 0;

	while (!s->is_over)
		for (unsigned n = 0, below = s->put_below; n < below; n++)
			missed += !find(s->r, n, 0, &end);
	__atomic_fetch_add(&s->missed, missed, __ATOMIC_RELAXED);
	return NULL;
}

/* What has been put is found, whatever is being put. */
static void looking_while_putting_misses_nothing(void **state)
{
	struct shared s = {.r = recent_new(WINDOW_MS)};
	pthread_t threads[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, look, &s), 0);
	for (unsigned n = 0; n < 3000; n++) {
		assert_true(put(s.r, n, 0, 0));
		s.put_below = n + 1;
	}
	s.is_over = true;
	for (int i = 0; i < 2; i++)
		(void)pthread_join(threads[i], NULL);
	assert_int_equal(s.missed, 0);
	recent_free(&s.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_remembers_for_the_window_and_more),
	    cmocka_unit_test(nothing_is_remembered_without_a_window),
	    cmocka_unit_test(the_first_reason_stands_and_lives_as_long_as_the_last),
	    cmocka_unit_test(the_pending_live_longer),
	    cmocka_unit_test(the_oldest_goes_when_it_is_full),
	    cmocka_unit_test(a_rotation_gives_way_to_an_end),
	    cmocka_unit_test(rotations_leave_room_for_ends),
	    cmocka_unit_test(it_agrees_with_a_list),
	    cmocka_unit_test(announcements_are_remembered),
	    cmocka_unit_test(what_is_no_announcement_is_ignored),
	    cmocka_unit_test(looking_while_putting_misses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
