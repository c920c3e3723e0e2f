/* What Redis may hold in a session's place: foreign bytes, and changes to a good record. Never VALID with other content. */

#include "compress/compress.h"
#include "fuzz_keys.h"
#include "session/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define NOW_MS 1800000000000U

static struct session_class class_default = {
    .name = {(const uint8_t *)"default", 7},
    .policy = {.idle_timeout_s = 60, .absolute_timeout_s = 3600, .sessions_max = 10, .tombstone_s = 600},
};
static struct realm realm_default = {
    .name = {(const uint8_t *)"default", 7}, .class_count = 1, .classes = &class_default};
static keyring *keys;
static compressor *packer;
static char token[TOKEN_CHARS];
static uint8_t *record;
static size_t record_len;

static struct plan_env env_new(void)
{
	arena *a = arena_new(4096, 1U << 20);

	if (a == NULL)
		abort();
	return (struct plan_env){
	    .keys = keys, .compressor = packer, .realm = &realm_default, .arena = a, .now_ms = NOW_MS};
}

/* A session created by a plan whose command is not carried out: its argument is the record. */
static void make_good(void)
{
	struct realms realms = {.count = 1, .realms = &realm_default};
	const struct session_attribute cart = {SPAN_LIT("cart"), SPAN_LIT("three apples")};
	const struct store_reply ok = {.type = STORE_STRING, .string = SPAN_LIT("ok")};
	const struct store_reply *const elements[] = {&ok};
	const struct store_reply reply = {.type = STORE_ARRAY, .count = 1, .elements = elements};
	struct session_create_result created;
	struct plan plan;
	struct plan_env env;
	enum plan_next next;
	struct status st;

	keys = fuzz_keys();
	packer = compressor_new();
	if (realms_seal(&realms, keys, &st) != STATUS_OK)
		abort();
	env = env_new();
	if (session_create_plan(
		&env,
		&(struct session_create_request){.user = SPAN_LIT("ann"), .attribute_count = 1, .attributes = &cart},
		&plan, &st) != STATUS_OK)
		abort();
	record_len = plan.command.argv[plan.command.key_count].len;
	record = malloc(record_len);
	if (record == NULL)
		abort();
	memcpy(record, plan.command.argv[plan.command.key_count].ptr, record_len);
	if (session_create_answer(&env, &plan, &reply, &next, &created, &st) != STATUS_OK)
		abort();
	memcpy(token, created.token.ptr, sizeof(token));
	arena_free(&env.arena);
}

static bool is_good(const struct session_get_result *r)
{
	return span_eq(r->info.user, SPAN_LIT("ann")) && r->attribute_count == 1 &&
	       span_eq(r->attributes[0].key, SPAN_LIT("cart")) &&
	       span_eq(r->attributes[0].value, SPAN_LIT("three apples"));
}

static enum session_verdict get(span stored)
{
	const struct store_reply reply = {.type = STORE_STRING, .string = stored};
	struct plan_env env = env_new();
	struct session_get_result result = {0};
	enum plan_next next = PLAN_DONE;
	struct plan plan;
	struct status st;

	if (session_get_plan(&env, &(struct session_get_request){.token = span_of(token, sizeof(token))}, &plan, &st) !=
		STATUS_OK ||
	    !plan.has_command)
		abort();
	if (session_get_answer(&env, &plan, &reply, &next, &result, &st) != STATUS_OK || next != PLAN_DONE)
		result.outcome.verdict = VERDICT_UNKNOWN;
	if (result.outcome.verdict == VERDICT_VALID && !is_good(&result))
		abort();
	arena_free(&env.arena);
	return result.outcome.verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *changed;

	if (record == NULL) {
		make_good();
		if (get(span_of(record, record_len)) != VERDICT_VALID)
			abort();
	}
	(void)get(span_of(data, len));

	changed = malloc(record_len);
	if (changed == NULL)
		abort();
	memcpy(changed, record, record_len);
	for (size_t i = 0; i + 2 < len; i += 3)
		changed[(size_t)(data[i] << 8 | data[i + 1]) % record_len] ^= data[i + 2];
	/* The two upper bounds in the header are the scripts' alone; all else is bound by the seals. */
	(void)get(span_of(changed, record_len));
	free(changed);
	return 0;
}
