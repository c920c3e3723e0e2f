/* An anonymous token as anybody may present it: as it comes, and as changes to a good one. None but the good one opens. */

#include "compress/compress.h"
#include "fuzz_keys.h"
#include "session/anonymous.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define NOW_MS 1800000000000U

static span good_token(const struct plan_env *env)
{
	static const struct session_attribute cart = {{(const uint8_t *)"cart", 4}, {(const uint8_t *)"apples", 6}};
	static char text[256];
	static size_t len;
	struct anonymous a = {
	    .created_s = NOW_MS / 1000, .lifetime_s = 3600, .attribute_count = 1, .attributes = &cart};
	struct status st;

	if (len == 0) {
		if (anonymous_write(env, &a, &st) != STATUS_OK || a.token.len > sizeof(text))
			abort();
		memcpy(text, a.token.ptr, a.token.len);
		len = a.token.len;
	}
	return span_of(text, len);
}

static enum session_verdict verdict_of(const struct plan_env *env, span token)
{
	struct session_outcome outcome;
	struct anonymous a;
	struct status st;

	if (anonymous_read(env, token, &a, &outcome, &st) != STATUS_OK)
		abort();
	return outcome.verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct realm realm = {.name = {(const uint8_t *)"default", 7}};
	static keyring *keys;
	static compressor *packer;
	struct plan_env env = {.realm = &realm, .now_ms = NOW_MS};
	char changed[256];
	span good;

	if (keys == NULL)
		keys = fuzz_keys();
	if (packer == NULL)
		packer = compressor_new();
	env.keys = keys;
	env.compressor = packer;
	env.arena = arena_new(4096, PLAN_BYTES_MAX);
	if (env.arena == NULL)
		abort();
	if (verdict_of(&env, span_of(data, len)) != VERDICT_INVALID)
		abort();
	good = good_token(&env);
	if (verdict_of(&env, good) != VERDICT_VALID)
		abort();
	memcpy(changed, good.ptr, good.len);
	for (size_t i = 0; i + 1 < len; i += 2)
		changed[data[i] % good.len] = (char)data[i + 1];
	if (memcmp(changed, good.ptr, good.len) != 0 && verdict_of(&env, span_of(changed, good.len)) != VERDICT_INVALID)
		abort();
	arena_free(&env.arena);
	return 0;
}
