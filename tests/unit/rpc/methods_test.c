/* The table of methods against the services that the .proto files declare. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "latchkey/v1/auth_cache.pb-c.h"
#include "latchkey/v1/limits.pb-c.h"
#include "latchkey/v1/locks.pb-c.h"
#include "latchkey/v1/profiles.pb-c.h"
#include "latchkey/v1/visitors.pb-c.h"
#include "rpc/methods.h"
#include "support/frames.h"

static const ProtobufCServiceDescriptor *const services[] = {
    &latchkey__v1__health__descriptor,	 &latchkey__v1__server__descriptor,   &latchkey__v1__sessions__descriptor,
    &latchkey__v1__profiles__descriptor, &latchkey__v1__visitors__descriptor, &latchkey__v1__auth_cache__descriptor,
    &latchkey__v1__limits__descriptor,	 &latchkey__v1__locks__descriptor,
};

#define SERVICES (sizeof(services) / sizeof(services[0]))

static const struct method *row_of(const char *service, const char *method)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "/%s/%s", service, method);
	return method_find(span_str(path));
}

static void test_every_method_has_its_row(void **state)
{
	size_t declared = 0;

	(void)state;
	for (size_t i = 0; i < SERVICES; i++) {
		for (unsigned k = 0; k < services[i]->n_methods; k++) {
			const ProtobufCMethodDescriptor *m = &services[i]->methods[k];
			const struct method *row = row_of(services[i]->name, m->name);

			if (row == NULL) {
				fail_msg("no row for /%s/%s", services[i]->name, m->name);
				return;
			}
			assert_ptr_equal(row->request, m->input);
			assert_ptr_equal(row->response, m->output);
			declared++;
		}
	}
	/* The one row more is gRPC's own name for Health.Check. */
	assert_int_equal(method_count(), declared + 1);
}

static void test_health_alias(void **state)
{
	const struct method *own = row_of("latchkey.v1.Health", "Check");
	const struct method *alias = row_of("grpc.health.v1.Health", "Check");

	(void)state;
	assert_non_null(alias);
	assert_ptr_equal(alias->plan, own->plan);
	assert_ptr_equal(alias->request, own->request);
}

static void test_sorted_and_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < method_count(); i++) {
		const struct method *row = method_at(i);

		assert_ptr_equal(method_find(row->path), row);
		assert_true(row->path.len <= FRAME_METHOD_BYTES_MAX);
		if (i == 0)
			continue;
		assert_true(
		    row[-1].path.len < row->path.len ||
		    (row[-1].path.len == row->path.len && memcmp(row[-1].path.ptr, row->path.ptr, row->path.len) < 0));
	}
	assert_null(method_at(method_count()));
}

static void test_not_found(void **state)
{
	static const char *const paths[] = {"",
					    "/",
					    "/latchkey.v1.Sessions/Got",
					    "/latchkey.v1.Sessions/get",
					    "latchkey.v1.Sessions/Get",
					    "/latchkey.v1.Sessions/Get/",
					    "\xff"};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_null(method_find(span_str(paths[i])));
}

static void test_rows_are_whole(void **state)
{
	static const char *const served[] = {"Create", "Get", "GetMany", "Update", "Revoke", "RevokeUser", "List"};

	(void)state;
	for (size_t i = 0; i < method_count(); i++)
		if (method_at(i)->plan == NULL)
			assert_null(method_at(i)->answer);
	for (size_t i = 0; i < sizeof(served) / sizeof(served[0]); i++) {
		const struct method *row = row_of("latchkey.v1.Sessions", served[i]);

		assert_non_null(row->plan);
		assert_non_null(row->answer);
	}
}

static bool is_declared_mutating(const struct method *m)
{
	/* What the .proto files mark as mutating. */
	static const char *const mutating[] = {
	    "Sessions/Create",	    "Sessions/Update", "Sessions/Rotate",  "Sessions/Revoke", "Sessions/RevokeUser",
	    "Sessions/RevokeRealm", "Profiles/Put",    "Profiles/Update",  "Profiles/Delete", "Profiles/AckChanges",
	    "Visitors/Record",	    "AuthCache/Fill",  "AuthCache/Forget", "Limits/Check",    "Limits/Reset",
	    "Locks/Acquire",	    "Locks/Extend",    "Locks/Release",
	};
	const span package = SPAN_LIT("/latchkey.v1.");

	for (size_t i = 0; i < sizeof(mutating) / sizeof(mutating[0]); i++) {
		const span name = span_str(mutating[i]);

		if (m->path.len == package.len + name.len &&
		    span_eq(span_of(m->path.ptr + package.len, name.len), name))
			return true;
	}
	return false;
}

static void test_mutating(void **state)
{
	(void)state;
	for (size_t i = 0; i < method_count(); i++) {
		if (method_at(i)->plan != NULL)
			assert_int_equal(method_at(i)->is_mutating, is_declared_mutating(method_at(i)));
	}
}

/* Status codes are cast from one to the other. */
static void test_codes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < STATUS_CODES; i++) {
		const ProtobufCEnumValue *v =
		    protobuf_c_enum_descriptor_get_value(&latchkey__v1__code__descriptor, (int)i);

		assert_non_null(v);
		assert_string_equal(v->name, i == STATUS_UNKNOWN ? "UNKNOWN_ERROR" : status_name((enum status_code)i));
	}
	assert_int_equal(latchkey__v1__code__descriptor.n_values, STATUS_CODES);
}

static const char *reason_name(int number)
{
	switch (number) {
#define X(name, value)                                                                                                 \
	case value:                                                                                                    \
		return #name;
		SESSION_REASON_MAP(X)
#undef X
	default:
		return NULL;
	}
}

static void test_verdicts_and_reasons(void **state)
{
	(void)state;
	assert_int_equal(VERDICT_VALID, LATCHKEY__V1__VERDICT__VALID);
	assert_int_equal(VERDICT_INVALID, LATCHKEY__V1__VERDICT__INVALID);
	assert_int_equal(VERDICT_UNKNOWN, LATCHKEY__V1__VERDICT__UNKNOWN);
	for (unsigned i = 0; i < latchkey__v1__reason__descriptor.n_values; i++) {
		const ProtobufCEnumValue *v = &latchkey__v1__reason__descriptor.values[i];

		assert_string_equal(v->value == 0 ? "NONE" : v->name, reason_name(v->value));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_method_has_its_row),
	    cmocka_unit_test(test_health_alias),
	    cmocka_unit_test(test_sorted_and_found),
	    cmocka_unit_test(test_not_found),
	    cmocka_unit_test(test_rows_are_whole),
	    cmocka_unit_test(test_mutating),
	    cmocka_unit_test(test_codes),
	    cmocka_unit_test(test_verdicts_and_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
