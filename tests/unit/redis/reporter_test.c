/* What is told of all that happens. */

#include <stdio.h>
#include <string.h>

#include "redis/reporter.h"
#include "support/wait.h"

struct scene {
	struct reporter reporter;
	unsigned told;
	struct redis_event last;
};

static void on_event(void *owner, const struct redis_event *event)
{
	struct scene *s = owner;

	s->told++;
	s->last = *event;
}

static int set_up(void **state)
{
	static struct scene s;

	memset(&s, 0, sizeof(s));
	reporter_init(&s.reporter, &(struct redis_events){.report = on_event, .owner = &s});
	*state = &s;
	return 0;
}

static int tear_down(void **state)
{
	reporter_destroy(&((struct scene *)*state)->reporter);
	return 0;
}

static bool fails(struct scene *s, const char *node, const char *error, uint64_t now_ms)
{
	const unsigned before = s->told;

	reporter_tell(&s->reporter,
		      &(struct redis_event){
			  .kind = REDIS_EVENT_PROBLEM, .name = "redis_connect_failed", .node = node, .error = error},
		      now_ms);
	return s->told > before;
}

static enum redis_event_kind recovers(struct scene *s, const char *name, const char *node, uint64_t now_ms)
{
	reporter_tell(&s->reporter, &(struct redis_event){.kind = REDIS_EVENT_RECOVERY, .name = name, .node = node},
		      now_ms);
	return s->last.kind;
}

/* Several connections of a node meet the same trouble. */
static void tells_each_node_and_reason_once(void **state)
{
	struct scene *s = *state;

	assert_true(fails(s, "a:1", "refused", 1000));
	for (int i = 0; i < 7; i++)
		assert_false(fails(s, "a:1", "refused", 1000));
	assert_true(fails(s, "b:1", "refused", 1000));
	assert_true(fails(s, "a:1", "timed out", 1000));
	assert_true(fails(s, "a:1", "refused", 2000));
	assert_int_equal(s->last.not_logged, 7);
}

static void tells_less_and_less_often(void **state)
{
	struct scene *s = *state;
	unsigned told = 0;

	/* Ten hours of four attempts a second. */
	for (uint64_t now_ms = 0; now_ms < 36000000; now_ms += 250)
		told += fails(s, "a:1", "refused", now_ms);
	assert_int_equal(told, 10 + 59);
	/* After a long silence it is news again. */
	assert_true(fails(s, "a:1", "refused", 50000000));
	assert_true(fails(s, "a:1", "refused", 50001000));
}

static void starts_anew_after_a_recovery(void **state)
{
	struct scene *s = *state;
	uint64_t now_ms;

	for (now_ms = 0; now_ms < 3600000; now_ms += 250)
		(void)fails(s, "a:1", "refused", now_ms);
	assert_int_equal(recovers(s, "redis_connected", "a:1", now_ms), REDIS_EVENT_NEWS);
	assert_false(fails(s, "a:1", "refused", now_ms));
	assert_true(fails(s, "a:1", "refused", now_ms + REPORTER_PERIOD_MS_MIN));
	/* That of another node is no matter of this one. */
	assert_int_equal(recovers(s, "redis_connected", "b:1", now_ms), REDIS_EVENT_NEWS);
	assert_false(fails(s, "a:1", "refused", now_ms + REPORTER_PERIOD_MS_MIN));
}

static void tells_a_recovery_once(void **state)
{
	struct scene *s = *state;

	assert_int_equal(recovers(s, "redis_connected", "a:1", 0), REDIS_EVENT_NEWS);
	assert_int_equal(recovers(s, "redis_connected", "a:1", 1), REDIS_EVENT_DETAIL);
	assert_true(fails(s, "a:1", "refused", 2));
	assert_int_equal(recovers(s, "redis_connected", "a:1", 3), REDIS_EVENT_NEWS);
	assert_int_equal(recovers(s, "redis_connected", "a:1", 4), REDIS_EVENT_DETAIL);
	/* Two kinds of good news do not take the word from one another. */
	assert_int_equal(recovers(s, "redis_primary_back", "a:1", 5), REDIS_EVENT_NEWS);
	/* One that is only asked about others. */
	reporter_tell(&s->reporter,
		      &(struct redis_event){
			  .kind = REDIS_EVENT_RECOVERY, .is_probe = true, .name = "redis_connected", .node = "c:1"},
		      6);
	assert_int_equal(s->last.kind, REDIS_EVENT_DETAIL);
	assert_true(fails(s, "c:1", "refused", 7));
	assert_int_equal(recovers(s, "redis_connected", "c:1", 8), REDIS_EVENT_NEWS);
}

/* More nodes than it has in mind: it says more, never less. */
static void forgets_the_oldest(void **state)
{
	struct scene *s = *state;
	char node[16];

	for (unsigned i = 0; i < 2 * REPORTER_LINES_MAX; i++) {
		(void)snprintf(node, sizeof(node), "n%u:1", i);
		assert_true(fails(s, node, "refused", i));
	}
	assert_false(fails(s, node, "refused", 2 * REPORTER_LINES_MAX));
	assert_true(fails(s, "n0:1", "refused", 2 * REPORTER_LINES_MAX));
}

#define REPORTER_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    REPORTER_TEST(tells_each_node_and_reason_once),
	    REPORTER_TEST(tells_less_and_less_often),
	    REPORTER_TEST(starts_anew_after_a_recovery),
	    REPORTER_TEST(tells_a_recovery_once),
	    REPORTER_TEST(forgets_the_oldest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
