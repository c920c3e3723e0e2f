#include "redis/slot.h"

#include "support/wait.h"

/* The check value of CRC16/XMODEM and the examples of the Redis Cluster specification. */
static void knows_the_slots(void **state)
{
	static const struct {
		span key;
		uint16_t slot;
	} rows[] = {
	    {{NULL, 0}, 0},
	    {{(const uint8_t *)"123456789", 9}, 0x31c3},
	    {{(const uint8_t *)"foo", 3}, 12182},
	    {{(const uint8_t *)"\xff\x00\x80", 3}, 7915},
	    {{(const uint8_t *)"user1000", 8}, 3443},
	    {{(const uint8_t *)"{user1000}.following", 20}, 3443},
	    {{(const uint8_t *)"{user1000}.followers", 20}, 3443},
	    {{(const uint8_t *)"lk1:s:{0011223344556677}:ab", 27}, 6551},
	    /* Nothing in the first pair: the whole key. */
	    {{(const uint8_t *)"foo{}{bar}", 10}, 8363},
	    /* From the first { to the first } behind it. */
	    {{(const uint8_t *)"foo{{bar}}zap", 13}, 4015},
	    {{(const uint8_t *)"foo{bar}{zap}", 13}, 5061},
	    {{(const uint8_t *)"}{bar}", 6}, 5061},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(slot_of_key(rows[i].key), rows[i].slot);
	/* A brace that is never closed, and one cut off by the key's end. */
	assert_int_equal(slot_of_key(span_of("{bar}", 4)), 4015);
	assert_int_not_equal(slot_of_key(span_of("{bar}", 4)), slot_of_key(SPAN_LIT("bar")));
	assert_int_equal(slot_of_key(SPAN_LIT("{")), slot_of_key(span_of("{}", 1)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(knows_the_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
