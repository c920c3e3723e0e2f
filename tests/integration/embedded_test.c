/* latchkeyd with its own redis-server: killed under load it comes back by itself with what it had acknowledged, it ends
 * with the service, and its data is there again after a restart. Nobody is logged out by any of it. */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/file.h"
#include "support/latchkeyd.h"
#include "support/redis_server.h"
#include "support/sessions.h"
#include "support/wait.h"

#define VALID	  LATCHKEY__V1__VERDICT__VALID
#define NO_REASON LATCHKEY__V1__REASON__REASON_NONE
#define RESTARTS  "latchkey_embedded_restarts_total"

static void socket_of(const struct latchkeyd *d, char out[static TMPDIR_FILE_BYTES])
{
	if (snprintf(out, TMPDIR_FILE_BYTES, "%s/redis/redis.sock", d->state) >= TMPDIR_FILE_BYTES)
		fail_msg("too long");
}

/* 0 while nobody answers on its socket. */
static pid_t redis_pid(const struct latchkeyd *d)
{
	char path[TMPDIR_FILE_BYTES];
	redisContext *c;
	long long pid;

	socket_of(d, path);
	c = redis_try_connect(path, NULL);
	if (c == NULL)
		return 0;
	pid = redis_info_number(c, "server", "process_id");
	redisFree(c);
	return (pid_t)pid;
}

/* A zombie that its new parent has not buried yet has gone, too. */
static bool is_gone(pid_t pid)
{
	char path[64];
	char *status;
	bool gone;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	status = file_read(path, NULL);
	gone = status[0] == '\0' || strstr(status, "State:\tZ") != NULL || strstr(status, "State:\tX") != NULL;
	free(status);
	return gone;
}

static void kill_redis(const struct latchkeyd *d)
{
	pid_t pid = redis_pid(d);

	assert_true(pid > 1);
	kill(pid, SIGKILL);
	assert_becomes(is_gone(pid), BOUND_MS);
}

/* ---- A client loop: creates now and then, gets all the time. ---- */

#define LOOPS 4
/* Below the cap of the class: nothing may be evicted. */
#define KEPT_MAX 9000
#define CALL_MS	 1000
#define ROUNDS	 3
/* Redis reads its data in anew, and a disk that other tests keep busy can hold that up for long. */
#define RECOVERY_MS 60000

struct kept {
	char token[TOKEN_BYTES];
	uint64_t acknowledged_ms;
};

struct loop {
	pthread_t thread;
	const char *url;
	char user[16];
	atomic_bool *stop;
	struct kept *kept;
	size_t kept_count;
	/* What was seen. */
	unsigned long valid;
	unsigned long unknown;
	unsigned long wrong; /* INVALID for a session that lives, or a code that is neither OK nor "cannot tell" */
	unsigned long late;
	char complaint[128];
	uint64_t gone_ms; /* acknowledged then, and found gone: the oldest such session; 0: none */
};

static bool cannot_tell(Latchkey__V1__Code code)
{
	return code == LATCHKEY__V1__CODE__UNAVAILABLE || code == LATCHKEY__V1__CODE__DEADLINE_EXCEEDED;
}

/* Notes what came back; false when the connection has ended. */
static bool judge(struct loop *l, const char *what, Latchkey__V1__Code code, const struct session_seen *seen,
		  uint64_t took_ms)
{
	if (took_ms > CALL_MS + LATE_MS)
		l->late++;
	if (code == LATCHKEY__V1__CODE__OK && seen->verdict == VALID) {
		l->valid++;
	} else if (cannot_tell(code) ||
		   (code == LATCHKEY__V1__CODE__OK && seen->verdict == LATCHKEY__V1__VERDICT__UNKNOWN)) {
		l->unknown++;
	} else {
		l->wrong++;
		snprintf(l->complaint, sizeof(l->complaint), "%s: code %d (%s), verdict %d, reason %d", what, code,
			 code == CODE_NO_REPLY ? strerror(errno) : "-", seen->verdict, seen->reason);
	}
	return code != CODE_NO_REPLY;
}

static bool create_one(struct loop *l, struct raw *r)
{
	const struct session_wish wish = {.user = l->user, .timeout_ms = CALL_MS, .session_class = "many"};
	struct session_seen seen = {.verdict = VALID};
	uint64_t began = now_mono_ms();
	Latchkey__V1__Code code;

	if (l->kept_count == KEPT_MAX)
		return true;
	code = session_try_create(r, &wish, l->kept[l->kept_count].token);
	if (code == LATCHKEY__V1__CODE__OK)
		l->kept[l->kept_count++].acknowledged_ms = now_mono_ms();
	return judge(l, "create", code, &seen, now_mono_ms() - began);
}

static bool get_one(struct loop *l, struct raw *r, unsigned *seed)
{
	struct session_seen seen;
	uint64_t began = now_mono_ms();
	const struct kept *asked;
	Latchkey__V1__Code code;

	if (l->kept_count == 0)
		return true;
	asked = &l->kept[(size_t)rand_r(seed) % l->kept_count];
	code = session_get(r, NULL, asked->token, CALL_MS, &seen);
	if (seen.verdict == LATCHKEY__V1__VERDICT__INVALID && (l->gone_ms == 0 || asked->acknowledged_ms < l->gone_ms))
		l->gone_ms = asked->acknowledged_ms;
	return judge(l, "get", code, &seen, now_mono_ms() - began);
}

static void *run_loop(void *arg)
{
	struct loop *l = arg;
	bool is_connected = true;
	unsigned seed = 1;
	struct raw r;

	if (!raw_try_connect(&r, l->url)) {
		l->wrong++;
		snprintf(l->complaint, sizeof(l->complaint), "cannot connect");
		return NULL;
	}
	for (unsigned i = 0; is_connected && !atomic_load(l->stop); i++)
		is_connected = i % 8 == 0 ? create_one(l, &r) : get_one(l, &r, &seed);
	raw_close(&r);
	return NULL;
}

static void start_loops(struct loop *loops, const char *url, atomic_bool *stop)
{
	for (size_t i = 0; i < LOOPS; i++) {
		loops[i] = (struct loop){.url = url, .stop = stop, .kept = calloc(KEPT_MAX, sizeof(struct kept))};
		assert_non_null(loops[i].kept);
		snprintf(loops[i].user, sizeof(loops[i].user), "loop-%zu", i);
		assert_int_equal(pthread_create(&loops[i].thread, NULL, run_loop, &loops[i]), 0);
	}
}

static void join_loops(struct loop *loops, atomic_bool *stop)
{
	atomic_store(stop, true);
	for (size_t i = 0; i < LOOPS; i++)
		pthread_join(loops[i].thread, NULL);
}

/* All that was acknowledged a second before the kill is there. */
static void expect_kept(const struct loop *l, struct raw *r, uint64_t killed_ms)
{
	unsigned long asked = 0;
	struct session_seen seen;

	for (size_t i = 0; i < l->kept_count; i++) {
		if (l->kept[i].acknowledged_ms + 1000 > killed_ms)
			continue;
		asked++;
		/* "Cannot tell" is no loss: ask again. */
		assert_becomes(session_get(r, NULL, l->kept[i].token, 0, &seen) == LATCHKEY__V1__CODE__OK, BOUND_MS);
		if (seen.verdict != VALID)
			fail_msg("acknowledged %llu ms before the kill: verdict %d, reason %d",
				 (unsigned long long)(killed_ms - l->kept[i].acknowledged_ms), seen.verdict,
				 seen.reason);
	}
	assert_true(asked > 0);
}

static void expect_nothing_wrong(const struct loop *l, const uint64_t kills_ms[static ROUNDS])
{
	long long age_ms = 0;

	for (size_t i = 0; l->gone_ms != 0 && i < ROUNDS; i++) {
		if (age_ms == 0 && kills_ms[i] >= l->gone_ms)
			age_ms = (long long)(kills_ms[i] - l->gone_ms);
	}
	if (l->wrong > 0 || l->late > 0)
		fail_msg(
		    "%lu wrong, %lu late, %lu valid, %lu unknown; the last: %s; the oldest session that is gone was "
		    "acknowledged %lld ms before the kill",
		    l->wrong, l->late, l->valid, l->unknown, l->complaint, age_ms);
	assert_true(l->valid > 0);
}

static const char roomy[] = "realms:\n"
			    "  - name: default\n"
			    "    classes:\n"
			    "      - { name: default }\n"
			    "      - { name: many, sessions_max: 10000 }\n";

static void test_killed_under_load(void **state)
{
	/* Not on the stack: a failed assertion leaves it while the loops still run. */
	static struct loop loops[LOOPS];
	static atomic_bool stop;
	struct latchkeyd d;
	uint64_t kills_ms[ROUNDS];
	uint64_t started_ms;
	struct raw r;

	(void)state;
	latchkeyd_init(&d, &(struct latchkeyd_options){.config = roomy});
	latchkeyd_start_serving(&d);
	raw_connect(&r, d.url);
	start_loops(loops, d.url, &stop);
	for (unsigned round = 0; round < ROUNDS; round++) {
		started_ms = now_mono_ms();
		/* There must be something that was acknowledged more than a second before the kill. */
		assert_becomes(now_mono_ms() > started_ms + 1300, BOUND_MS);
		kills_ms[round] = now_mono_ms();
		kill_redis(&d);
		/* Serving again, not serving still. */
		assert_becomes(server_counter(&r, RESTARTS) == round + 1U, RECOVERY_MS);
		assert_becomes(latchkeyd_is_serving(&d), RECOVERY_MS);
	}
	join_loops(loops, &stop);
	for (size_t i = 0; i < LOOPS; i++) {
		expect_nothing_wrong(&loops[i], kills_ms);
		expect_kept(&loops[i], &r, kills_ms[ROUNDS - 1]);
		free(loops[i].kept);
	}
	assert_int_equal(server_counter(&r, RESTARTS), ROUNDS);
	raw_close(&r);
	latchkeyd_end(&d);
}

static void test_stops_with_the_service_and_keeps_its_data(void **state)
{
	char token[TOKEN_BYTES];
	char dead[TOKEN_BYTES];
	struct latchkeyd d;
	bool was_alive;
	struct raw r;
	pid_t pid;

	(void)state;
	latchkeyd_init(&d, NULL);
	latchkeyd_start_serving(&d);
	raw_connect(&r, d.url);
	session_create(&r, &(struct session_wish){.user = "ann", .key = "k", .value = "v"}, token);
	session_create(&r, &(struct session_wish){.user = "ann"}, dead);
	assert_int_equal(session_revoke(&r, dead, &was_alive), LATCHKEY__V1__CODE__OK);
	raw_close(&r);
	pid = redis_pid(&d);
	latchkeyd_stop(&d);
	assert_true(is_gone(pid));

	latchkeyd_start_serving(&d);
	raw_connect(&r, d.url);
	session_must_be(&r, token, VALID, NO_REASON);
	session_must_be(&r, dead, LATCHKEY__V1__VERDICT__INVALID, LATCHKEY__V1__REASON__LOGOUT);
	raw_close(&r);
	latchkeyd_end(&d);
}

/* kill -9 of the service itself: its redis-server does not stay behind, and the next start takes the folder over. */
static void test_service_killed(void **state)
{
	char token[TOKEN_BYTES];
	struct latchkeyd d;
	struct raw r;
	pid_t pid;

	(void)state;
	latchkeyd_init(&d, NULL);
	latchkeyd_start_serving(&d);
	raw_connect(&r, d.url);
	session_create(&r, &(struct session_wish){.user = "ann"}, token);
	raw_close(&r);
	pid = redis_pid(&d);
	process_kill(&d.process);
	latchkeyd_start_serving(&d);
	assert_true(is_gone(pid) || redis_pid(&d) == pid);
	raw_connect(&r, d.url);
	session_must_be(&r, token, VALID, NO_REASON);
	raw_close(&r);
	latchkeyd_stop(&d);
	assert_true(is_gone(pid));
	latchkeyd_remove(&d);
}

static void test_folder_in_use(void **state)
{
	char state_dir[TMPDIR_FILE_BYTES + 32];
	const char *const args[] = {NULL};
	const char *const env[] = {"LATCHKEY_LISTEN=tcp://127.0.0.1:0", state_dir, NULL};
	struct run_result result;
	struct latchkeyd d;

	(void)state;
	latchkeyd_init(&d, NULL);
	latchkeyd_start_serving(&d);
	snprintf(state_dir, sizeof(state_dir), "LATCHKEY_STATE_DIR=%s", d.state);
	latchkeyd_run(args, env, &result);
	assert_int_equal(result.status, 1);
	assert_non_null(strstr(result.err, d.state));
	run_result_free(&result);
	assert_true(latchkeyd_is_serving(&d));
	latchkeyd_end(&d);
}

static void test_folder_of_its_own(void **state)
{
	char folder[TMPDIR_FILE_BYTES];
	char url[TMPDIR_FILE_BYTES + 16];
	char socket[TMPDIR_FILE_BYTES];
	struct latchkeyd d;
	redisContext *c;

	(void)state;
	latchkeyd_init(&d, NULL);
	tmpdir_file(&d.dir, "data", folder);
	snprintf(url, sizeof(url), "embedded:%s", folder);
	d.options.redis_url = url;
	latchkeyd_start_serving(&d);
	tmpdir_file(&d.dir, "data/redis.sock", socket);
	c = redis_try_connect(socket, NULL);
	assert_non_null(c);
	redisFree(c);
	latchkeyd_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_killed_under_load), cmocka_unit_test(test_stops_with_the_service_and_keeps_its_data),
	    cmocka_unit_test(test_service_killed),    cmocka_unit_test(test_folder_in_use),
	    cmocka_unit_test(test_folder_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
