/* As many realms as a configuration may name: the service starts, each is a tenant of its own, and one that is revoked
 * takes no other with it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/latchkeyd.h"
#include "support/raw.h"
#include "support/redis_server.h"
#include "support/sessions.h"
#include "support/wait.h"

#define OK	LATCHKEY__V1__CODE__OK
#define VALID	LATCHKEY__V1__VERDICT__VALID
#define INVALID LATCHKEY__V1__VERDICT__INVALID
#define REVOKED LATCHKEY__V1__REASON__REALM_REVOKED

/* CONFIG_REALMS_MAX */
#define REALMS 1024
/* The first, some between, the last. */
#define SAMPLE 8
static struct redis_server redis;
static struct latchkeyd service;
static struct raw caller;
static char names[SAMPLE][24];

static char *make_config(void)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	(void)fprintf(f, "realms:\n");
	for (int i = 0; i < REALMS; i++)
		(void)fprintf(f, "  - { name: tenant-%d }\n", i);
	assert_int_equal(fclose(f), 0);
	return text;
}

static int open_all(void **state)
{
	char *config = make_config();

	(void)state;
	for (int i = 0; i < SAMPLE; i++)
		(void)snprintf(names[i], sizeof(names[i]), "tenant-%d", i * (REALMS - 1) / (SAMPLE - 1));
	redis_server_init(&redis, NULL);
	redis_server_start(&redis);
	latchkeyd_init(&service, &(struct latchkeyd_options){.redis_url = redis.url, .config = config});
	free(config);
	latchkeyd_start_serving(&service);
	raw_connect(&caller, service.url);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	raw_close(&caller);
	latchkeyd_remove(&service);
	redis_server_remove(&redis);
	return 0;
}

static bool is(const char *realm, const char *token, Latchkey__V1__Verdict verdict)
{
	struct session_seen seen;

	return session_get(&caller, realm, token, 0, &seen) == OK && seen.verdict == verdict;
}

static void test_each_is_a_tenant_of_its_own(void **state)
{
	char tokens[SAMPLE][TOKEN_BYTES];

	(void)state;
	for (int i = 0; i < SAMPLE; i++)
		session_create(&caller, &(struct session_wish){.realm = names[i], .user = "ann"}, tokens[i]);
	for (int i = 0; i < SAMPLE; i++)
		for (int k = 0; k < SAMPLE; k++)
			assert_true(is(names[k], tokens[i], i == k ? VALID : INVALID));
}

/* A further round of questions: what it brings changes nothing. */
static void let_it_ask(void)
{
	redisContext *c = redis_server_connect(&redis);
	const long long before = redis_command_calls(c, "get");

	assert_becomes(redis_command_calls(c, "get") >= before + 2LL * REALMS, BOUND_MS);
	redisFree(c);
}

static void test_one_that_is_revoked_takes_no_other_with_it(void **state)
{
	char tokens[SAMPLE][TOKEN_BYTES];
	struct session_seen seen;
	uint64_t not_before_ms;

	(void)state;
	for (int i = 0; i < SAMPLE; i++)
		session_create(&caller, &(struct session_wish){.realm = names[i], .user = "bob"}, tokens[i]);
	assert_int_equal(session_revoke_realm(&caller, names[3], &not_before_ms), OK);
	assert_int_equal(session_get(&caller, names[3], tokens[3], 0, &seen), OK);
	assert_int_equal(seen.verdict, INVALID);
	assert_int_equal(seen.reason, REVOKED);
	let_it_ask();
	for (int i = 0; i < SAMPLE; i++)
		assert_true(is(names[i], tokens[i], i == 3 ? INVALID : VALID));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_is_a_tenant_of_its_own),
	    cmocka_unit_test(test_one_that_is_revoked_takes_no_other_with_it),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
