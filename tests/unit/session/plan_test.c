/* Plans of bad requests, and answers to replies that no script gives. No Redis. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "session/state.h"
#include "world.h"

struct desk {
	struct world w;
	struct status st;
	char token[TOKEN_CHARS];
};

static int fresh(void **state)
{
	struct desk *d = *state;

	world_fresh(&d->w);
	return 0;
}

static enum status_code plan_create(struct desk *d, const struct session_create_request *req)
{
	struct plan plan = {0};
	enum status_code code;

	world_fresh(&d->w);
	code = session_create_plan(&d->w.env, req, &plan, &d->st);
	assert_int_equal(plan.has_command, code == STATUS_OK);
	return code;
}

static void expect(const struct desk *d, enum status_code code, enum status_code wanted, const char *message)
{
	assert_int_equal(code, wanted);
	if (strstr(d->st.text, message) == NULL)
		fail_msg("\"%s\" has no \"%s\"", d->st.text, message);
}

#define EXPECT_BAD(d, req, message) expect((d), plan_create((d), (req)), STATUS_INVALID_ARGUMENT, (message))

static void users_and_devices_are_limited(void **state)
{
	static char long_text[USER_BYTES_MAX + 513];
	struct desk *d = *state;
	struct session_create_request req = {0};

	EXPECT_BAD(d, &req, "user: 0 bytes; must be 1 to 256");
	req.user = span_of(long_text, USER_BYTES_MAX + 1);
	EXPECT_BAD(d, &req, "user: 257 bytes");
	req.user = span_of(long_text, USER_BYTES_MAX);
	assert_int_equal(plan_create(d, &req), STATUS_OK);
	req.device.user_agent = span_of(long_text, 513);
	EXPECT_BAD(d, &req, "user_agent");
	req.device.user_agent = span_of(long_text, 512);
	req.device.ip = span_of(long_text, 46);
	EXPECT_BAD(d, &req, "device.ip");
	req.device.ip = span_of(long_text, 45);
	req.device.label = span_of(long_text, 65);
	EXPECT_BAD(d, &req, "device.label");
	req.device.label = span_of(long_text, 64);
	assert_int_equal(plan_create(d, &req), STATUS_OK);
}

static void authentication_is_limited(void **state)
{
	struct desk *d = *state;
	struct session_create_request req = {.user = SPAN_LIT("ann")};

	req.authentication.aal = 4;
	EXPECT_BAD(d, &req, "aal 4");
	req.authentication.aal = 3;
	req.authentication.amr_count = AMR_MAX + 1;
	EXPECT_BAD(d, &req, "amr");
	req.authentication.amr_count = 1;
	EXPECT_BAD(d, &req, "amr: 0 bytes");
	req.authentication.amr[0] = SPAN_LIT("seventeen bytes..");
	EXPECT_BAD(d, &req, "amr: 17 bytes");
	req.authentication.amr[0] = SPAN_LIT("pwd");
	req.authentication.at_ms = WORLD_NOW_MS + 60001;
	EXPECT_BAD(d, &req, "at_ms");
	req.authentication.at_ms = WORLD_NOW_MS + 60000;
	assert_int_equal(plan_create(d, &req), STATUS_OK);
}

static void attributes_are_limited(void **state)
{
	static char text[ATTRIBUTE_VALUE_BYTES_MAX + 1];
	static uint8_t noise[2][ATTRIBUTE_VALUE_BYTES_MAX];
	struct desk *d = *state;
	struct session_attribute set[ATTRIBUTES_MAX + 1];
	struct session_create_request req = {.user = SPAN_LIT("ann"), .attributes = set};
	uint32_t x = 7;

	for (size_t i = 0; i < ATTRIBUTES_MAX + 1; i++)
		set[i] = (struct session_attribute){SPAN_LIT("k"), SPAN_LIT("v")};
	req.attribute_count = ATTRIBUTES_MAX + 1;
	EXPECT_BAD(d, &req, "attributes: 65 of them; at most 64");
	req.attribute_count = ATTRIBUTES_MAX;
	assert_int_equal(plan_create(d, &req), STATUS_OK);
	set[63].key = SPAN_EMPTY;
	EXPECT_BAD(d, &req, "attribute key: 0 bytes");
	set[63].key = span_of(text, ATTRIBUTE_KEY_BYTES_MAX + 1);
	EXPECT_BAD(d, &req, "attribute key: 65 bytes");
	set[63].key = SPAN_LIT("k");
	set[63].value = span_of(text, sizeof(text));
	EXPECT_BAD(d, &req, "attribute value: 16385 bytes");
	req.attribute_count = 2;
	set[0].value = set[1].value = span_of(text, ATTRIBUTE_VALUE_BYTES_MAX);
	EXPECT_BAD(d, &req, "32778 bytes in all; at most 32768");
	/* Within the text's limit, but what does not compress is too much with all that comes around it. */
	for (size_t i = 0; i < sizeof(noise); i++) {
		x = x * 1664525 + 1013904223;
		noise[i / ATTRIBUTE_VALUE_BYTES_MAX][i % ATTRIBUTE_VALUE_BYTES_MAX] = (uint8_t)(x >> 24);
	}
	set[0].value = span_of(noise[0], ATTRIBUTE_VALUE_BYTES_MAX - 10);
	set[1].value = span_of(noise[1], ATTRIBUTE_VALUE_BYTES_MAX - 10);
	EXPECT_BAD(d, &req, "the sealed record has");
}

static void idempotency_keys_are_limited(void **state)
{
	static char text[IDEMPOTENCY_KEY_BYTES_MAX + 1];
	struct desk *d = *state;
	const struct session_create_request req = {.user = SPAN_LIT("ann")};
	struct plan plan;

	d->w.env.idempotency_key = span_of(text, sizeof(text));
	expect(d, session_create_plan(&d->w.env, &req, &plan, &d->st), STATUS_INVALID_ARGUMENT, "idempotency_key: 65");
}

static void updates_are_limited(void **state)
{
	struct desk *d = *state;
	struct session_attribute set[ATTRIBUTES_MAX];
	span remove[ATTRIBUTES_MAX + 1];
	struct session_update_request req = {
	    .token = span_of(d->token, TOKEN_CHARS), .set = set, .remove = remove, .set_count = 0};
	struct plan plan = {0};

	for (size_t i = 0; i < ATTRIBUTES_MAX; i++)
		set[i] = (struct session_attribute){SPAN_LIT("s"), SPAN_LIT("")};
	for (size_t i = 0; i < ATTRIBUTES_MAX + 1; i++)
		remove[i] = SPAN_LIT("r");
	expect(d, session_update_plan(&d->w.env, &req, &plan, &d->st), STATUS_INVALID_ARGUMENT, "use Get");
	req.remove_count = ATTRIBUTES_MAX + 1;
	expect(d, session_update_plan(&d->w.env, &req, &plan, &d->st), STATUS_INVALID_ARGUMENT, "remove: 65");
	req.remove_count = req.set_count = ATTRIBUTES_MAX;
	assert_int_equal(session_update_plan(&d->w.env, &req, &plan, &d->st), STATUS_OK);
	set[63].key = SPAN_LIT("r");
	expect(d, session_update_plan(&d->w.env, &req, &plan, &d->st), STATUS_INVALID_ARGUMENT, "both in set and");
	set[63].key = SPAN_LIT("s");
	remove[63] = SPAN_EMPTY;
	expect(d, session_update_plan(&d->w.env, &req, &plan, &d->st), STATUS_INVALID_ARGUMENT, "attribute key: 0");
}

static void demands_are_limited(void **state)
{
	struct desk *d = *state;
	const span seventeen = SPAN_LIT("seventeen-bytes-x");
	span amr[AMR_MAX + 1];
	struct session_get_request req = {.token = span_of(d->token, TOKEN_CHARS), .amr = amr};
	struct plan plan = {0};

	for (size_t i = 0; i < AMR_MAX + 1; i++)
		amr[i] = span_of(seventeen.ptr, 16);
	req.amr_count = AMR_MAX;
	assert_int_equal(session_get_plan(&d->w.env, &req, &plan, &d->st), STATUS_OK);
	req.amr_count = AMR_MAX + 1;
	expect(d, session_get_plan(&d->w.env, &req, &plan, &d->st), STATUS_INVALID_ARGUMENT, "amr: 9 of them");
	req.amr_count = 2;
	amr[1] = seventeen;
	expect(d, session_get_plan(&d->w.env, &req, &plan, &d->st), STATUS_INVALID_ARGUMENT, "amr: 17 bytes");
	amr[1] = SPAN_EMPTY;
	expect(d, session_get_plan(&d->w.env, &req, &plan, &d->st), STATUS_INVALID_ARGUMENT, "amr: 0 bytes");
	req.amr_count = 0;
	req.minimum_aal = 4;
	expect(d, session_get_plan(&d->w.env, &req, &plan, &d->st), STATUS_INVALID_ARGUMENT, "minimum_aal 4");
}

static void without_memory_calls_are_refused(void **state)
{
	struct desk *d = *state;
	const struct session_create_request create = {.user = SPAN_LIT("ann")};
	const struct session_get_request get = {.token = span_of(d->token, TOKEN_CHARS)};
	const struct session_list_request list = {.user = SPAN_LIT("ann")};
	const struct session_revoke_user_request everywhere = {.user = SPAN_LIT("ann")};
	const struct session_revoke_request revoke = {.token = span_of(d->token, TOKEN_CHARS)};
	const struct session_verify_request verify = {
	    .user = SPAN_LIT("ann"), .token_count = 1, .tokens = &(const span){(const uint8_t *)d->token, TOKEN_CHARS}};
	int worked = 0;

	/* Every allocation of every plan fails once. */
	for (size_t cap = 0; cap < 4096; cap += 16) {
		struct plan plan;
		enum status_code codes[7];

		arena_free(&d->w.env.arena);
		d->w.env.arena = arena_new(0, cap);
		codes[0] = session_create_plan(&d->w.env, &create, &plan, &d->st);
		codes[1] = session_get_plan(&d->w.env, &get, &plan, &d->st);
		codes[2] = session_list_plan(&d->w.env, &list, &plan, &d->st);
		codes[3] = session_revoke_user_plan(&d->w.env, &everywhere, &plan, &d->st);
		codes[4] = session_revoke_plan(&d->w.env, &revoke, &plan, &d->st);
		codes[5] = session_verify_plan(&d->w.env, &verify, &plan, &d->st);
		d->w.classes[0].policy.touch_interval_s = 60;
		codes[6] = session_get_plan(&d->w.env, &get, &plan, &d->st);
		d->w.classes[0].policy.touch_interval_s = 0;
		for (int i = 0; i < 7; i++) {
			assert_true(codes[i] == STATUS_OK || codes[i] == STATUS_RESOURCE_EXHAUSTED);
			worked += codes[i] == STATUS_OK;
		}
	}
	assert_true(worked > 0);
}

/* ---- Replies. ---- */

static const struct store_reply nil = {.type = STORE_NIL};
static const struct store_reply seven = {.type = STORE_INTEGER, .integer = 7};
static const struct store_reply minus = {.type = STORE_INTEGER, .integer = -2};
static const struct store_reply huge = {.type = STORE_INTEGER, .integer = INT64_MAX};
static const struct store_reply text = {.type = STORE_STRING, .string = {(const uint8_t *)"text", 4}};
static const struct store_reply empty = {.type = STORE_STRING};
static const struct store_reply word_ok = {.type = STORE_STRING, .string = {(const uint8_t *)"ok", 2}};
static const struct store_reply word_full = {.type = STORE_STRING, .string = {(const uint8_t *)"full", 4}};
static const struct store_reply word_dead = {.type = STORE_STRING, .string = {(const uint8_t *)"dead", 4}};
static const struct store_reply word_none = {.type = STORE_STRING, .string = {(const uint8_t *)"none", 4}};
static const struct store_reply word_replay = {.type = STORE_STRING, .string = {(const uint8_t *)"replay", 6}};
static const struct store_reply word_conflict = {.type = STORE_STRING, .string = {(const uint8_t *)"conflict", 8}};
static const struct store_reply word_taken = {.type = STORE_STRING, .string = {(const uint8_t *)"taken", 5}};
static const struct store_reply score = {.type = STORE_STRING, .string = {(const uint8_t *)"1764000000123", 13}};
static const struct store_reply big_score = {.type = STORE_STRING, .string = {(const uint8_t *)"1.7e+308", 8}};
static const struct store_reply name = {.type = STORE_STRING, .string = {(const uint8_t *)"9pzRsWkwg-Os0p5e", 16}};
static const struct store_reply record = {.type = STORE_STRING,
					  .string = {(const uint8_t *)"\1\0\1\0\0\0\0\0\0\0\1", 11}};
static const struct store_reply tombstone = {.type = STORE_STRING,
					     .string = {(const uint8_t *)"\2\7\0\0\0\0\0\0\0\1", 10}};
static const struct store_reply forward = {.type = STORE_STRING,
					   .string = {(const uint8_t *)"\3\0\1\0\0\0\0\0\0\0\1", 11}};
static const struct store_reply status = {.type = STORE_STATUS, .string = {(const uint8_t *)"OK", 2}};
static const struct store_reply no_elements = {.type = STORE_ARRAY};

static const struct store_reply *const atoms[] = {
    &nil,	&seven,	    &minus,	&huge,	      &text,	      &empty,	    &word_ok,
    &word_full, &word_dead, &word_none, &word_replay, &word_conflict, &word_taken,  &score,
    &big_score, &name,	    &record,	&tombstone,   &status,	      &no_elements, &forward,
};
#define ATOMS (sizeof(atoms) / sizeof(atoms[0]))

/* Feeds NULL, each atom, and arrays of up to three atoms, to an answer. */
static void feed_all(struct desk *d, void (*feed)(struct desk *d, const struct store_reply *reply))
{
	feed(d, NULL);
	for (size_t i = 0; i < ATOMS; i++) {
		feed(d, atoms[i]);
		for (size_t k = 0; k < ATOMS; k++) {
			for (size_t m = 0; m < ATOMS; m++) {
				const struct store_reply *const elements[] = {atoms[i], atoms[k], atoms[m]};

				for (size_t count = 1; count <= 3; count++)
					feed(d, &(struct store_reply){
						    .type = STORE_ARRAY, .count = count, .elements = elements});
			}
		}
	}
}

static void feed_get(struct desk *d, const struct store_reply *reply)
{
	/* GETEX, session_touch, session_peek */
	for (int way = 0; way < 3; way++) {
		const struct session_get_request req = {.token = span_of(d->token, TOKEN_CHARS), .peek = way == 2};
		struct session_get_result result = {0};
		struct plan plan;
		enum plan_next next;
		enum status_code code;

		world_fresh(&d->w);
		d->w.classes[0].policy.touch_interval_s = way == 1 ? 60 : 0;
		assert_int_equal(session_get_plan(&d->w.env, &req, &plan, &d->st), STATUS_OK);
		d->w.classes[0].policy.touch_interval_s = 0;
		code = session_get_answer(&d->w.env, &plan, reply, &next, &result, &d->st);
		assert_true(code == STATUS_OK || code == STATUS_INTERNAL);
		assert_int_not_equal(result.outcome.verdict, VERDICT_VALID);
		if (code == STATUS_OK && result.outcome.verdict == VERDICT_INVALID)
			assert_true(result.outcome.reason == REASON_LOGOUT ||
				    result.outcome.reason == REASON_NOT_FOUND_IN_STORE);
	}
}

static void feed_create(struct desk *d, const struct store_reply *reply)
{
	const struct session_create_request req = {.user = SPAN_LIT("ann")};
	struct session_create_result result = {0};
	struct plan plan;
	enum plan_next next;
	enum status_code code;

	world_fresh(&d->w);
	d->w.env.idempotency_key = SPAN_LIT("key");
	assert_int_equal(session_create_plan(&d->w.env, &req, &plan, &d->st), STATUS_OK);
	code = session_create_answer(&d->w.env, &plan, reply, &next, &result, &d->st);
	assert_int_equal(next, PLAN_DONE);
	if (code == STATUS_OK)
		assert_true(span_eq(reply->elements[0]->string, SPAN_LIT("ok")));
	else
		assert_true(code == STATUS_INTERNAL || code == STATUS_RESOURCE_EXHAUSTED || code == STATUS_DATA_LOSS);
}

static void feed_update(struct desk *d, const struct store_reply *reply)
{
	const struct session_attribute set = {SPAN_LIT("k"), SPAN_LIT("v")};
	const struct session_update_request req = {
	    .token = span_of(d->token, TOKEN_CHARS), .set_count = 1, .set = &set};
	struct session_update_result result = {0};
	struct plan plan;
	enum plan_next next;
	enum status_code code;

	world_fresh(&d->w);
	d->w.env.idempotency_key = SPAN_LIT("key");
	assert_int_equal(session_update_plan(&d->w.env, &req, &plan, &d->st), STATUS_OK);
	code = session_update_answer(&d->w.env, &plan, reply, &next, &result, &d->st);
	assert_true(code == STATUS_OK || code == STATUS_INTERNAL || code == STATUS_ALREADY_EXISTS);
	assert_int_equal(next, PLAN_DONE);
	if (code == STATUS_OK && result.outcome.verdict == VERDICT_VALID)
		assert_true(span_eq(reply->elements[0]->string, SPAN_LIT("ok")));
}

static void feed_revoke(struct desk *d, const struct store_reply *reply)
{
	const struct session_revoke_request req = {.token = span_of(d->token, TOKEN_CHARS)};
	struct session_revoke_result result = {0};
	struct plan plan;
	enum status_code code;

	world_fresh(&d->w);
	assert_int_equal(session_revoke_plan(&d->w.env, &req, &plan, &d->st), STATUS_OK);
	code = session_revoke_answer(&d->w.env, &plan, reply, &result, &d->st);
	if (code == STATUS_OK)
		assert_true(reply->elements[0]->type == STORE_INTEGER && reply->elements[1] == &name);
	else
		assert_true(code == STATUS_INTERNAL || code == STATUS_NOT_FOUND || code == STATUS_FAILED_PRECONDITION);
}

static void feed_rotate(struct desk *d, const struct store_reply *reply)
{
	static const enum rotate_step steps[] = {ROTATE_READ, ROTATE_REMEMBER, ROTATE_END};
	const struct session_rotate_request req = {.token = span_of(d->token, TOKEN_CHARS)};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct session_rotate_result result = {0};
		struct plan plan;
		enum plan_next next;
		enum status_code code;

		world_fresh(&d->w);
		d->w.env.idempotency_key = SPAN_LIT("key");
		assert_int_equal(session_rotate_plan(&d->w.env, &req, &plan, &d->st), STATUS_OK);
		plan.session->rotate.step = steps[i];
		code = session_rotate_answer(&d->w.env, &plan, reply, &next, &result, &d->st);
		assert_true(code == STATUS_OK || code == STATUS_INTERNAL || code == STATUS_ALREADY_EXISTS);
		assert_int_not_equal(result.outcome.verdict, VERDICT_VALID);
	}
}

static void feed_revoke_user(struct desk *d, const struct store_reply *reply)
{
	const struct session_revoke_user_request req = {.user = SPAN_LIT("ann")};
	struct session_revoke_user_result result = {0};
	struct plan plan;
	enum plan_next next;
	enum status_code code;

	world_fresh(&d->w);
	assert_int_equal(session_revoke_user_plan(&d->w.env, &req, &plan, &d->st), STATUS_OK);
	code = session_revoke_user_answer(&d->w.env, &plan, reply, &next, &result, &d->st);
	assert_true(code == STATUS_OK || code == STATUS_INTERNAL);
}

static void feed_list(struct desk *d, const struct store_reply *reply)
{
	const struct session_list_request req = {.user = SPAN_LIT("ann")};
	struct session_list_result result = {0};
	struct plan plan;
	enum status_code code;

	world_fresh(&d->w);
	assert_int_equal(session_list_plan(&d->w.env, &req, &plan, &d->st), STATUS_OK);
	code = session_list_answer(&d->w.env, &plan, reply, &result, &d->st);
	assert_true(code == STATUS_OK || code == STATUS_INTERNAL);
	/* Behind a good head, as an entry. */
	if (reply == NULL || reply->type != STORE_ARRAY || reply->count != 3)
		return;
	for (size_t last = 0; last < ATOMS; last++) {
		const struct store_reply *const elements[] = {&score, &name,  &empty,
							      &empty, &empty, reply->elements[2]};
		const struct store_reply *const entry[] = {
		    &score, &name, reply->elements[0], reply->elements[1], reply->elements[2], atoms[last]};

		code = session_list_answer(
		    &d->w.env, &plan, &(struct store_reply){STORE_ARRAY, 0, SPAN_EMPTY, 6, entry}, &result, &d->st);
		assert_true(code == STATUS_OK || code == STATUS_INTERNAL);
		if (code == STATUS_OK)
			assert_int_equal(result.count, 1);
		assert_int_equal(session_list_answer(&d->w.env, &plan,
						     &(struct store_reply){STORE_ARRAY, 0, SPAN_EMPTY, 5, elements},
						     &result, &d->st),
				 STATUS_INTERNAL);
		world_fresh(&d->w);
		assert_int_equal(session_list_plan(&d->w.env, &req, &plan, &d->st), STATUS_OK);
	}
}

/* Counts of a good shape, and one that is not. */
static void feed_verify(struct desk *d, const struct store_reply *reply)
{
	const struct session_verify_request req = {.user = SPAN_LIT("ann")};
	struct session_verify_result result = {0};
	struct plan plan;
	enum plan_next next;

	world_fresh(&d->w);
	assert_int_equal(session_verify_plan(&d->w.env, &req, &plan, &d->st), STATUS_OK);
	assert_int_equal(session_verify_answer(&d->w.env, &plan, reply, &next, &result, &d->st), STATUS_INTERNAL);
	if (reply == NULL || reply->type != STORE_ARRAY || reply->count != 3)
		return;
	for (size_t i = 0; i < 4; i++) {
		const struct store_reply *elements[] = {
		    reply->elements[0], reply->elements[1], &seven, &seven, &seven, &seven};
		const struct store_reply six = {STORE_ARRAY, 0, SPAN_EMPTY, 6, elements};
		enum status_code code;

		elements[2 + i] = reply->elements[2];
		code = session_verify_answer(&d->w.env, &plan, &six, &next, &result, &d->st);
		assert_true(code == STATUS_INTERNAL || (code == STATUS_OK && reply->elements[2] == &seven));
	}
}

#define DEFINE_ODD(call)                                                                                               \
	static void odd_replies_to_##call(void **state)                                                                \
	{                                                                                                              \
		feed_all(*state, feed_##call);                                                                         \
	}

DEFINE_ODD(get)
DEFINE_ODD(create)
DEFINE_ODD(update)
DEFINE_ODD(rotate)
DEFINE_ODD(revoke)
DEFINE_ODD(revoke_user)
DEFINE_ODD(list)
DEFINE_ODD(verify)

static int start(void **state)
{
	struct desk *d = calloc(1, sizeof(*d));
	const struct session_create_request req = {.user = SPAN_LIT("ann")};
	struct session_create_result made;
	struct plan plan;
	enum plan_next next;
	const struct store_reply *const elements[] = {&word_ok};

	world_start(&d->w);
	assert_int_equal(session_create_plan(&d->w.env, &req, &plan, &d->st), STATUS_OK);
	assert_int_equal(session_create_answer(&d->w.env, &plan,
					       &(struct store_reply){STORE_ARRAY, 0, SPAN_EMPTY, 1, elements}, &next,
					       &made, &d->st),
			 STATUS_OK);
	memcpy(d->token, made.token.ptr, sizeof(d->token));
	*state = d;
	return 0;
}

static int stop(void **state)
{
	struct desk *d = *state;

	world_stop(&d->w);
	free(d);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(users_and_devices_are_limited, fresh),
	    cmocka_unit_test_setup(authentication_is_limited, fresh),
	    cmocka_unit_test_setup(attributes_are_limited, fresh),
	    cmocka_unit_test_setup(idempotency_keys_are_limited, fresh),
	    cmocka_unit_test_setup(updates_are_limited, fresh),
	    cmocka_unit_test_setup(demands_are_limited, fresh),
	    cmocka_unit_test_setup(without_memory_calls_are_refused, fresh),
	    cmocka_unit_test_setup(odd_replies_to_get, fresh),
	    cmocka_unit_test_setup(odd_replies_to_create, fresh),
	    cmocka_unit_test_setup(odd_replies_to_update, fresh),
	    cmocka_unit_test_setup(odd_replies_to_rotate, fresh),
	    cmocka_unit_test_setup(odd_replies_to_revoke, fresh),
	    cmocka_unit_test_setup(odd_replies_to_revoke_user, fresh),
	    cmocka_unit_test_setup(odd_replies_to_list, fresh),
	    cmocka_unit_test_setup(odd_replies_to_verify, fresh),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
