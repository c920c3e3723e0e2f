/* What reaches Redis, seen by MONITOR: one command for a call, the right expiry, and nothing at all for a token that is
 * not one of ours. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "support/cli.h"
#include "support/scene.h"
#include "support/sessions.h"
#include "support/wait.h"

#define TOKEN_CHARS  (TOKEN_BYTES - 1)
#define PREFIX_CHARS 5 /* lks1_ */
#define CALLS_MAX    64

#define OK	  LATCHKEY__V1__CODE__OK
#define VALID	  LATCHKEY__V1__VERDICT__VALID
#define INVALID	  LATCHKEY__V1__VERDICT__INVALID
#define NO_REASON LATCHKEY__V1__REASON__REASON_NONE

static const char config[] = "realms:\n"
			     "  - name: default\n"
			     "    classes:\n"
			     "      - { name: default, idle_timeout_s: 1800, absolute_timeout_s: 43200 }\n"
			     "  - name: elsewhere\n"
			     "    classes:\n"
			     "      - { name: default, idle_timeout_s: 1800, absolute_timeout_s: 43200 }\n";

static struct scene scene;
static struct monitor monitor;

static int open_scene(void **state)
{
	(void)state;
	scene_open(&scene, config, NULL);
	monitor_start(&monitor, scene.redis.socket, NULL);
	return 0;
}

static int close_scene(void **state)
{
	(void)state;
	monitor_stop(&monitor);
	scene_close(&scene);
	return 0;
}

/* Exactly one command was sent since the last look, this one. */
static void expect_one_command(const char *name)
{
	struct monitor_command c;
	const char *first = NULL;
	size_t sent;

	monitor_take(&monitor);
	sent = monitor_count_sent(&monitor, &first);
	if (sent != 1)
		fail_msg("%zu commands, not one %s; the first: %s", sent, name, first == NULL ? "-" : first);
	assert_true(monitor_parse(first, &c));
	if (strcasecmp(c.argv[0], name) != 0)
		fail_msg("not %s: %s", name, first);
	monitor_command_free(&c);
}

static void expect_no_command(void)
{
	const char *first = NULL;

	monitor_take(&monitor);
	if (monitor_count_sent(&monitor, &first) != 0)
		fail_msg("reached Redis: %s", first);
}

/* GETEX lk1:s:{TAG}:NAME PX n, with n in a range; nothing else, not even from a script. */
static void expect_one_getex(uint64_t px_min, uint64_t px_max)
{
	struct monitor_command c;
	unsigned long long px;

	expect_one_command("GETEX");
	assert_int_equal(monitor.count, 1);
	assert_true(monitor_parse(monitor.lines[0], &c));
	assert_int_equal(c.argc, 4);
	assert_memory_equal(c.argv[1], "lk1:s:{", 7);
	assert_int_equal(strlen(c.argv[1]), strlen("lk1:s:{0123456789A}:") + 16);
	assert_string_equal(c.argv[2], "PX");
	px = strtoull(c.argv[3], NULL, 10);
	if (px < px_min || px > px_max)
		fail_msg("PX %llu is not in %llu..%llu", px, (unsigned long long)px_min, (unsigned long long)px_max);
	monitor_command_free(&c);
}

static void get_by_cli(const char *token)
{
	struct run_result r;

	cli_expect(CLI_DONE, &r, scene.service.url, "session", "get", token, NULL);
	run_result_free(&r);
}

static void test_get_slides_by_the_idle_timeout(void **state)
{
	char token[TOKEN_BYTES];

	(void)state;
	session_create(&scene.caller, &(struct session_wish){.user = "ann", .idle_s = 600, .max_s = 3600}, token);
	monitor_take(&monitor);
	get_by_cli(token);
	expect_one_getex(600000, 600000);
}

static void test_get_never_slides_past_the_deadline(void **state)
{
	uint64_t before_create_ms = now_wall_ms();
	uint64_t after_create_ms;
	uint64_t before_get_ms;
	char token[TOKEN_BYTES];

	(void)state;
	/* The idle timeout is cut to the absolute one: what is left to the deadline is always the smaller. */
	session_create(&scene.caller, &(struct session_wish){.user = "ann", .idle_s = 100, .max_s = 100}, token);
	after_create_ms = now_wall_ms();
	monitor_take(&monitor);
	/* A token counts in whole seconds: after more than one the two are told apart. */
	assert_becomes(now_wall_ms() > after_create_ms + 1500, BOUND_MS);
	before_get_ms = now_wall_ms();
	get_by_cli(token);
	expect_one_getex(before_create_ms - 1000 + 100000 - now_wall_ms(), after_create_ms + 100000 - before_get_ms);
}

static void test_every_call_is_one_command(void **state)
{
	struct session_seen seen;
	char token[TOKEN_BYTES];
	uint32_t revoked = 0;
	bool was_alive;

	(void)state;
	monitor_take(&monitor);
	/* The first use of a script may need its text again after NOSCRIPT: use each once before. */
	for (int round = 0; round < 2; round++) {
		session_create(&scene.caller, &(struct session_wish){.user = "bea", .key = "k", .value = "v"}, token);
		if (round == 1)
			expect_one_command("EVALSHA");
		assert_int_equal(session_get(&scene.caller, NULL, token, 0, &seen), OK);
		if (round == 1)
			expect_one_command("GETEX");
		assert_int_equal(session_peek(&scene.caller, NULL, token, &seen), OK);
		if (round == 1)
			expect_one_command("EVALSHA");
		assert_int_equal(session_update(&scene.caller, token, "k", "w", &seen), OK);
		if (round == 1)
			expect_one_command("EVALSHA");
		assert_int_equal(session_revoke(&scene.caller, token, &was_alive), OK);
		if (round == 1)
			expect_one_command("EVALSHA");
		assert_int_equal(session_revoke_user(&scene.caller, "bea", &revoked), OK);
		if (round == 1)
			expect_one_command("EVALSHA");
		monitor_take(&monitor);
	}
}

static void test_list_is_one_command(void **state)
{
	char token[TOKEN_BYTES];
	struct run_result r;

	(void)state;
	for (int i = 0; i < 3; i++)
		session_create(&scene.caller, &(struct session_wish){.user = "cleo"}, token);
	for (int round = 0; round < 2; round++) {
		monitor_take(&monitor);
		cli_expect(CLI_DONE, &r, scene.service.url, "session", "list", "cleo", NULL);
		run_result_free(&r);
	}
	expect_one_command("EVALSHA");
}

/* All keys of one user share one hash tag: one slot in a cluster. */
static void test_keys_of_a_user_share_a_slot(void **state)
{
	char token[TOKEN_BYTES];
	char tag[20] = "";

	(void)state;
	monitor_take(&monitor);
	session_create(&scene.caller, &(struct session_wish){.user = "dot", .idempotency_key = "same slot"}, token);
	monitor_take(&monitor);
	assert_true(monitor.count > 0);
	for (size_t i = 0; i < monitor.count; i++) {
		struct monitor_command c;

		assert_true(monitor_parse(monitor.lines[i], &c));
		for (size_t k = 1; k < c.argc; k++) {
			const char *brace = strncmp(c.argv[k], "lk1:", 4) == 0 ? strchr(c.argv[k], '{') : NULL;

			if (brace == NULL)
				continue;
			if (tag[0] == '\0')
				snprintf(tag, sizeof(tag), "%.13s", brace);
			assert_memory_equal(brace, tag, 13);
		}
		monitor_command_free(&c);
	}
	assert_int_equal(strlen(tag), 13);
}

static void expect_invalid_unasked(const char *token, Latchkey__V1__Reason reason)
{
	struct session_seen seen;

	assert_int_equal(session_get(&scene.caller, NULL, token, 0, &seen), OK);
	assert_int_equal(seen.verdict, INVALID);
	assert_int_equal(seen.reason, reason);
	assert_int_equal(session_update(&scene.caller, token, "k", "v", &seen), OK);
	assert_int_equal(seen.verdict, INVALID);
}

static void test_strange_tokens_stop_at_the_door(void **state)
{
	struct session_seen seen;
	char token[TOKEN_BYTES];
	struct run_result r;
	char bent[TOKEN_BYTES + 1];

	(void)state;
	session_create(&scene.caller, &(struct session_wish){.user = "eve"}, token);
	monitor_take(&monitor);
	memcpy(bent, token, TOKEN_BYTES);
	bent[50] = bent[50] == 'A' ? 'B' : 'A';
	expect_invalid_unasked(bent, LATCHKEY__V1__REASON__FORGED);
	cli_expect(CLI_INVALID, &r, scene.service.url, "session", "get", bent, NULL);
	assert_non_null(strcasestr(r.err, "forged"));
	run_result_free(&r);
	snprintf(bent, sizeof(bent), "%.*s", TOKEN_CHARS - 1, token);
	expect_invalid_unasked(bent, LATCHKEY__V1__REASON__MALFORMED);
	expect_invalid_unasked("lks1_", LATCHKEY__V1__REASON__MALFORMED);
	expect_invalid_unasked("hello", LATCHKEY__V1__REASON__MALFORMED);
	expect_no_command();
	assert_int_equal(session_get(&scene.caller, "elsewhere", token, 0, &seen), OK);
	assert_int_equal(seen.verdict, INVALID);
	assert_int_equal(seen.reason, LATCHKEY__V1__REASON__FORGED);
	cli_expect(CLI_INVALID, &r, scene.service.url, "session", "get", token, "--realm", "elsewhere", NULL);
	run_result_free(&r);
	expect_no_command();
	session_must_be(&scene.caller, token, VALID, NO_REASON);
}

/* ---- 100,000 mutated tokens ---- */

#define MUTANTS 100000

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void change_one(char *t, unsigned *seed)
{
	size_t at = PREFIX_CHARS + (size_t)rand_r(seed) % (TOKEN_CHARS - PREFIX_CHARS);
	char was = t[at];

	while (t[at] == was)
		t[at] = alphabet[(unsigned)rand_r(seed) % 64];
}

static void flip_one_bit(char *t, unsigned *seed)
{
	t[(size_t)rand_r(seed) % TOKEN_CHARS] ^= (char)(1 << (rand_r(seed) % 8));
}

static void randomise(char *t, unsigned *seed)
{
	for (size_t i = PREFIX_CHARS; i < TOKEN_CHARS; i++)
		t[i] = alphabet[(unsigned)rand_r(seed) % 64];
}

/* The tag of one token on the body of another. */
static void graft(char *t, const char *other)
{
	memcpy(t + TOKEN_CHARS - 22, other + TOKEN_CHARS - 22, 22);
}

static size_t mutate(char *out, const char *token, const char *other, unsigned number)
{
	unsigned seed = number * 2654435761U + 1;

	memcpy(out, token, TOKEN_CHARS);
	switch (number % 8) {
	case 0:
		randomise(out, &seed);
		return TOKEN_CHARS;
	case 1:
		graft(out, other);
		change_one(out, &seed);
		return TOKEN_CHARS;
	case 2:
		return 1 + (unsigned)rand_r(&seed) % (TOKEN_CHARS - 1);
	case 3:
		out[TOKEN_CHARS] = alphabet[number % 64];
		return TOKEN_CHARS + 1;
	case 4:
	case 5:
		flip_one_bit(out, &seed);
		return TOKEN_CHARS;
	default:
		change_one(out, &seed);
		return TOKEN_CHARS;
	}
}

/* One frame of mutants from `first` on: each is INVALID. */
static void send_mutants(const char *token, const char *other, unsigned first)
{
	Latchkey__V1__GetSessionRequest requests[CALLS_MAX];
	char mutants[CALLS_MAX][TOKEN_BYTES + 1];
	struct raw_call calls[CALLS_MAX];
	Latchkey__V1__ReplyFrame *frame;

	for (unsigned i = 0; i < CALLS_MAX; i++) {
		latchkey__v1__get_session_request__init(&requests[i]);
		requests[i].has_token = true;
		requests[i].token.len = mutate(mutants[i], token, other, first + i);
		requests[i].token.data = (uint8_t *)mutants[i];
		calls[i] = (struct raw_call){.method = "/latchkey.v1.Sessions/Get", .request = &requests[i].base};
	}
	frame = raw_exchange(&scene.caller, calls, CALLS_MAX);
	assert_int_equal(frame->n_replies, CALLS_MAX);
	for (size_t i = 0; i < CALLS_MAX; i++) {
		Latchkey__V1__GetSessionResponse *response;

		assert_int_equal(frame->replies[i]->code, OK);
		response = (void *)raw_unpack(frame->replies[i], &latchkey__v1__get_session_response__descriptor);
		assert_non_null(response);
		if (response->verdict != INVALID)
			fail_msg("mutant %zu of %u: verdict %d", i, first, response->verdict);
		raw_free(response);
	}
	raw_free(frame);
}

static void test_mutated_tokens_never_reach_redis(void **state)
{
	char token[TOKEN_BYTES];
	char other[TOKEN_BYTES];
	redisContext *c = redis_server_connect(&scene.redis);
	long long before;

	(void)state;
	session_create(&scene.caller, &(struct session_wish){.user = "mut"}, token);
	session_create(&scene.caller, &(struct session_wish){.user = "mut"}, other);
	monitor_take(&monitor);
	before = redis_data_commands(c);
	for (unsigned sent = 0; sent < MUTANTS; sent += CALLS_MAX)
		send_mutants(token, other, sent);
	assert_int_equal(redis_data_commands(c), before);
	redisFree(c);
	session_must_be(&scene.caller, token, VALID, NO_REASON);
	session_must_be(&scene.caller, other, VALID, NO_REASON);
	assert_true(process_is_running(&scene.service.process));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_get_slides_by_the_idle_timeout),
	    cmocka_unit_test(test_get_never_slides_past_the_deadline),
	    cmocka_unit_test(test_every_call_is_one_command),
	    cmocka_unit_test(test_list_is_one_command),
	    cmocka_unit_test(test_keys_of_a_user_share_a_slot),
	    cmocka_unit_test(test_strange_tokens_stop_at_the_door),
	    cmocka_unit_test(test_mutated_tokens_never_reach_redis),
	};

	return cmocka_run_group_tests(tests, open_scene, close_scene);
}
