/* Anonymous sessions: all of one is in its token, and nothing else opens as one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "calls.h"
#include "crypto/codec.h"
#include "session/anonymous.h"

struct kept {
	char text[ANONYMOUS_TOKEN_CHARS_MAX + 8];
	size_t len;
};

static span kept_span(const struct kept *k)
{
	return span_of(k->text, k->len);
}

static struct kept keep_token(span token)
{
	struct kept k = {.len = token.len};

	assert_in_range(token.len, 1, ANONYMOUS_TOKEN_CHARS_MAX);
	memcpy(k.text, token.ptr, token.len);
	return k;
}

static struct kept make(struct stage *s, const struct session_attribute *attributes, size_t count)
{
	const struct session_create_request req = {
	    .is_anonymous = true, .attribute_count = count, .attributes = attributes};
	struct session_create_result result = {0};

	if (do_create(s, &req, &result) != STATUS_OK)
		fail_msg("create: %s", s->st.text);
	assert_true(result.info.is_anonymous);
	return keep_token(result.token);
}

static const struct session_attribute cart[] = {{{(const uint8_t *)"cart", 4}, {(const uint8_t *)"3 apples", 8}},
						{{(const uint8_t *)"lang", 4}, {(const uint8_t *)"de", 2}}};

static struct session_get_result get(struct stage *s, span token)
{
	struct session_get_result result = {0};

	if (do_get(s, &(struct session_get_request){.token = token}, &result) != STATUS_OK)
		fail_msg("get: %s", s->st.text);
	return result;
}

static void expect_reason(struct stage *s, span token, enum session_reason reason)
{
	const struct session_get_result result = get(s, token);

	assert_int_equal(result.outcome.verdict, VERDICT_INVALID);
	assert_int_equal(result.outcome.reason, reason);
	assert_int_equal(result.attribute_count, 0);
}

static void all_of_it_is_in_the_token(void **state)
{
	struct stage *s = *state;
	const struct kept k = make(s, cart, 2);
	struct session_get_result got = get(s, kept_span(&k));

	assert_int_equal(got.outcome.verdict, VERDICT_VALID);
	assert_true(got.info.is_anonymous);
	assert_true(span_eq(got.info.class_name, SPAN_LIT("default")));
	assert_int_equal(got.info.user.len, 0);
	assert_int_equal(got.info.created_at_ms, WORLD_NOW_MS / 1000 * 1000);
	assert_int_equal(got.info.expires_at_ms, WORLD_DEADLINE_MS);
	assert_int_equal(got.info.idle_expires_at_ms, got.info.expires_at_ms);
	assert_int_equal(got.attribute_count, 2);
	assert_true(span_eq(got.attributes[0].key, SPAN_LIT("cart")));
	assert_true(span_eq(got.attributes[0].value, SPAN_LIT("3 apples")));
	/* The attributes do not show. */
	assert_null(memmem(k.text, k.len, "apples", 6));
	assert_int_equal(real_redis_number(&s->redis, "DBSIZE"), 0);
	assert_int_equal(s->commands, 0);
	assert_int_equal(s->kept_count, 0);
}

static void two_are_never_the_same(void **state)
{
	struct stage *s = *state;
	const struct kept a = make(s, cart, 2);
	const struct kept b = make(s, cart, 2);

	assert_int_equal(a.len, b.len);
	assert_memory_not_equal(a.text, b.text, a.len);
}

static void it_ends_at_its_deadline_only(void **state)
{
	struct stage *s = *state;
	const struct session_create_request req = {
	    .is_anonymous = true, .idle_timeout_s = 5, .absolute_timeout_s = 3600};
	struct session_create_result result = {0};
	struct kept k;

	assert_int_equal(do_create(s, &req, &result), STATUS_OK);
	k = keep_token(result.token);
	s->world.env.now_ms = WORLD_NOW_MS / 1000 * 1000 + 3600000 - 1;
	assert_int_equal(get(s, kept_span(&k)).outcome.verdict, VERDICT_VALID);
	s->world.env.now_ms++;
	expect_reason(s, kept_span(&k), REASON_ABSOLUTE_TIMEOUT);
}

static void no_more_than_the_policy_and_nobody_in_it(void **state)
{
	struct stage *s = *state;
	const struct kept k = make(s, cart, 2);
	const struct {
		struct session_create_request req;
		const char *message;
	} rows[] = {
	    {{.user = SPAN_LIT("ann")}, "user"},
	    {{.device.label = SPAN_LIT("phone")}, "device"},
	    {{.authentication.aal = 1}, "authentication"},
	    {{.promoted = kept_span(&k)}, "promote"},
	    {{.absolute_timeout_s = WORLD_ABSOLUTE_S + 1}, "absolute_timeout_s"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct session_create_request req = rows[i].req;
		struct session_create_result result = {0};

		req.is_anonymous = true;
		assert_int_equal(do_create(s, &req, &result), STATUS_INVALID_ARGUMENT);
		if (strstr(s->st.text, rows[i].message) == NULL)
			fail_msg("%s: \"%s\"", rows[i].message, s->st.text);
	}
}

/* ---- Forgeries ---- */

static void every_flipped_bit_is_refused(void **state)
{
	struct stage *s = *state;
	const struct kept k = make(s, cart, 2);
	uint8_t bytes[ANONYMOUS_TOKEN_CHARS_MAX];
	const size_t len = (k.len - 5) * 3 / 4;

	assert_true(base64_decode(span_of(k.text + 5, k.len - 5), bytes, len));
	for (size_t bit = 0; bit < len * 8; bit++) {
		struct kept bent = k;

		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		base64_encode(span_of(bytes, len), bent.text + 5);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		world_fresh(&s->world);
		expect_reason(s, kept_span(&bent),
			      bit < 8	 ? REASON_MALFORMED
			      : bit < 24 ? REASON_RETIRED_KEY
					 : REASON_FORGED);
	}
	for (size_t at = 0; at < k.len; at++) {
		struct kept bent = k;

		bent.text[at] ^= 0x40;
		world_fresh(&s->world);
		assert_int_equal(get(s, kept_span(&bent)).outcome.verdict, VERDICT_INVALID);
	}
	assert_int_equal(get(s, kept_span(&k)).outcome.verdict, VERDICT_VALID);
	assert_int_equal(s->commands, 0);
}

static void every_other_length_is_refused(void **state)
{
	struct stage *s = *state;
	struct kept k = make(s, cart, 2);

	for (size_t len = 0; len < k.len; len++) {
		world_fresh(&s->world);
		assert_int_equal(get(s, span_of(k.text, len)).outcome.verdict, VERDICT_INVALID);
	}
	for (size_t more = 1; more <= 4; more++) {
		k.text[k.len + more - 1] = 'A';
		assert_int_equal(get(s, span_of(k.text, k.len + more)).outcome.verdict, VERDICT_INVALID);
	}
}

static void it_is_good_in_its_realm_only(void **state)
{
	struct stage *s = *state;
	const struct kept k = make(s, cart, 2);

	s->world.env.realm = &s->world.realm_list[1];
	expect_reason(s, kept_span(&k), REASON_FORGED);
}

static void its_key_may_be_rotated_and_retired(void **state)
{
	struct stage *s = *state;
	const struct kept k = make(s, cart, 2);
	const struct session_update_request update = {.token = kept_span(&k), .set_count = 1, .set = cart};
	struct session_update_result updated = {0};
	struct kept next;

	world_use_keyring(&s->world, WORLD_KEYRING_ROTATED);
	assert_int_equal(get(s, kept_span(&k)).outcome.verdict, VERDICT_VALID);
	/* Written anew, it is sealed under the first key. */
	assert_int_equal(do_update(s, &update, &updated), STATUS_OK);
	next = keep_token(updated.token);
	world_use_keyring(&s->world, WORLD_KEYRING_RETIRED);
	expect_reason(s, kept_span(&k), REASON_RETIRED_KEY);
	assert_int_equal(get(s, kept_span(&next)).outcome.verdict, VERDICT_VALID);
}

static void a_stored_sessions_token_is_none(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	char bent[TOKEN_CHARS];

	memcpy(bent, t.text, TOKEN_CHARS);
	memcpy(bent, "lka1_", 5);
	expect_reason(s, span_of(bent, TOKEN_CHARS), REASON_FORGED);
}

/* ---- Sizes ---- */

/* Attributes of just this size, that do not compress. */
static struct session_attribute noise(uint8_t *bytes, size_t len)
{
	random_fill(bytes, len);
	return (struct session_attribute){SPAN_LIT("k"), span_of(bytes, len)};
}

static void sizes_are_limited(void **state)
{
	static uint8_t bytes[ANONYMOUS_ATTRIBUTES_BYTES_MAX + 1];
	struct stage *s = *state;
	struct session_attribute most = noise(bytes, ANONYMOUS_ATTRIBUTES_BYTES_MAX - 4);
	struct session_create_request req = {.is_anonymous = true, .attribute_count = 1, .attributes = &most};
	struct session_create_result result = {0};
	const struct kept largest = make(s, &most, 1);
	const struct kept least = make(s, NULL, 0);
	const struct session_update_request update = {.token = kept_span(&largest), .set_count = 2, .set = cart};
	struct session_update_result updated = {0};
	struct session_get_result got = get(s, kept_span(&largest));

	assert_int_equal(got.outcome.verdict, VERDICT_VALID);
	assert_true(span_eq(got.attributes[0].value, most.value));
	assert_int_equal(get(s, kept_span(&least)).outcome.verdict, VERDICT_VALID);
	most.value.len++;
	assert_int_equal(do_create(s, &req, &result), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(s->st.text, "2049 bytes in all; at most 2048"));
	assert_int_equal(do_update(s, &update, &updated), STATUS_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(s->st.text, "at most 2048"));
}

static void what_repeats_is_compressed(void **state)
{
	static uint8_t bytes[2000];
	struct stage *s = *state;
	const struct session_attribute plain = {SPAN_LIT("k"), span_of(bytes, sizeof(bytes))};
	const struct kept k = make(s, &plain, 1);
	struct session_get_result got = get(s, kept_span(&k));

	assert_true(k.len < 500);
	assert_int_equal(got.attributes[0].value.len, sizeof(bytes));
}

/* ---- The other calls ---- */

static void demands_are_not_met(void **state)
{
	struct stage *s = *state;
	const struct kept k = make(s, cart, 2);
	const span pwd = SPAN_LIT("pwd");
	const struct session_get_request demands[] = {
	    {.token = kept_span(&k), .minimum_aal = 1},
	    {.token = kept_span(&k), .authenticated_within_s = 1000000},
	    {.token = kept_span(&k), .amr_count = 1, .amr = &pwd},
	    {.token = kept_span(&k), .is_privileged = true},
	};

	for (size_t i = 0; i < sizeof(demands) / sizeof(demands[0]); i++) {
		struct session_get_result got = {0};

		assert_int_equal(do_get(s, &demands[i], &got), STATUS_OK);
		assert_int_equal(got.outcome.reason, REASON_ASSURANCE_TOO_LOW);
		assert_int_equal(got.attribute_count, 0);
	}
}

static void an_update_makes_another_token(void **state)
{
	struct stage *s = *state;
	const struct kept k = make(s, cart, 2);
	const struct session_attribute set = {SPAN_LIT("cart"), SPAN_LIT("4 pears")};
	const span remove = SPAN_LIT("lang");
	struct session_update_request update = {
	    .token = kept_span(&k), .set_count = 1, .set = &set, .remove_count = 1, .remove = &remove};
	struct session_update_result updated = {0};
	struct session_get_result before = get(s, kept_span(&k));
	struct session_get_result got;

	s->world.env.now_ms += 60000;
	assert_int_equal(do_update(s, &update, &updated), STATUS_OK);
	assert_int_equal(updated.outcome.verdict, VERDICT_VALID);
	assert_int_equal(updated.version, 0);
	got = get(s, updated.token);
	assert_int_equal(got.attribute_count, 1);
	assert_true(span_eq(got.attributes[0].value, SPAN_LIT("4 pears")));
	assert_int_equal(got.info.expires_at_ms, before.info.expires_at_ms);
	assert_int_equal(get(s, kept_span(&k)).attribute_count, 2);
	update.has_expected_version = true;
	assert_int_equal(do_update(s, &update, &updated), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(s->st.text, "expected_version"));
	update.has_expected_version = false;
	s->world.env.now_ms += WORLD_ABSOLUTE_S * 1000ULL;
	assert_int_equal(do_update(s, &update, &updated), STATUS_OK);
	assert_int_equal(updated.outcome.reason, REASON_ABSOLUTE_TIMEOUT);
	assert_int_equal(s->commands, 0);
}

static void what_is_stored_nowhere_cannot_be_revoked(void **state)
{
	struct stage *s = *state;
	const struct kept k = make(s, cart, 2);
	const struct session_revoke_user_request by_token = {.token = kept_span(&k)};
	const struct session_revoke_user_request but_it = {.user = SPAN_LIT("ann"), .except = kept_span(&k)};
	struct session_revoke_result revoked;
	struct session_revoke_user_result ended;

	assert_int_equal(do_revoke(s, &(struct session_revoke_request){.token = kept_span(&k)}, &revoked),
			 STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(s->st.text, "let go of the token"));
	assert_int_equal(do_revoke_user(s, &by_token, &ended), STATUS_FAILED_PRECONDITION);
	assert_int_equal(do_revoke_user(s, &but_it, &ended), STATUS_FAILED_PRECONDITION);
	assert_string_equal(s->st.text, "except: an anonymous session is no user's; nothing was revoked");
	assert_int_equal(s->commands, 0);
}

static void it_ends_with_its_realm(void **state)
{
	struct stage *s = *state;
	const struct kept k = make(s, cart, 2);
	const struct session_create_request promote = {.user = SPAN_LIT("ann"), .promoted = kept_span(&k)};
	struct session_create_result result;
	struct session_get_result got;
	not_before *known = not_before_new(s->world.realms.count);

	s->world.env.not_before = known;
	assert_int_equal(do_get(s, &(struct session_get_request){.token = kept_span(&k)}, &got), STATUS_UNAVAILABLE);
	assert_int_equal(do_create(s, &promote, &result), STATUS_UNAVAILABLE);
	not_before_raise(known, s->world.env.realm, WORLD_NOW_MS / 1000 * 1000 + 1000);
	expect_reason(s, kept_span(&k), REASON_REALM_REVOKED);
	assert_int_equal(do_create(s, &promote, &result), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(s->st.text, "REALM_REVOKED"));
	s->world.env.not_before = NULL;
	not_before_free(&known);
}

/* ---- Promotion ---- */

static void a_login_takes_the_attributes_over(void **state)
{
	struct stage *s = *state;
	const struct kept k = make(s, cart, 2);
	const struct session_attribute given[] = {{SPAN_LIT("lang"), SPAN_LIT("fr")}, {SPAN_LIT("new"), SPAN_LIT("1")}};
	const struct session_create_request req = {
	    .user = SPAN_LIT("ann"), .promoted = kept_span(&k), .attribute_count = 2, .attributes = given};
	struct session_create_result result = {0};
	struct held_token t;

	assert_int_equal(do_create(s, &req, &result), STATUS_OK);
	assert_int_equal(result.token.len, TOKEN_CHARS);
	memcpy(t.text, result.token.ptr, TOKEN_CHARS);
	memcpy(t.handle, result.info.handle, HANDLE_CHARS);
	expect_attribute(s, &t, "cart", "3 apples");
	expect_attribute(s, &t, "lang", "fr");
	expect_attribute(s, &t, "new", "1");
	assert_int_equal(put(s, &t, "cart", "none"), 2);
	expect_attribute(s, &t, "cart", "none");
}

static void what_is_dead_is_not_promoted(void **state)
{
	struct stage *s = *state;
	const struct kept k = make(s, cart, 2);
	const struct held_token stored = login(s, "ann", "");
	struct kept bent = k;
	struct session_create_request req = {.user = SPAN_LIT("ann")};
	struct session_create_result result;

	bent.text[40] = bent.text[40] == 'A' ? 'B' : 'A';
	req.promoted = kept_span(&bent);
	assert_int_equal(do_create(s, &req, &result), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(s->st.text, "FORGED"));
	req.promoted = token_of(&stored);
	assert_int_equal(do_create(s, &req, &result), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(s->st.text, "MALFORMED"));
	s->world.env.now_ms += WORLD_ABSOLUTE_S * 1000ULL;
	req.promoted = kept_span(&k);
	assert_int_equal(do_create(s, &req, &result), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(s->st.text, "ABSOLUTE_TIMEOUT"));
}

static void the_limits_hold_for_both_together(void **state)
{
	static uint8_t bytes[4][ATTRIBUTE_VALUE_BYTES_MAX];
	struct stage *s = *state;
	const struct kept k = make(s, cart, 2);
	struct session_attribute given[2] = {{SPAN_LIT("a"), span_of(bytes[0], ATTRIBUTE_VALUE_BYTES_MAX - 10)},
					     {SPAN_LIT("b"), span_of(bytes[1], ATTRIBUTE_VALUE_BYTES_MAX - 10)}};
	const struct session_create_request req = {
	    .user = SPAN_LIT("ann"), .promoted = kept_span(&k), .attribute_count = 2, .attributes = given};
	struct session_create_result result;

	assert_int_equal(do_create(s, &req, &result), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(s->st.text, "with those of promote"));
	given[1].value.len -= 100;
	assert_int_equal(do_create(s, &req, &result), STATUS_OK);
}

static void a_repeated_promotion_makes_one_session(void **state)
{
	struct stage *s = *state;
	const struct kept a = make(s, cart, 2);
	const struct kept b = make(s, cart, 2);
	struct session_create_request req = {.user = SPAN_LIT("ann"), .promoted = kept_span(&a)};
	struct session_create_result first = {0};
	struct session_create_result second = {0};

	s->world.env.idempotency_key = SPAN_LIT("promote once");
	assert_int_equal(do_create(s, &req, &first), STATUS_OK);
	assert_int_equal(do_create(s, &req, &second), STATUS_OK);
	assert_true(span_eq(first.token, second.token));
	/* The same attributes, but another request. */
	req.promoted = kept_span(&b);
	assert_int_equal(do_create(s, &req, &second), STATUS_ALREADY_EXISTS);
}

static void without_memory_calls_are_refused(void **state)
{
	struct stage *s = *state;
	const struct kept k = make(s, cart, 2);
	const struct session_create_request create = {.is_anonymous = true, .attribute_count = 2, .attributes = cart};
	const struct session_update_request update = {.token = kept_span(&k), .set_count = 2, .set = cart};
	int worked = 0;

	for (size_t cap = 0; cap < 8192; cap += 16) {
		struct session_create_result created = {0};
		struct session_update_result updated = {0};
		struct session_get_result got = {0};
		enum status_code codes[3];

		arena_free(&s->world.env.arena);
		s->world.env.arena = arena_new(0, cap);
		codes[0] = do_create(s, &create, &created);
		codes[1] = do_get(s, &(struct session_get_request){.token = kept_span(&k)}, &got);
		codes[2] = do_update(s, &update, &updated);
		for (int i = 0; i < 3; i++) {
			assert_true(codes[i] == STATUS_OK || codes[i] == STATUS_RESOURCE_EXHAUSTED);
			worked += codes[i] == STATUS_OK;
		}
		/* Never taken for dead. */
		if (codes[1] == STATUS_OK)
			assert_int_equal(got.outcome.verdict, VERDICT_VALID);
	}
	assert_true(worked > 0);
}

static int setup(void **state)
{
	struct stage *s = *state;

	s->commands = 0;
	return stage_reset(state);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(all_of_it_is_in_the_token),
	    TEST(two_are_never_the_same),
	    TEST(it_ends_at_its_deadline_only),
	    TEST(no_more_than_the_policy_and_nobody_in_it),
	    TEST(every_flipped_bit_is_refused),
	    TEST(every_other_length_is_refused),
	    TEST(it_is_good_in_its_realm_only),
	    TEST(its_key_may_be_rotated_and_retired),
	    TEST(a_stored_sessions_token_is_none),
	    TEST(sizes_are_limited),
	    TEST(what_repeats_is_compressed),
	    TEST(demands_are_not_met),
	    TEST(an_update_makes_another_token),
	    TEST(what_is_stored_nowhere_cannot_be_revoked),
	    TEST(it_ends_with_its_realm),
	    TEST(a_login_takes_the_attributes_over),
	    TEST(what_is_dead_is_not_promoted),
	    TEST(the_limits_hold_for_both_together),
	    TEST(a_repeated_promotion_makes_one_session),
	    TEST(without_memory_calls_are_refused),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
