/* A logout everywhere whose instance is killed half-way: whom it had ended stays ended, and the next call ends the rest. */

#include <stdio.h>
#include <stdlib.h>

#include "support/scene.h"
#include "support/sessions.h"
#include "support/wait.h"

/* Twenty chunks: time enough to be killed in. */
#define MANY	   2000
#define CHUNKS	   3
#define ATTEMPTS   20
#define USER_BYTES 24

#define OK	LATCHKEY__V1__CODE__OK
#define INVALID LATCHKEY__V1__VERDICT__INVALID

static const char config[] = "realms:\n"
			     "  - name: default\n"
			     "    classes:\n"
			     "      - { name: web, sessions_max: 5000 }\n";

THE_SCENE_OF_TWO(config)

static char tokens[MANY][TOKEN_BYTES];
static bool has_ended[MANY];

/* Begun through the first instance, which is killed when Redis has carried out some of it. */
static void begin_to_revoke(const char *user)
{
	Latchkey__V1__RevokeUserRequest req = LATCHKEY__V1__REVOKE_USER_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.Sessions/RevokeUser", .request = &req.base};
	redisContext *c = redis_server_connect(&scene.redis);
	const long long before = redis_command_calls(c, "evalsha");

	req.has_user = true;
	req.user = raw_text(user);
	assert_true(raw_send_calls(&scene.caller, 1, &call, 1));
	while (redis_command_calls(c, "evalsha") < before + CHUNKS)
		;
	process_kill(&scene.service.process);
	raw_close(&scene.caller);
	/* What it had sent by then is carried out before the second of two more questions. */
	(void)redis_command_calls(c, "evalsha");
	(void)redis_command_calls(c, "evalsha");
	redisFree(c);
}

/* Notes who has ended, and returns how many. */
static int look_at_all(void)
{
	int ended = 0;

	for (int i = 0; i < MANY; i++) {
		struct session_seen seen;

		assert_int_equal(session_peek(&second_caller, NULL, tokens[i], &seen), OK);
		has_ended[i] = seen.verdict == INVALID;
		ended += has_ended[i];
	}
	return ended;
}

/* Of so many sessions of a user of his own some have ended, not all. */
static int end_half(char user[static USER_BYTES])
{
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		int ended;

		(void)snprintf(user, USER_BYTES, "user %d", attempt);
		for (int i = 0; i < MANY; i++)
			session_create(&second_caller, &(struct session_wish){.user = user}, tokens[i]);
		begin_to_revoke(user);
		ended = look_at_all();
		latchkeyd_start_serving(&scene.service);
		raw_connect(&scene.caller, scene.service.url);
		if (ended < MANY)
			return ended;
	}
	fail_msg("in %d attempts it was always over", ATTEMPTS);
	return 0;
}

static void test_the_next_call_ends_the_rest(void **state)
{
	uint32_t revoked = 0;
	char user[USER_BYTES];
	int ended;

	(void)state;
	ended = end_half(user);
	assert_true(ended > 0);
	for (int i = 0; i < MANY; i++)
		if (has_ended[i])
			session_must_be(&scene.caller, tokens[i], INVALID, LATCHKEY__V1__REASON__LOGOUT_EVERYWHERE);
	assert_int_equal(session_revoke_user(&scene.caller, user, &revoked), OK);
	assert_int_equal(revoked, MANY - ended);
	for (int i = 0; i < MANY; i++)
		session_must_be(i % 2 == 0 ? &scene.caller : &second_caller, tokens[i], INVALID,
				LATCHKEY__V1__REASON__LOGOUT_EVERYWHERE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_next_call_ends_the_rest)};

	return cmocka_run_group_tests(tests, open_scene, close_scene);
}
