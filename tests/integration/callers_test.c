/* Callers with credentials, end to end: who is let in, to which methods and realms, and what a reload changes. Each method
 * of all services is tried by a caller of one realm against another. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "credential/credential.h"
#include "latchkey/v1/auth_cache.pb-c.h"
#include "latchkey/v1/limits.pb-c.h"
#include "latchkey/v1/locks.pb-c.h"
#include "latchkey/v1/profiles.pb-c.h"
#include "latchkey/v1/visitors.pb-c.h"
#include "support/cli.h"
#include "support/file.h"
#include "support/scene.h"
#include "support/sessions.h"
#include "support/wait.h"

#define OK		LATCHKEY__V1__CODE__OK
#define UNAUTHENTICATED LATCHKEY__V1__CODE__UNAUTHENTICATED
#define DENIED		LATCHKEY__V1__CODE__PERMISSION_DENIED
#define NOT_FOUND	LATCHKEY__V1__CODE__NOT_FOUND
#define VALID		LATCHKEY__V1__VERDICT__VALID
#define NO_REASON	LATCHKEY__V1__REASON__REASON_NONE

#define CONFIG_BYTES 1024
#define FILE_BYTES   2048

static const ProtobufCServiceDescriptor *const services[] = {
    &latchkey__v1__server__descriptor,	   &latchkey__v1__sessions__descriptor, &latchkey__v1__profiles__descriptor,
    &latchkey__v1__visitors__descriptor,   &latchkey__v1__limits__descriptor,	&latchkey__v1__locks__descriptor,
    &latchkey__v1__auth_cache__descriptor,
};

struct made {
	char text[CREDENTIAL_CHARS_MAX + 1];
	char hash[CREDENTIAL_HASH_CHARS + 1];
};

static struct scene scene;
static struct tmpdir dir;
static char file[TMPDIR_FILE_BYTES];
static struct made of_a, reader, operator, stranger;

static struct made make(const char *id)
{
	struct made m;

	assert_true(credential_new(id, m.text, m.hash));
	return m;
}

static void write_file(const char *more)
{
	char text[FILE_BYTES];

	(void)snprintf(text, sizeof(text),
		       "role all-of-a * a\n"
		       "role reader /latchkey.v1.Sessions/Get a\n"
		       "role operator * *\n"
		       "caller of-a %s all-of-a\n"
		       "caller operator %s operator\n"
		       "%s\n",
		       of_a.hash, operator.hash, more);
	file_write(file, text);
}

static void write_all(void)
{
	char line[FILE_BYTES / 2];

	(void)snprintf(line, sizeof(line), "caller reader %s reader", reader.hash);
	write_file(line);
}

static void be(const struct made *m)
{
	scene.caller.credential = m == NULL ? NULL : m->text;
}

static int open_scene(void **state)
{
	char config[CONFIG_BYTES];

	(void)state;
	tmpdir_make(&dir);
	tmpdir_file(&dir, "callers", file);
	of_a = make("of-a");
	reader = make("reader");
	operator= make("operator");
	stranger = make("operator");
	write_all();
	(void)snprintf(config, sizeof(config), "credentials: %s\nrealms:\n  - name: a\n  - name: b\n", file);
	scene_open(&scene, config, NULL);
	return 0;
}

static int close_scene(void **state)
{
	(void)state;
	scene_close(&scene);
	tmpdir_remove(&dir);
	return 0;
}

/* What a request of this type says when all that it names is the realm. The caller frees. */
static ProtobufCMessage *request_in(const ProtobufCMessageDescriptor *type, const char *realm)
{
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(type, "realm");
	ProtobufCMessage *m = calloc(1, type->sizeof_message);

	assert_non_null(m);
	protobuf_c_message_init(type, m);
	if (field == NULL)
		return m;
	*(protobuf_c_boolean *)((uint8_t *)m + field->quantifier_offset) = true;
	*(ProtobufCBinaryData *)(void *)((uint8_t *)m + field->offset) = raw_text(realm);
	return m;
}

static Latchkey__V1__Code try_in(const char *service, const ProtobufCMethodDescriptor *method, const char *realm)
{
	char path[128];
	ProtobufCMessage *request = request_in(method->input, realm);
	const struct raw_call call = {.method = path, .request = request, .timeout_ms = 300};
	Latchkey__V1__ReplyFrame *frame;
	Latchkey__V1__Code code;

	(void)snprintf(path, sizeof(path), "/%s/%s", service, method->name);
	frame = raw_exchange(&scene.caller, &call, 1);
	code = frame->replies[0]->code;
	raw_free(frame);
	free(request);
	return code;
}

static long long keys_in_redis(void)
{
	redisContext *c = redis_server_connect(&scene.redis);
	redisReply *reply = redisCommand(c, "DBSIZE");
	const long long n = reply->integer;

	freeReplyObject(reply);
	redisFree(c);
	return n;
}

static void test_nothing_of_another_realm_by_any_method(void **state)
{
	char token[TOKEN_BYTES];
	struct session_seen seen;
	unsigned tried = 0;
	Latchkey__V1__Code code;
	long long keys;

	(void)state;
	be(&operator);
	session_create(&scene.caller, &(struct session_wish){.realm = "b", .user = "ann"}, token);
	keys = keys_in_redis();
	be(&of_a);
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		for (unsigned k = 0; k < services[i]->n_methods; k++) {
			const ProtobufCMethodDescriptor *m = &services[i]->methods[k];

			if (protobuf_c_message_descriptor_get_field_by_name(m->input, "realm") == NULL)
				continue;
			code = try_in(services[i]->name, m, "b");
			if (code != DENIED)
				fail_msg("%s.%s is not denied", services[i]->name, m->name);
			/* There being no such realm is not to be told from it. */
			assert_int_equal(try_in(services[i]->name, m, "c"), DENIED);
			tried++;
		}
	}
	assert_true(tried >= 29);
	assert_int_equal(keys_in_redis(), keys);
	/* The other realm's token is nothing in one's own. */
	assert_int_equal(session_get(&scene.caller, "a", token, 0, &seen), OK);
	assert_int_equal(seen.reason, LATCHKEY__V1__REASON__FORGED);
	be(&operator);
	assert_int_equal(session_get(&scene.caller, "b", token, 0, &seen), OK);
	assert_int_equal(seen.verdict, VALID);
}

/* What another realm's sessions are called is no secret: it stands in lists and logs. */
static void test_nothing_of_another_realm_by_its_names(void **state)
{
	Latchkey__V1__RevokeSessionRequest revoke = LATCHKEY__V1__REVOKE_SESSION_REQUEST__INIT;
	const struct raw_call by_handle = {.method = "/latchkey.v1.Sessions/Revoke", .request = &revoke.base};
	Latchkey__V1__ListSessionsRequest list = LATCHKEY__V1__LIST_SESSIONS_REQUEST__INIT;
	const struct raw_call by_user = {.method = "/latchkey.v1.Sessions/List", .request = &list.base};
	Latchkey__V1__ListSessionsResponse *listed;
	char token[TOKEN_BYTES];
	struct session_seen seen;

	(void)state;
	be(&operator);
	session_create(&scene.caller, &(struct session_wish){.realm = "b", .user = "eve"}, token);
	assert_int_equal(session_get(&scene.caller, "b", token, 0, &seen), OK);
	be(&of_a);
	revoke.has_realm = revoke.has_handle = list.has_realm = list.has_user = true;
	revoke.realm = list.realm = raw_text("a");
	revoke.handle = raw_text(seen.handle);
	raw_free(raw_call_expect(&scene.caller, NOT_FOUND, &by_handle, NULL));
	list.user = raw_text("eve");
	listed =
	    (void *)raw_call_expect(&scene.caller, OK, &by_user, &latchkey__v1__list_sessions_response__descriptor);
	assert_int_equal(listed->n_sessions, 0);
	raw_free(listed);
	be(&operator);
	assert_int_equal(session_get(&scene.caller, "b", token, 0, &seen), OK);
	assert_int_equal(seen.verdict, VALID);
}

static void test_realms_of_others_are_not_listed(void **state)
{
	Latchkey__V1__ServerInfoRequest req = LATCHKEY__V1__SERVER_INFO_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.Server/Info", .request = &req.base};
	Latchkey__V1__ServerInfoResponse *info;

	(void)state;
	be(&of_a);
	info = (void *)raw_call_expect(&scene.caller, OK, &call, &latchkey__v1__server_info_response__descriptor);
	assert_int_equal(info->n_realms, 1);
	assert_memory_equal(info->realms[0].data, "a", 1);
	raw_free(info);
}

/* What is counted for a realm names it. */
static bool counts_tell_of(const char *realm)
{
	Latchkey__V1__ServerStatsRequest req = LATCHKEY__V1__SERVER_STATS_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.Server/Stats", .request = &req.base};
	Latchkey__V1__ServerStatsResponse *stats;
	char label[32];
	bool is_told = false;

	(void)snprintf(label, sizeof(label), "{realm=\"%s\"}", realm);
	stats = (void *)raw_call_expect(&scene.caller, OK, &call, &latchkey__v1__server_stats_response__descriptor);
	for (size_t i = 0; i < stats->n_counters; i++) {
		const ProtobufCBinaryData *name = &stats->counters[i]->name;

		is_told = is_told || memmem(name->data, name->len, label, strlen(label)) != NULL;
	}
	raw_free(stats);
	return is_told;
}

static void test_counts_of_others_realms_are_not_told(void **state)
{
	const char *const realms[] = {"a", "b"};

	(void)state;
	be(&operator);
	for (size_t i = 0; i < 2; i++) {
		Latchkey__V1__ForgetAuthRequest req = LATCHKEY__V1__FORGET_AUTH_REQUEST__INIT;
		const struct raw_call call = {.method = "/latchkey.v1.AuthCache/Forget", .request = &req.base};

		req.has_realm = req.has_subject = true;
		req.realm = raw_text(realms[i]);
		req.subject = raw_text("ann");
		raw_free(raw_call_expect(&scene.caller, OK, &call, NULL));
	}
	assert_true(counts_tell_of("a") && counts_tell_of("b"));
	be(&of_a);
	assert_true(counts_tell_of("a"));
	assert_false(counts_tell_of("b"));
}

static void test_a_role_allows_its_methods_only(void **state)
{
	const struct session_wish wish = {.realm = "a", .user = "bob"};
	char token[TOKEN_BYTES];
	struct session_seen seen;

	(void)state;
	be(&of_a);
	session_create(&scene.caller, &wish, token);
	be(&reader);
	assert_int_equal(session_get(&scene.caller, "a", token, 0, &seen), OK);
	assert_int_equal(seen.verdict, VALID);
	assert_int_equal(session_try_create(&scene.caller, &wish, token), DENIED);
}

static void test_whoever_is_not_known_is_told_so_by_all_but_health(void **state)
{
	const struct made *const nobodies[] = {NULL, &stranger};
	Latchkey__V1__HealthCheckRequest health = LATCHKEY__V1__HEALTH_CHECK_REQUEST__INIT;
	const struct raw_call check = {.method = "/latchkey.v1.Health/Check", .request = &health.base};

	(void)state;
	for (size_t n = 0; n < 2; n++) {
		be(nobodies[n]);
		scene_reconnect(&scene);
		be(nobodies[n]);
		for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
			for (unsigned k = 0; k < services[i]->n_methods; k++)
				assert_int_equal(try_in(services[i]->name, &services[i]->methods[k], "a"),
						 UNAUTHENTICATED);
		raw_free(raw_call_expect(&scene.caller, OK, &check, NULL));
	}
}

static void test_who_goes_on_with_a_wrong_one_loses_the_connection(void **state)
{
	const ProtobufCMethodDescriptor *info = &latchkey__v1__server__descriptor.methods[0];
	unsigned frames = 0;

	(void)state;
	scene_reconnect(&scene);
	be(&stranger);
	while (frames < 63) {
		assert_int_equal(try_in("latchkey.v1.Server", info, "a"), UNAUTHENTICATED);
		frames++;
	}
	(void)raw_send_calls(&scene.caller, 1,
			     &(struct raw_call){.method = "/latchkey.v1.Server/Info", .body = raw_text("")}, 1);
	assert_true(raw_is_closed(&scene.caller, BOUND_MS));
	scene_reconnect(&scene);
}

static unsigned count_in_log(const char *event)
{
	char *log = latchkeyd_log(&scene.service);
	unsigned n = 0;

	for (const char *at = log; (at = strstr(at, event)) != NULL; at++)
		n++;
	free(log);
	return n;
}

static void reload(const char *event)
{
	const unsigned before = count_in_log(event);

	process_signal(&scene.service.process, SIGHUP);
	assert_becomes(count_in_log(event) > before, BOUND_MS);
}

static void test_a_reload_lets_in_and_shuts_out(void **state)
{
	const ProtobufCMethodDescriptor *info = &latchkey__v1__server__descriptor.methods[0];
	char line[FILE_BYTES / 2];

	(void)state;
	be(&reader);
	assert_int_equal(try_in("latchkey.v1.Server", info, "a"), DENIED);
	(void)snprintf(line, sizeof(line), "caller reader %s all-of-a", reader.hash);
	write_file(line);
	reload(" credentials_reloaded ");
	assert_int_equal(try_in("latchkey.v1.Server", info, "a"), OK);
	write_file("");
	reload(" credentials_reloaded ");
	assert_int_equal(try_in("latchkey.v1.Server", info, "a"), UNAUTHENTICATED);
	be(&of_a);
	file_write(file, "role half-written");
	reload(" credentials_refused ");
	assert_int_equal(try_in("latchkey.v1.Server", info, "a"), OK);
	write_all();
	reload(" credentials_reloaded ");
}

static void test_the_command_makes_one_and_uses_it(void **state)
{
	char credential_file[TMPDIR_FILE_BYTES], line[FILE_BYTES / 2];
	struct run_result run;
	char *text, *end;

	(void)state;
	cli_expect(CLI_DONE, &run, scene.service.url, "credential", "new", "shell", "--role", "all-of-a", NULL);
	text = strstr(run.out, "shell.");
	assert_non_null(text);
	end = strchr(text, '\n');
	*end = '\0';
	tmpdir_file(&dir, "credential", credential_file);
	file_write(credential_file, text);
	text = strstr(end + 1, "caller shell ");
	assert_non_null(text);
	(void)snprintf(line, sizeof(line), "%s", text);
	run_result_free(&run);
	cli_expect(CLI_USAGE, &run, scene.service.url, "credential", "new", "a.b", "--role", "all-of-a", NULL);
	run_result_free(&run);
	cli_expect(CLI_USAGE, &run, scene.service.url, "credential", "new", "shell", NULL);
	run_result_free(&run);

	write_file(line);
	reload(" credentials_reloaded ");
	cli_expect(CLI_DONE, &run, scene.service.url, "--realm", "a", "--credential-file", credential_file, "session",
		   "create", "eve", NULL);
	run_result_free(&run);
	cli_run(&run, scene.service.url, "--realm", "b", "--credential-file", credential_file, "session", "create",
		"eve", NULL);
	assert_int_not_equal(run.status, CLI_DONE);
	assert_non_null(strstr(run.err, "no role of this credential"));
	run_result_free(&run);
}

static void test_only_with_a_file_may_others_reach_it(void **state)
{
	static const char listen[] = "listen:\n  - url: tcp://0.0.0.0:7373\n";
	char path[TMPDIR_FILE_BYTES], text[CONFIG_BYTES];
	struct run_result run;

	(void)state;
	tmpdir_file(&dir, "config", path);
	file_write(path, listen);
	latchkeyd_run((const char *const[]){"--check-config", "--config", path, NULL}, NULL, &run);
	assert_int_equal(run.status, 2);
	assert_non_null(strstr(run.err, "(credentials)"));
	run_result_free(&run);
	(void)snprintf(text, sizeof(text), "%scredentials: %s\n", listen, file);
	file_write(path, text);
	latchkeyd_run((const char *const[]){"--check-config", "--config", path, NULL}, NULL, &run);
	if (run.status != 0)
		fail_msg("%s", run.err);
	run_result_free(&run);
	(void)snprintf(text, sizeof(text), "%scredentials: %s-not-there\n", listen, file);
	file_write(path, text);
	latchkeyd_run((const char *const[]){"--check-config", "--config", path, NULL}, NULL, &run);
	assert_int_equal(run.status, 2);
	run_result_free(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_of_another_realm_by_any_method),
	    cmocka_unit_test(test_nothing_of_another_realm_by_its_names),
	    cmocka_unit_test(test_realms_of_others_are_not_listed),
	    cmocka_unit_test(test_counts_of_others_realms_are_not_told),
	    cmocka_unit_test(test_a_role_allows_its_methods_only),
	    cmocka_unit_test(test_whoever_is_not_known_is_told_so_by_all_but_health),
	    cmocka_unit_test(test_who_goes_on_with_a_wrong_one_loses_the_connection),
	    cmocka_unit_test(test_a_reload_lets_in_and_shuts_out),
	    cmocka_unit_test(test_the_command_makes_one_and_uses_it),
	    cmocka_unit_test(test_only_with_a_file_may_others_reach_it),
	};

	return cmocka_run_group_tests(tests, open_scene, close_scene);
}
