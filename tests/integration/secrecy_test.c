/* What a thief of the Redis data, or a reader of the logs, gets: neither token, nor session id, user, attribute or
 * device, in any form that a search finds. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cli.h"
#include "support/file.h"
#include "support/scene.h"
#include "support/sessions.h"
#include "support/wait.h"

#define USER	    "canary-user-4711"
#define KEY	    "canary-key-4711"
#define VALUE	    "canary-value-4711"
#define LATER_VALUE "canary-later-value-4711"
#define AGENT	    "canary-agent-4711"
#define CONTROL	    "canary-control-4711"

/* Where the 256-bit id is in a token's 72 bytes. */
#define ID_AT	     24
#define ID_BYTES     32
#define PREFIX_CHARS 5

static int digit_of(char c)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	return (int)(strchr(alphabet, c) - alphabet);
}

static void decode_token(const char *token, uint8_t out[static 72])
{
	const char *at = token + PREFIX_CHARS;

	for (size_t i = 0; i < 72; i += 3, at += 4) {
		unsigned group = (unsigned)digit_of(at[0]) << 18 | (unsigned)digit_of(at[1]) << 12 |
				 (unsigned)digit_of(at[2]) << 6 | (unsigned)digit_of(at[3]);

		out[i] = (uint8_t)(group >> 16);
		out[i + 1] = (uint8_t)(group >> 8);
		out[i + 2] = (uint8_t)group;
	}
}

struct canary {
	const char *name;
	const void *bytes;
	size_t len;
};

struct canaries {
	char token[TOKEN_BYTES];
	uint8_t id[ID_BYTES];
	char id_hex[2 * ID_BYTES + 1];
};

static void expect_nowhere(const char *folder, struct canary c, unsigned *ret_files)
{
	unsigned hits = tree_count_files_with(folder, c.bytes, c.len, ret_files);

	if (hits > 0)
		fail_msg("the %s is in %u files below %s", c.name, hits, folder);
}

static void expect_secret(const struct canaries *c, const char *folder, unsigned files_min)
{
	const struct canary all[] = {
	    {"token", c->token, sizeof(c->token) - 1},
	    {"token's body", c->token + PREFIX_CHARS, 40},
	    {"token's random part", c->token + PREFIX_CHARS + ID_AT / 3 * 4, 40},
	    {"session id", c->id, ID_BYTES},
	    {"session id in hex", c->id_hex, 2 * ID_BYTES},
	    {"user", USER, strlen(USER)},
	    {"attribute's key", KEY, strlen(KEY)},
	    {"attribute's value", VALUE, strlen(VALUE)},
	    {"updated value", LATER_VALUE, strlen(LATER_VALUE)},
	    {"device", AGENT, strlen(AGENT)},
	};
	unsigned files = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		expect_nowhere(folder, all[i], &files);
	assert_true(files >= files_min);
}

static void learn(struct canaries *c)
{
	uint8_t bytes[72];

	decode_token(c->token, bytes);
	memcpy(c->id, bytes + ID_AT, ID_BYTES);
	for (size_t i = 0; i < ID_BYTES; i++)
		snprintf(c->id_hex + 2 * i, 3, "%02x", c->id[i]);
}

/* Every kind of call, those that fail too: what is refused must not be logged either. */
static void live(struct scene *s, struct canaries *c)
{
	struct session_wish wish = {
	    .user = USER, .key = KEY, .value = VALUE, .user_agent = AGENT, .idempotency_key = "once"};
	char other[TOKEN_BYTES];
	char bent[TOKEN_BYTES];
	struct session_seen seen;

	session_create(&s->caller, &wish, c->token);
	assert_int_equal(session_get(&s->caller, NULL, c->token, 0, &seen), LATCHKEY__V1__CODE__OK);
	assert_string_equal(seen.value, VALUE);
	assert_int_equal(session_update(&s->caller, c->token, KEY, LATER_VALUE, &seen), LATCHKEY__V1__CODE__OK);
	memcpy(bent, c->token, sizeof(bent));
	bent[sizeof(bent) - 2] ^= 1;
	(void)session_get(&s->caller, NULL, bent, 0, &seen);
	wish.realm = "canary-realm";
	(void)session_try_create(&s->caller, &wish, other);
	wish.realm = NULL;
	wish.value = "another";
	(void)session_try_create(&s->caller, &wish, other);
}

static void test_at_rest_and_in_logs(void **state)
{
	/* Uncompressed, so that what is there is found. */
	const struct redis_server_options options = {.args = {"--appendonly", "yes", "--appendfsync", "always",
							      "--rdbcompression", "no", "--loglevel", "debug",
							      "--aof-use-rdb-preamble", "no"}};
	struct canaries c = {0};
	struct session_seen seen;
	struct scene s;
	unsigned files;

	(void)state;
	scene_open(&s, "log_level: debug\n", &options);
	live(&s, &c);
	learn(&c);
	freeReplyObject(redis_server_command(&s.redis, "SET control %s", CONTROL));
	freeReplyObject(redis_server_command(&s.redis, "SAVE"));
	/* The control is in the dump and in the append-only file: the search would have found the rest. */
	assert_true(tree_count_files_with(s.redis.dir.path, CONTROL, strlen(CONTROL), &files) >= 2);
	expect_secret(&c, s.redis.dir.path, 4);
	expect_secret(&c, s.service.dir.path, 2);

	/* Trouble makes logs talk. */
	redis_server_kill(&s.redis);
	(void)session_get(&s.caller, NULL, c.token, 500, &seen);
	latchkeyd_stop(&s.service);
	expect_secret(&c, s.service.dir.path, 2);
	scene_close(&s);
}

static void test_embedded_state_folder(void **state)
{
	struct canaries c = {0};
	struct scene s = {0};

	(void)state;
	latchkeyd_init(&s.service, &(struct latchkeyd_options){.config = "log_level: debug\n"});
	latchkeyd_start_serving(&s.service);
	raw_connect(&s.caller, s.service.url);
	live(&s, &c);
	learn(&c);
	raw_close(&s.caller);
	latchkeyd_stop(&s.service);
	expect_secret(&c, s.service.dir.path, 4);
	latchkeyd_remove(&s.service);
}

/* The two lines above are only worth something if the id is where they look for it: two tokens of one user that were
 * made in one second differ in id and tag alone. */
static void test_the_id_is_where_the_search_looks(void **state)
{
	struct canaries a = {0};
	struct canaries b = {0};
	uint8_t bytes_a[72];
	uint8_t bytes_b[72];
	struct scene s;

	(void)state;
	scene_open(&s, NULL, NULL);
	do {
		session_create(&s.caller, &(struct session_wish){.user = USER}, a.token);
		session_create(&s.caller, &(struct session_wish){.user = USER}, b.token);
		decode_token(a.token, bytes_a);
		decode_token(b.token, bytes_b);
	} while (memcmp(bytes_a, bytes_b, 8) != 0);
	assert_memory_equal(bytes_a, bytes_b, ID_AT);
	assert_memory_not_equal(bytes_a + ID_AT, bytes_b + ID_AT, 4);
	assert_memory_not_equal(bytes_a + ID_AT + ID_BYTES - 4, bytes_b + ID_AT + ID_BYTES - 4, 4);
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_at_rest_and_in_logs),
	    cmocka_unit_test(test_embedded_state_folder),
	    cmocka_unit_test(test_the_id_is_where_the_search_looks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
