#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/slots.h"
#include "wire/channel.h"

/* Never looked into: only told apart. */
static lk_call *fake_call(uintptr_t number)
{
	return (lk_call *)(number * 16);
}

static void every_slot_is_taken_once(void **state)
{
	struct slots slots;
	uint32_t slot;
	bool seen[100] = {false};

	(void)state;
	assert_true(slots_init(&slots, 100));
	for (uintptr_t i = 1; i <= 100; i++) {
		assert_true(slots_take(&slots, fake_call(i), &slot));
		assert_true(slot < 100 && !seen[slot]);
		seen[slot] = true;
	}
	assert_false(slots_take(&slots, fake_call(101), &slot));
	for (slot = 0; slot < 100; slot++)
		slots_release(&slots, slot);
	assert_true(slots_take(&slots, fake_call(7), &slot));
	slots_release(&slots, slot);
	slots_clear(&slots);
}

static void an_id_finds_its_call_until_it_is_renewed_or_released(void **state)
{
	struct slots slots;
	uint32_t slot, first, second;

	(void)state;
	assert_true(slots_init(&slots, 4));
	assert_true(slots_take(&slots, fake_call(1), &slot));
	first = slots_renew(&slots, slot);
	assert_true((first & WIRE_ID_BIT) != 0);
	assert_ptr_equal(slots_find(&slots, first), fake_call(1));
	second = slots_renew(&slots, slot);
	assert_null(slots_find(&slots, first));
	assert_ptr_equal(slots_find(&slots, second), fake_call(1));
	slots_release(&slots, slot);
	assert_null(slots_find(&slots, second));
	slots_clear(&slots);
}

static void ids_of_one_call_after_the_other_come_back_late(void **state)
{
	struct slots slots;
	uint32_t first = 0;
	uint64_t calls = 0;

	(void)state;
	assert_true(slots_init(&slots, 4096));
	for (;;) {
		uint32_t slot, id;

		assert_true(slots_take(&slots, fake_call(1), &slot));
		id = slots_renew(&slots, slot);
		slots_release(&slots, slot);
		if (calls == 0)
			first = id;
		else if (id == first)
			break;
		calls++;
	}
	assert_int_equal(calls, SLOTS_IN_TURN * 32768ULL);
	slots_clear(&slots);
}

static void any_number_may_be_asked_for(void **state)
{
	static const uint32_t ids[] = {0, 1, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff, 0x8000ffff};
	struct slots slots;
	uint32_t slot;

	(void)state;
	assert_true(slots_init(&slots, 2));
	assert_true(slots_take(&slots, fake_call(1), &slot));
	(void)slots_renew(&slots, slot);
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		assert_null(slots_find(&slots, ids[i]));
	slots_release(&slots, slot);
	slots_clear(&slots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_slot_is_taken_once),
	    cmocka_unit_test(an_id_finds_its_call_until_it_is_renewed_or_released),
	    cmocka_unit_test(ids_of_one_call_after_the_other_come_back_late),
	    cmocka_unit_test(any_number_may_be_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
