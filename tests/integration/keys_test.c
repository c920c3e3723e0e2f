/* Rotations of keys under load: two instances on one Redis and one keyring file, each told at its own time. Nobody is
 * logged out and nothing fails but what must: the tokens of a key that was taken out. */

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/file.h"
#include "support/redis_server.h"
#include "support/scene.h"
#include "support/sessions.h"
#include "support/wait.h"

#define ROTATIONS 10
#define WORKERS	  4
#define SESSIONS  24 /* of a worker */
/* Calls between two steps of a rotation, through either instance, so that each step is taken under load. */
#define CALLS_BETWEEN 300
/* Nothing here is about time: a slow machine must not look like a failed read. */
static const char config[] = "redis: { response_timeout_ms: 30000, late_ms: 20000, breaker_ms: 20000 }\n"
			     "calls: { timeout_default_ms: 30000, timeout_max_ms: 30000 }\n";

struct worker_session {
	char user[32];
	char token[TOKEN_BYTES];
	char handle[HANDLE_BYTES];
	unsigned value; /* last written; 0: as created */
};

struct worker {
	pthread_t thread;
	unsigned number;
	unsigned made;
	struct worker_session sessions[SESSIONS];
	char failure[160]; /* the first; empty: none */
};

static struct redis_server redis;
static struct tmpdir dir;
static char keyring[TMPDIR_FILE_BYTES];
static struct latchkeyd services[2];
static struct raw callers[2];
static struct worker workers[WORKERS];
static atomic_bool is_over;
static atomic_bool has_failed;
static _Atomic unsigned calls[2];

/* ---- The load ---- */

static void note(struct worker *w, const char *what, Latchkey__V1__Code code, const struct session_seen *seen)
{
	if (w->failure[0] != '\0')
		return;
	snprintf(w->failure, sizeof(w->failure), "%s: code %d, verdict %d, reason %d, value \"%s\"", what, code,
		 seen->verdict, seen->reason, seen->value);
	atomic_store(&has_failed, true);
}

static void create_one(struct worker *w, struct raw *r, struct worker_session *s)
{
	struct session_seen seen = {0};
	Latchkey__V1__Code code;

	*s = (struct worker_session){0};
	snprintf(s->user, sizeof(s->user), "user-%u-%u", w->number, w->made++);
	code = session_try_create(r, &(struct session_wish){.user = s->user, .key = "n", .value = "0"}, s->token);
	if (code != LATCHKEY__V1__CODE__OK)
		note(w, "Create", code, &seen);
}

static void update_one(struct worker *w, struct raw *r, struct worker_session *s)
{
	struct session_seen seen;
	Latchkey__V1__Code code;
	char value[16];

	snprintf(value, sizeof(value), "%u", ++s->value);
	code = session_update(r, s->token, "n", value, &seen);
	if (code != LATCHKEY__V1__CODE__OK || seen.verdict != LATCHKEY__V1__VERDICT__VALID)
		note(w, "Update", code, &seen);
}

static void get_one(struct worker *w, struct raw *r, struct worker_session *s)
{
	struct session_seen seen;
	Latchkey__V1__Code code;
	char value[16];

	snprintf(value, sizeof(value), "%u", s->value);
	code = session_get(r, NULL, s->token, 0, &seen);
	if (code != LATCHKEY__V1__CODE__OK || seen.verdict != LATCHKEY__V1__VERDICT__VALID ||
	    strcmp(seen.value, value) != 0)
		note(w, "Get", code, &seen);
	memcpy(s->handle, seen.handle, sizeof(s->handle));
}

/* The first half of the sessions live through all rotations; those of the other are replaced now and then. Each call
 * goes to the other instance than the one before it. */
static void *work(void *arg)
{
	struct worker *w = arg;
	struct raw r[2];

	raw_connect(&r[0], services[0].url);
	raw_connect(&r[1], services[1].url);
	for (unsigned i = 0; i < SESSIONS; i++)
		create_one(w, &r[i % 2], &w->sessions[i]);
	for (unsigned n = 0; !atomic_load(&is_over) && w->failure[0] == '\0'; n++) {
		struct worker_session *s = &w->sessions[n / 2 % SESSIONS];
		const unsigned through = (n + n / 2 / SESSIONS) % 2;

		if (n / 2 % SESSIONS >= SESSIONS / 2 && n / 2 / SESSIONS % 8 == 0 && n % 2 == 0)
			create_one(w, &r[through], s);
		else if (n % 2 == 0 && n / 2 % 3 == 0)
			update_one(w, &r[through], s);
		else
			get_one(w, &r[through], s);
		(void)atomic_fetch_add(&calls[through], 1);
	}
	raw_close(&r[0]);
	raw_close(&r[1]);
	return NULL;
}

static void start_load(void)
{
	atomic_store(&is_over, false);
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){.number = i};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
}

static void stop_load(void)
{
	atomic_store(&is_over, true);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
	for (unsigned i = 0; i < WORKERS; i++)
		if (workers[i].failure[0] != '\0')
			fail_msg("worker %u: %s", i, workers[i].failure);
}

static void let_calls_pass(void)
{
	const unsigned until[2] = {atomic_load(&calls[0]) + CALLS_BETWEEN, atomic_load(&calls[1]) + CALLS_BETWEEN};

	assert_becomes(atomic_load(&has_failed) ||
			   (atomic_load(&calls[0]) >= until[0] && atomic_load(&calls[1]) >= until[1]),
		       BOUND_MS);
}

/* ---- The rotation ---- */

static unsigned count_in_log(const struct latchkeyd *d, const char *event)
{
	char *log = latchkeyd_log(d);
	unsigned n = 0;

	for (const char *at = log; (at = strstr(at, event)) != NULL; at++)
		n++;
	free(log);
	return n;
}

static void reload(const struct latchkeyd *d, const char *event)
{
	const unsigned before = count_in_log(d, event);

	process_signal(&d->process, SIGHUP);
	if (!WAIT_FOR(count_in_log(d, event) > before, BOUND_MS))
		fail_msg("no %s:\n%s", event, latchkeyd_log(d));
}

static void reload_one_after_the_other(void)
{
	reload(&services[0], " keyring_reloaded ");
	let_calls_pass();
	reload(&services[1], " keyring_reloaded ");
	let_calls_pass();
}

static void edit(const char *option, const char *number)
{
	struct run_result run;

	latchkeyd_run((const char *const[]){option, keyring, number, NULL}, NULL, &run);
	if (run.status != 0)
		fail_msg("%s: %s", option, run.err);
	run_result_free(&run);
}

static void rotate(unsigned to)
{
	char number[8];

	snprintf(number, sizeof(number), "%u", to);
	edit("--add-key", NULL);
	reload_one_after_the_other();
	edit("--promote-key", number);
	reload_one_after_the_other();
}

/* The key that the record's base is sealed under. */
static unsigned key_of_record(const char *handle)
{
	char key[64];
	redisReply *r;
	unsigned id;

	snprintf(key, sizeof(key), "lk1:s:{%.11s}:%.16s", handle, handle + 12);
	r = redis_server_command(&redis, "GETRANGE %s 1 2", key);
	assert_int_equal(r->len, 2);
	id = (unsigned)(uint8_t)r->str[0] << 8 | (uint8_t)r->str[1];
	freeReplyObject(r);
	return id;
}

static void expect_written_under(unsigned id)
{
	for (unsigned w = 0; w < WORKERS; w++) {
		for (unsigned i = 0; i < SESSIONS; i++) {
			struct worker_session *s = &workers[w].sessions[i];

			update_one(&workers[w], &callers[i % 2], s);
			get_one(&workers[w], &callers[(i + 1) % 2], s);
			if (workers[w].failure[0] != '\0')
				fail_msg("%s", workers[w].failure);
			assert_int_equal(key_of_record(s->handle), id);
		}
	}
}

static int start(void **state)
{
	struct run_result run;
	static char variable[TMPDIR_FILE_BYTES + 32];

	(void)state;
	tmpdir_make(&dir);
	tmpdir_file(&dir, "keyring", keyring);
	latchkeyd_run((const char *const[]){"--new-keyring", keyring, NULL}, NULL, &run);
	assert_int_equal(run.status, 0);
	run_result_free(&run);
	snprintf(variable, sizeof(variable), "LATCHKEY_KEYRING=%s", keyring);
	redis_server_init(&redis, NULL);
	redis_server_start(&redis);
	for (size_t i = 0; i < 2; i++) {
		latchkeyd_init(&services[i], &(struct latchkeyd_options){
						 .redis_url = redis.url, .config = config, .env = {variable}});
		latchkeyd_start_serving(&services[i]);
		raw_connect(&callers[i], services[i].url);
	}
	return 0;
}

static int stop(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		raw_close(&callers[i]);
		latchkeyd_end(&services[i]);
	}
	redis_server_remove(&redis);
	tmpdir_remove(&dir);
	return 0;
}

static Latchkey__V1__ServerKeysResponse *ask_keys(struct raw *r)
{
	Latchkey__V1__ServerKeysRequest req = LATCHKEY__V1__SERVER_KEYS_REQUEST__INIT;
	const struct raw_call c = {.method = "/latchkey.v1.Server/Keys", .request = &req.base};

	return (void *)raw_call_expect(r, LATCHKEY__V1__CODE__OK, &c, &latchkey__v1__server_keys_response__descriptor);
}

/* The line of key 1 out of the file; everything else stays. */
static void retire_key_1(void)
{
	char *text = file_read(keyring, NULL);
	char *line = strstr(text, "\n1 ");

	assert_non_null(line);
	line++;
	memmove(line, strchr(line, '\n') + 1, strlen(strchr(line, '\n')));
	file_write(keyring, text);
	free(text);
}

static void test_rotations_log_nobody_out(void **state)
{
	char oldest[TOKEN_BYTES];
	char second[TOKEN_BYTES];
	char newest[TOKEN_BYTES];
	Latchkey__V1__ServerKeysResponse *keys;
	uint64_t resealed;

	(void)state;
	session_create(&callers[0], &(struct session_wish){.user = "oldest"}, oldest);
	start_load();
	let_calls_pass();
	for (unsigned i = 0; i < ROTATIONS && !atomic_load(&has_failed); i++) {
		rotate(2 + i);
		if (i == 0)
			session_create(&callers[1], &(struct session_wish){.user = "second"}, second);
	}
	stop_load();

	expect_written_under(1 + ROTATIONS);
	resealed = server_counter(&callers[0], "latchkey_records_resealed_total") +
		   server_counter(&callers[1], "latchkey_records_resealed_total");
	assert_true(resealed > 0);
	print_message("%u calls through one instance, %u through the other, %llu records sealed anew\n",
		      atomic_load(&calls[0]), atomic_load(&calls[1]), (unsigned long long)resealed);

	retire_key_1();
	reload(&services[0], " keyring_reloaded ");
	reload(&services[1], " keyring_reloaded ");
	for (size_t i = 0; i < 2; i++) {
		session_must_be(&callers[i], oldest, LATCHKEY__V1__VERDICT__INVALID, LATCHKEY__V1__REASON__RETIRED_KEY);
		session_must_be(&callers[i], second, LATCHKEY__V1__VERDICT__VALID, LATCHKEY__V1__REASON__REASON_NONE);
		/* The load may have ended before anything under the newest key was asked for here. */
		session_create(&callers[i], &(struct session_wish){.user = "newest"}, newest);
		session_must_be(&callers[i], newest, LATCHKEY__V1__VERDICT__VALID, LATCHKEY__V1__REASON__REASON_NONE);
		keys = ask_keys(&callers[i]);
		assert_int_equal(keys->n_keys, ROTATIONS + 1);
		assert_int_equal(keys->keys[0]->id, ROTATIONS + 1);
		assert_true(keys->keys[0]->first && keys->keys[0]->tokens > 0 && keys->keys[0]->records > 0);
		assert_int_equal(keys->keys[ROTATIONS]->id, 1);
		assert_true(keys->keys[ROTATIONS]->retired && keys->keys[ROTATIONS]->tokens > 0);
		assert_int_equal(server_counter(&callers[i], "latchkey_tokens_retired_total"), 1);
		assert_int_equal(server_counter(&callers[i], "latchkey_records_key_missing_total"), 0);
		raw_free(keys);
	}
}

/* Refused, told with place and remedy, and the old keyring goes on. */
static void expect_refused(const char *text, const char *why)
{
	char token[TOKEN_BYTES];
	char *log;

	session_create(&callers[0], &(struct session_wish){.user = "ann"}, token);
	file_write(keyring, text);
	reload(&services[0], " keyring_refused ");
	log = latchkeyd_log(&services[0]);
	if (strstr(log, why) == NULL)
		fail_msg("the log does not say \"%s\":\n%s", why, log);
	free(log);
	session_must_be(&callers[0], token, LATCHKEY__V1__VERDICT__VALID, LATCHKEY__V1__REASON__REASON_NONE);
	session_must_be(&callers[1], token, LATCHKEY__V1__VERDICT__VALID, LATCHKEY__V1__REASON__REASON_NONE);
}

static void test_a_bad_keyring_changes_nothing(void **state)
{
	static const char bytes[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
	char *good = file_read(keyring, NULL);
	char *text = malloc(strlen(good) + 1);
	char *log;

	(void)state;
	expect_refused("no keyring at all\n", "keyring:1: a line starts with");
	strcpy(text, good);
	memcpy(strstr(text, "names ") + 7, bytes, sizeof(bytes) - 1);
	expect_refused(text, "the names key is another");
	strcpy(text, good);
	memcpy(strstr(text, "\n3 ") + 8, bytes, sizeof(bytes) - 1);
	expect_refused(text, "key 3 is another");
	file_write(keyring, good);
	assert_int_equal(chmod(keyring, 0644), 0);
	reload(&services[0], " keyring_refused ");
	assert_int_equal(chmod(keyring, 0600), 0);
	reload(&services[0], " keyring_reloaded ");

	/* No key in a log: not those in force, not the one refused. */
	log = latchkeyd_log(&services[0]);
	assert_null(strstr(log, bytes));
	for (char *line = strtok(good, "\n"); line != NULL; line = strtok(NULL, "\n"))
		if (line[0] != '#' && strlen(line) > 43)
			assert_null(strstr(log, line + strlen(line) - 43));
	free(log);
	free(text);
	free(good);
}

/* A key put on top at once: served, and told to the operator, since the others do not know it yet. */
static void test_a_first_key_that_is_new_is_told(void **state)
{
	(void)state;
	assert_int_equal(count_in_log(&services[0], " keyring_first_is_new "), 0);
	edit("--add-key", NULL);
	edit("--promote-key", "12");
	reload(&services[0], " keyring_first_is_new ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rotations_log_nobody_out),
	    cmocka_unit_test(test_a_bad_keyring_changes_nothing),
	    cmocka_unit_test(test_a_first_key_that_is_new_is_told),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
