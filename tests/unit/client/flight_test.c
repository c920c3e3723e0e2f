/* Single flight: who leads, who joins, and above all whom a loaded answer may serve. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "src/auth_result.h"
#include "src/flight.h"
#include "wire/ticker.h"

#define FAR UINT32_MAX

static struct flights flights;
static const struct flight_key key = {{"shop", 4}, {"ann", 3}, {"may", 3}};

static int open_flights(void **state)
{
	(void)state;
	flights_init(&flights);
	return 0;
}

static int close_flights(void **state)
{
	(void)state;
	flights_clear(&flights);
	return 0;
}

static lk_auth_answer *answer_new(const char *text)
{
	const struct auth_parts parts = {.state = LK_AUTH_HIT, .bytes = lk_text(text)};

	return auth_answer_new(&parts);
}

static enum flight_news news(struct flight *flight, uint64_t ticket, enum lk_err *ret_err)
{
	lk_auth_answer *answer = NULL;
	enum flight_news found = flight_wait(&flights, &flight, ticket, wire_now_ms() + FAR, &answer, ret_err);

	assert_null(flight);
	if (found == FLIGHT_ANSWER)
		assert_string_equal(lk_auth_answer_bytes(answer).data, "yes");
	lk_auth_answer_free(&answer);
	return found;
}

static void one_leads_and_others_join(void **state)
{
	const struct flight_key others[] = {
	    {{"sho", 3}, {"pann", 4}, {"may", 3}},
	    {{"shop", 4}, {"annm", 4}, {"ay", 2}},
	    {{NULL, 0}, {"ann", 3}, {"may", 3}},
	};
	struct flight *leader, *follower;
	bool leads;

	(void)state;
	assert_null(flights_join(&flights, &key));
	leader = flights_enter(&flights, &key, false, &leads);
	assert_true(leads);
	/* It waits: whoever comes looks for himself first. */
	assert_null(flights_join(&flights, &key));
	follower = flights_enter(&flights, &key, false, &leads);
	assert_false(leads);
	assert_ptr_equal(follower, leader);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct flight *other = flights_enter(&flights, &others[i], false, &leads);

		assert_true(leads);
		flight_end(&flights, &other, &(struct landing){0});
	}
	flight_end(&flights, &leader, &(struct landing){0});
	assert_int_equal(news(follower, flights_ticket(&flights), NULL), FLIGHT_AGAIN);
}

static void one_that_waits_gives_way_to_one_that_loads(void **state)
{
	struct flight *waits, *loads, *joins;
	bool leads;

	(void)state;
	waits = flights_enter(&flights, &key, false, &leads);
	loads = flights_enter(&flights, &key, true, &leads);
	assert_true(leads);
	joins = flights_join(&flights, &key);
	assert_ptr_equal(joins, loads);
	flight_end(&flights, &waits, &(struct landing){0});
	/* That it ended does not take the other off the table. */
	{
		lk_auth_answer *none = NULL;
		enum lk_err err = LK_OK;

		assert_int_equal(flight_wait(&flights, &joins, 0, 0, &none, &err), FLIGHT_LATE);
	}
	joins = flights_join(&flights, &key);
	assert_ptr_equal(joins, loads);
	flight_end(&flights, &loads, &(struct landing){.err = LK_E_UNAVAILABLE});
	{
		enum lk_err err = LK_OK;

		assert_int_equal(news(joins, 0, &err), FLIGHT_ERROR);
		assert_int_equal(err, LK_E_UNAVAILABLE);
	}
}

/* One that asked before the load began, and one after. */
static void land(bool is_for_all, enum flight_news of_the_early, enum flight_news of_the_late)
{
	lk_auth_answer *answer = answer_new("yes");
	uint64_t early = flights_ticket(&flights);
	struct flight *leader = flights_begin(&flights, &key);
	uint64_t late = flights_ticket(&flights);
	struct flight *first = flights_join(&flights, &key);
	struct flight *second = flights_join(&flights, &key);
	const struct landing landing = {.answer = answer, .is_for_all = is_for_all};

	flight_close(&flights, leader);
	/* The fill is under way: what it brings is not for those who come now. */
	assert_null(flights_join(&flights, &key));
	flight_end(&flights, &leader, &landing);
	lk_auth_answer_free(&answer);
	assert_int_equal(news(first, early, NULL), of_the_early);
	assert_int_equal(news(second, late, NULL), of_the_late);
}

static void what_was_not_forgotten_is_for_all(void **state)
{
	(void)state;
	land(true, FLIGHT_ANSWER, FLIGHT_ANSWER);
}

static void what_may_have_been_forgotten_is_for_those_who_asked_before(void **state)
{
	(void)state;
	land(false, FLIGHT_ANSWER, FLIGHT_AGAIN);
}

static void one_that_waited_and_then_loads_counts_from_then(void **state)
{
	lk_auth_answer *answer = answer_new("yes");
	struct flight *leader, *follower;
	uint64_t ticket;
	bool leads;

	(void)state;
	leader = flights_enter(&flights, &key, false, &leads);
	follower = flights_enter(&flights, &key, false, &leads);
	ticket = flights_ticket(&flights);
	flight_load(&flights, leader);
	flight_end(&flights, &leader, &(struct landing){.answer = answer});
	lk_auth_answer_free(&answer);
	assert_int_equal(news(follower, ticket, NULL), FLIGHT_ANSWER);
}

#define SPACE(test) cmocka_unit_test_setup_teardown(test, open_flights, close_flights)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SPACE(one_leads_and_others_join),
	    SPACE(one_that_waits_gives_way_to_one_that_loads),
	    SPACE(what_was_not_forgotten_is_for_all),
	    SPACE(what_may_have_been_forgotten_is_for_those_who_asked_before),
	    SPACE(one_that_waited_and_then_loads_counts_from_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
