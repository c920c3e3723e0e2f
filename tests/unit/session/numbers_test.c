/* The numbers that this folder and the contract share. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "latchkey/v1/frame.pb-c.h"
#include "latchkey/v1/server.pb-c.h"
#include "latchkey/v1/sessions.pb-c.h"
#include "session/session.h"

struct number {
	const char *name;
	int value;
};

static void expect_same(const ProtobufCEnumDescriptor *contract, const struct number *ours, size_t count)
{
	assert_int_equal(contract->n_values, count);
	for (size_t i = 0; i < count; i++) {
		const ProtobufCEnumValue *theirs = protobuf_c_enum_descriptor_get_value_by_name(contract, ours[i].name);

		if (theirs == NULL)
			fail_msg("%s has no %s", contract->name, ours[i].name);
		else
			assert_int_equal(theirs->value, ours[i].value);
	}
}

static void reasons(void **state)
{
	struct number ours[] = {
#define X(name, number) {#name, number},
	    SESSION_REASON_MAP(X)
#undef X
	};

	(void)state;
	ours[0].name = "REASON_NONE";
	expect_same(&latchkey__v1__reason__descriptor, ours, sizeof(ours) / sizeof(ours[0]));
}

static void verdicts(void **state)
{
	static const struct number ours[] = {{"VERDICT_UNSPECIFIED", 0},
					     {"VALID", VERDICT_VALID},
					     {"INVALID", VERDICT_INVALID},
					     {"UNKNOWN", VERDICT_UNKNOWN}};

	(void)state;
	expect_same(&latchkey__v1__verdict__descriptor, ours, sizeof(ours) / sizeof(ours[0]));
}

static void statuses(void **state)
{
	struct number ours[] = {
#define X(name, number) {#name, number},
	    STATUS_MAP(X)
#undef X
	};

	(void)state;
	ours[STATUS_UNKNOWN].name = "UNKNOWN_ERROR";
	expect_same(&latchkey__v1__code__descriptor, ours, sizeof(ours) / sizeof(ours[0]));
}

static void caps(void **state)
{
	(void)state;
	assert_int_equal(AT_CAP_EVICT_OLDEST, LATCHKEY__V1__AT_CAP__EVICT_OLDEST);
	assert_int_equal(AT_CAP_REFUSE, LATCHKEY__V1__AT_CAP__REFUSE);
	assert_int_equal(AT_CAP_EVICT_LRU, LATCHKEY__V1__AT_CAP__EVICT_LEAST_RECENTLY_USED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reasons),
	    cmocka_unit_test(verdicts),
	    cmocka_unit_test(statuses),
	    cmocka_unit_test(caps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
