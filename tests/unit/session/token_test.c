/* Tokens and handles: what they are, and that nothing but them is taken for one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crypto/codec.h"
#include "session/handle.h"
#include "session/state.h"
#include "session/token.h"
#include "world.h"

/* Made by an independent implementation, for keyring WORLD_KEYRING, user "ann" and id bytes 64..95. */
#define GOLDEN_TOKEN                                                                                                   \
	"lks1_AQABAGkkgQAAAKjAAAAHCCSBAG1lynqDKpcFQEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl_pbT7wJnp8K8LeW2zJrHWP"
#define GOLDEN_HANDLE "bWXKeoMqlwU.WxVCE9eUoxbe_wDY"

static int start(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	world_start(w);
	*state = w;
	return 0;
}

static int stop(void **state)
{
	struct world *w = *state;

	world_stop(w);
	free(w);
	return 0;
}

static struct token golden(const struct world *w)
{
	struct token t = {.key_id = 1,
			  .created_s = 1764000000,
			  .lifetime_s = 43200,
			  .idle_timeout_s = 1800,
			  .issued_s = 1764000000 & TOKEN_ISSUED_MASK};

	user_tag_make(w->keys, SPAN_LIT("default"), SPAN_LIT("ann"), t.user_tag);
	for (size_t i = 0; i < sizeof(t.id); i++)
		t.id[i] = (uint8_t)(64 + i);
	return t;
}

static span print(const struct world *w, const struct token *t, char text[static TOKEN_CHARS])
{
	uint8_t bytes[TOKEN_BYTES];

	token_write(w->keys, SPAN_LIT("default"), t, bytes);
	token_print(bytes, text);
	return span_of(text, TOKEN_CHARS);
}

static void a_token_is_what_it_was(void **state)
{
	const struct world *w = *state;
	const struct token t = golden(w);
	struct token back;
	struct handle h;
	char text[TOKEN_CHARS];
	char handle[HANDLE_CHARS];

	assert_int_equal(strlen(GOLDEN_TOKEN), TOKEN_CHARS);
	assert_memory_equal(print(w, &t, text).ptr, GOLDEN_TOKEN, TOKEN_CHARS);
	assert_int_equal(token_parse(w->keys, SPAN_LIT("default"), SPAN_LIT(GOLDEN_TOKEN), WORLD_NOW_MS, &back),
			 REASON_NONE);
	assert_int_equal(back.key_id, t.key_id);
	assert_int_equal(back.created_s, t.created_s);
	assert_int_equal(back.lifetime_s, t.lifetime_s);
	assert_int_equal(back.idle_timeout_s, t.idle_timeout_s);
	assert_memory_equal(back.user_tag, t.user_tag, sizeof(t.user_tag));
	assert_memory_equal(back.id, t.id, sizeof(t.id));
	handle_of_token(w->keys, &t, &h);
	handle_print(&h, handle);
	assert_memory_equal(handle, GOLDEN_HANDLE, HANDLE_CHARS);
}

static void the_extremes_fit(void **state)
{
	const struct world *w = *state;
	struct token t = golden(w);
	struct token back;
	char text[TOKEN_CHARS];

	t.created_s = (1ULL << 40) - 1;
	t.lifetime_s = UINT32_MAX;
	t.idle_timeout_s = UINT32_MAX;
	assert_int_equal(token_parse(w->keys, SPAN_LIT("default"), print(w, &t, text), WORLD_NOW_MS, &back),
			 REASON_NONE);
	assert_int_equal(token_deadline_ms(&back), ((1ULL << 40) - 1 + UINT32_MAX) * 1000);
	assert_int_equal(token_record_ms(&back, WORLD_NOW_MS), UINT32_MAX * 1000ULL);
}

static void times_are_judged(void **state)
{
	const struct world *w = *state;
	const uint64_t deadline_ms = (1764000000ULL + 43200) * 1000;
	struct token t = golden(w);
	struct token back;
	char text[TOKEN_CHARS];

	assert_int_equal(token_parse(w->keys, SPAN_LIT("default"), SPAN_LIT(GOLDEN_TOKEN), deadline_ms - 1, &back),
			 REASON_NONE);
	assert_int_equal(token_record_ms(&back, deadline_ms - 1), 1);
	assert_int_equal(token_record_ms(&back, deadline_ms - 1800000), 1800000);
	assert_int_equal(token_record_ms(&back, 0), 1800000);
	assert_int_equal(token_parse(w->keys, SPAN_LIT("default"), SPAN_LIT(GOLDEN_TOKEN), deadline_ms, &back),
			 REASON_ABSOLUTE_TIMEOUT);
	t.idle_timeout_s = 0;
	assert_int_equal(token_parse(w->keys, SPAN_LIT("default"), print(w, &t, text), WORLD_NOW_MS, &back),
			 REASON_MALFORMED);
	t.idle_timeout_s = t.lifetime_s + 1;
	assert_int_equal(token_parse(w->keys, SPAN_LIT("default"), print(w, &t, text), WORLD_NOW_MS, &back),
			 REASON_MALFORMED);
	t.idle_timeout_s = t.lifetime_s = 0;
	assert_int_equal(token_parse(w->keys, SPAN_LIT("default"), print(w, &t, text), WORLD_NOW_MS, &back),
			 REASON_MALFORMED);
}

/* No call makes a command of it, and get says INVALID. */
static enum session_reason expect_refused(struct world *w, span text)
{
	const struct session_get_request get = {.token = text};
	const struct session_attribute set = {SPAN_LIT("k"), SPAN_LIT("v")};
	const struct session_update_request update = {.token = text, .set_count = 1, .set = &set};
	const struct session_revoke_request revoke = {.token = text};
	const struct session_revoke_user_request everywhere = {.token = text};
	struct session_get_result result;
	struct session_revoke_result revoked;
	struct plan plan = {0};
	enum plan_next next;
	struct status st;

	arena_free(&w->env.arena);
	w->env.arena = arena_new(4096, 65536);
	assert_int_equal(session_get_plan(&w->env, &get, &plan, &st), STATUS_OK);
	if (plan.has_command)
		fail_msg("accepted: %.*s", SPAN_FMT(text));
	assert_int_equal(session_get_answer(&w->env, &plan, NULL, &next, &result, &st), STATUS_OK);
	assert_int_equal(result.outcome.verdict, VERDICT_INVALID);
	assert_int_equal(session_update_plan(&w->env, &update, &plan, &st), STATUS_OK);
	assert_false(plan.has_command);
	if (text.len == 0) {
		assert_int_equal(session_revoke_plan(&w->env, &revoke, &plan, &st), STATUS_INVALID_ARGUMENT);
	} else {
		assert_int_equal(session_revoke_plan(&w->env, &revoke, &plan, &st), STATUS_OK);
		assert_false(plan.has_command);
		assert_int_equal(session_revoke_answer(&w->env, &plan, NULL, &revoked, &st), STATUS_OK);
		assert_int_equal(revoked.reason, result.outcome.reason);
	}
	assert_int_not_equal(session_revoke_user_plan(&w->env, &everywhere, &plan, &st), STATUS_OK);
	return result.outcome.reason;
}

static void every_flipped_bit_is_refused(void **state)
{
	struct world *w = *state;
	const struct token t = golden(w);
	uint8_t bytes[TOKEN_BYTES];
	char text[TOKEN_CHARS];

	token_write(w->keys, SPAN_LIT("default"), &t, bytes);
	for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
		enum session_reason reason;

		bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
		token_print(bytes, text);
		reason = expect_refused(w, span_of(text, sizeof(text)));
		/* Version; key id; all the rest. */
		assert_int_equal(reason, bit < 8	   ? REASON_MALFORMED
					 : bit / 8 - 1 < 2 ? REASON_RETIRED_KEY
							   : REASON_FORGED);
		bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
}

static void every_changed_character_is_refused(void **state)
{
	struct world *w = *state;
	char text[TOKEN_CHARS];

	for (size_t at = 0; at < sizeof(text); at++) {
		for (int c = 0; c < 256; c++) {
			memcpy(text, GOLDEN_TOKEN, sizeof(text));
			if (text[at] == (char)c)
				continue;
			text[at] = (char)c;
			(void)expect_refused(w, span_of(text, sizeof(text)));
		}
	}
}

static void other_lengths_are_malformed(void **state)
{
	struct world *w = *state;
	const span whole = SPAN_LIT(GOLDEN_TOKEN);
	char longer[4 * TOKEN_CHARS];

	memset(longer, 'A', sizeof(longer));
	memcpy(longer, whole.ptr, whole.len);
	for (size_t len = 0; len <= sizeof(longer); len++) {
		/* An exact copy, so that reading beyond it shows. */
		char *copy = malloc(len == 0 ? 1 : len);

		if (len != TOKEN_CHARS) {
			memcpy(copy, longer, len);
			assert_int_equal(expect_refused(w, span_of(copy, len)), REASON_MALFORMED);
		}
		free(copy);
	}
	assert_int_equal(expect_refused(w, SPAN_EMPTY), REASON_MALFORMED);
}

static void random_ones_are_refused(void **state)
{
	struct world *w = *state;
	uint8_t bytes[TOKEN_BYTES];
	char text[TOKEN_CHARS];

	for (int i = 0; i < 80000; i++) {
		random_fill(bytes, sizeof(bytes));
		/* Half of them get as far as the tag. */
		if (i % 2 == 0)
			bytes[0] = bytes[2] = 1, bytes[1] = 0;
		token_print(bytes, text);
		(void)expect_refused(w, span_of(text, sizeof(text)));
	}
}

static void other_realms_and_keys_are_refused(void **state)
{
	struct world *w = *state;
	keyring *other = keyring_of_text("names AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n"
					 "1     QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8\n");
	const struct token t = golden(w);
	uint8_t bytes[TOKEN_BYTES];
	char text[TOKEN_CHARS];

	token_write(other, SPAN_LIT("default"), &t, bytes);
	token_print(bytes, text);
	assert_int_equal(expect_refused(w, span_of(text, sizeof(text))), REASON_FORGED);
	keyring_release(&other);
	w->env.realm = &w->realm_list[1];
	assert_int_equal(expect_refused(w, SPAN_LIT(GOLDEN_TOKEN)), REASON_FORGED);
	w->env.realm = &w->realm_list[0];
	world_use_keyring(w, WORLD_KEYRING_RETIRED);
	assert_int_equal(expect_refused(w, SPAN_LIT(GOLDEN_TOKEN)), REASON_RETIRED_KEY);
	world_use_keyring(w, WORLD_KEYRING);
}

static void handles_have_one_spelling(void **state)
{
	static const char *const bad[] = {
	    "",
	    "bWXKeoMqlwU.9pzRsWkwg-Os0p5",
	    "bWXKeoMqlwU.WxVCE9eUoxbe_wDYe",
	    "bWXKeoMqlwV.WxVCE9eUoxbe_wDY",
	    "bWXKeoMql.U.WxVCE9eUoxbe_wDY",
	    "bWXKeoMqlwU:WxVCE9eUoxbe_wDY",
	    "bWXKeoMqlwU.9pzRsWkwg+Os0p5e",
	    "bWXKeoMqlwU.9pzRsWkwg-Os0p }",
	};
	struct handle h;

	(void)state;
	assert_true(handle_parse(SPAN_LIT(GOLDEN_HANDLE), &h));
	assert_memory_equal(h.tag, "bWXKeoMqlwU", USER_TAG_CHARS);
	assert_memory_equal(h.name, "WxVCE9eUoxbe_wDY", NAME_CHARS);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(handle_parse(span_str(bad[i]), &h));
}

static void keys_share_a_slot(void **state)
{
	struct world *w = *state;
	struct handle h;
	span key;

	world_fresh(w);
	assert_true(handle_parse(SPAN_LIT(GOLDEN_HANDLE), &h));
	assert_true(key_of_session(w->env.arena, &h, &key));
	assert_true(span_eq(key, SPAN_LIT("lk1:s:{bWXKeoMqlwU}:WxVCE9eUoxbe_wDY")));
	assert_true(key_of_index(w->env.arena, &h, &key));
	assert_true(span_eq(key, SPAN_LIT("lk1:u:{bWXKeoMqlwU}")));
	assert_true(key_prefix(w->env.arena, &h, &key));
	assert_true(span_eq(key, SPAN_LIT("lk1:s:{bWXKeoMqlwU}:")));
	w->env.idempotency_key = SPAN_LIT("key");
	assert_true(key_of_idempotency(&w->env, h.tag, SPAN_LIT("Create"), &key));
	/* The known hash of realm, caller, method and key, in base64url. */
	assert_true(span_eq(key, SPAN_LIT("lk1:i:{bWXKeoMqlwU}:QbA-G-0gSIiWX-Qs")));
}

static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, TOKEN_ID_BYTES);
}

/* No two alike in 2,000, and every one of the 256 bits set in about half of them: off by a tenth of
 * them is, by chance, one in 10^15 runs. */
static void ids_are_random_in_every_bit(void **state)
{
	enum { IDS = 2000 };
	const struct session_create_request req = {.user = SPAN_LIT("ann")};
	struct world *w = *state;
	uint8_t(*ids)[TOKEN_ID_BYTES] = calloc(IDS, sizeof(*ids));
	unsigned set[TOKEN_ID_BYTES * 8] = {0};

	assert_non_null(ids);
	for (size_t i = 0; i < IDS; i++) {
		struct plan plan = {0};
		struct status st;

		world_fresh(w);
		assert_int_equal(session_create_plan(&w->env, &req, &plan, &st), STATUS_OK);
		memcpy(ids[i], plan.session->token.id, TOKEN_ID_BYTES);
		for (size_t bit = 0; bit < TOKEN_ID_BYTES * 8; bit++)
			set[bit] += ids[i][bit / 8] >> bit % 8 & 1;
	}
	for (size_t bit = 0; bit < TOKEN_ID_BYTES * 8; bit++)
		assert_in_range(set[bit], IDS * 4 / 10, IDS * 6 / 10);
	qsort(ids, IDS, sizeof(*ids), compare_ids);
	for (size_t i = 1; i < IDS; i++)
		assert_int_not_equal(compare_ids(ids[i - 1], ids[i]), 0);
	free(ids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_token_is_what_it_was),
	    cmocka_unit_test(the_extremes_fit),
	    cmocka_unit_test(times_are_judged),
	    cmocka_unit_test(every_flipped_bit_is_refused),
	    cmocka_unit_test(every_changed_character_is_refused),
	    cmocka_unit_test(other_lengths_are_malformed),
	    cmocka_unit_test(ids_are_random_in_every_bit),
	    cmocka_unit_test(random_ones_are_refused),
	    cmocka_unit_test(other_realms_and_keys_are_refused),
	    cmocka_unit_test(handles_have_one_spelling),
	    cmocka_unit_test(keys_share_a_slot),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
