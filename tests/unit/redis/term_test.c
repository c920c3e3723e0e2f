/* A node's terms: which follows which, for every combination of facts. */

#include <string.h>

#include "redis/term.h"
#include "support/wait.h"

enum { FACTS = 6, COMBINATIONS = 1 << FACTS };

static struct term_facts facts_of(unsigned bits)
{
	return (struct term_facts){
	    .owns = bits & 1,
	    .is_well = bits & 2,
	    .is_another_run = bits & 4,
	    .is_joined = bits & 8,
	    .is_overdue = bits & 16,
	    .is_forgotten = bits & 32,
	};
}

/* The table in redis/term.h. */
static void goes_only_where_the_table_says(void **state)
{
	static const unsigned allowed[TERMS] = {
	    [TERM_IDLE] = 1U << TERM_JOINING,
	    [TERM_JOINING] = 1U << TERM_LEAVING | 1U << TERM_SERVING | 1U << TERM_DOWN,
	    [TERM_SERVING] = 1U << TERM_LEAVING | 1U << TERM_SUSPECT | 1U << TERM_JOINING,
	    [TERM_SUSPECT] = 1U << TERM_LEAVING | 1U << TERM_DOWN | 1U << TERM_SERVING | 1U << TERM_JOINING,
	    [TERM_DOWN] = 1U << TERM_LEAVING | 1U << TERM_SERVING | 1U << TERM_JOINING,
	    [TERM_LEAVING] = 1U << TERM_JOINING | 1U << TERM_IDLE,
	};
	unsigned seen[TERMS] = {0};

	(void)state;
	for (enum term from = 0; from < TERMS; from++) {
		for (unsigned bits = 0; bits < COMBINATIONS; bits++) {
			const struct term_facts facts = facts_of(bits);
			const enum term to = term_next(from, &facts);

			if (to != from)
				seen[from] |= 1U << to;
		}
		assert_int_equal(seen[from], allowed[from]);
	}
}

/* What commands rest on, whatever else is the case. */
static void serves_only_who_may(void **state)
{
	(void)state;
	for (enum term from = 0; from < TERMS; from++) {
		for (unsigned bits = 0; bits < COMBINATIONS; bits++) {
			const struct term_facts facts = facts_of(bits);

			if (term_next(from, &facts) != TERM_SERVING)
				continue;
			assert_true(facts.owns && facts.is_well);
			assert_true(from == TERM_SERVING || from == TERM_SUSPECT || facts.is_joined);
			assert_true(from == TERM_JOINING || !facts.is_another_run);
		}
	}
}

/* The same facts lead to rest: no two terms take turns. */
static void comes_to_rest(void **state)
{
	(void)state;
	for (enum term from = 0; from < TERMS; from++) {
		for (unsigned bits = 0; bits < COMBINATIONS; bits++) {
			struct term_facts facts = facts_of(bits);
			enum term term = from;
			unsigned steps = 0;

			for (enum term next; (next = term_next(term, &facts)) != term; term = next) {
				/* Entering it settles that. */
				if (next == TERM_JOINING)
					facts.is_another_run = facts.is_joined = false;
				assert_true(++steps < TERMS);
			}
		}
	}
}

static void has_names(void **state)
{
	(void)state;
	assert_string_equal(term_name(TERM_IDLE), "idle");
	assert_string_equal(term_name(TERM_LEAVING), "leaving");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(goes_only_where_the_table_says),
	    cmocka_unit_test(serves_only_who_may),
	    cmocka_unit_test(comes_to_rest),
	    cmocka_unit_test(has_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
