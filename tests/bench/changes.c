/* Create, update and revoke, each beside the bare script that it runs in Redis: the very call that the service sends, with
 * the same arguments but for the session's names, from as many connections as there are callers. redis-benchmark takes no
 * arguments with NULs, and cannot name one session in two keys, so the load generator is our own; the line "pump" tells how
 * it compares with redis-benchmark.
 *
 * Each round makes new sessions, updates each once and revokes each once, and so does the baseline. */

#include <math.h>
#include <stdlib.h>

#include "bench/baseline.h"
#include "bench/crowd.h"
#include "bench/pump.h"
#include "bench/script.h"
#include "bench/sections.h"
#include "bench/sweep.h"

#define CONNECTIONS 64
/* Changes in a second of the settings' time; about what two cores do. */
#define CHANGES_A_SECOND 20000
#define CHANGES_MIN	 500
#define SHA_BYTES	 41

enum change { CREATE, UPDATE, REVOKE, CHANGES };

static const char *const names[CHANGES] = {[CREATE] = "create", [UPDATE] = "update", [REVOKE] = "revoke"};
/* In the answer of a script that has done it. */
static const char *const answers[CHANGES] = {[CREATE] = "ok", [UPDATE] = "ok", [REVOKE] = ":1\r\n"};

struct changes {
	unsigned count;
	struct script scripts[CHANGES];
	double ours[CHANGES][ROUNDS_MAX];
	double baseline[CHANGES][ROUNDS_MAX];
};

struct target {
	const struct crowd *crowd;
	struct lk_attribute attribute;
};

static enum lk_err update(lk_call *call, unsigned at, void *arg)
{
	struct lk_session_update_request request = LK_SESSION_UPDATE_REQUEST_INIT;
	const struct target *target = arg;

	request.token = lk_text(target->crowd->tokens[at]);
	request.set = &target->attribute;
	request.set_count = 1;
	return lk_session_update_async(call, &request);
}

static enum lk_err revoke(lk_call *call, unsigned at, void *arg)
{
	struct lk_session_revoke_request request = LK_SESSION_REVOKE_REQUEST_INIT;
	const struct target *target = arg;

	request.token = lk_text(target->crowd->tokens[at]);
	return lk_session_revoke_async(call, &request);
}

static bool was_alive(lk_call *call, unsigned at, void *arg)
{
	(void)at;
	(void)arg;
	return lk_call_was_alive(call);
}

static double sweep_of(struct bench *b, const struct crowd *crowd, enum change change)
{
	struct target target = {crowd, bench_attribute()};
	const struct sweep sweep = {.client = b->stage.client,
				    .name = names[change],
				    .count = crowd->count,
				    .in_flight = CONNECTIONS,
				    .start = change == UPDATE ? update : revoke,
				    .check = change == UPDATE ? NULL : was_alive,
				    .arg = &target};

	return sweep_run(&sweep);
}

static void learn(struct bench *b, struct changes *c)
{
	struct monitor monitor;
	struct crowd crowd;

	monitor_start(&monitor, b->stage.redis.socket, NULL);
	monitor_take(&monitor);
	(void)crowd_make(b->stage.client, "example", NULL, 1, 1, &crowd);
	monitor_take(&monitor);
	script_learn(&c->scripts[CREATE], &monitor, crowd.handles[0]);
	(void)sweep_of(b, &crowd, UPDATE);
	monitor_take(&monitor);
	script_learn(&c->scripts[UPDATE], &monitor, crowd.handles[0]);
	(void)sweep_of(b, &crowd, REVOKE);
	monitor_take(&monitor);
	script_learn(&c->scripts[REVOKE], &monitor, crowd.handles[0]);
	monitor_stop(&monitor);
	crowd_free(&crowd);
}

static void measure_ours(struct bench *b, struct changes *c, unsigned round)
{
	struct crowd crowd;
	char name[24];

	(void)snprintf(name, sizeof(name), "writer%u", round);
	c->ours[CREATE][round] = crowd_make(b->stage.client, name, NULL, c->count, 1, &crowd);
	c->ours[UPDATE][round] = sweep_of(b, &crowd, UPDATE);
	c->ours[REVOKE][round] = sweep_of(b, &crowd, REVOKE);
	crowd_free(&crowd);
}

static void measure_scripts(struct bench *b, struct changes *c, unsigned round)
{
	for (unsigned i = 0; i < CHANGES; i++) {
		const struct pump pump = {.port = b->stage.redis.port,
					  .connections = CONNECTIONS,
					  .framing = &framing_resp,
					  .ask = script_put,
					  .arg = &c->scripts[i],
					  .answer_has = answers[i],
					  .count = c->count};

		c->scripts[i].first = (uint64_t)round * c->count;
		c->baseline[i][round] = pump_run(b, &pump);
	}
}

static void report(struct bench *b, struct changes *c)
{
	for (unsigned i = 0; i < CHANGES; i++) {
		report_rounds(&b->report, names[i], c->ours[i], c->baseline[i], b->settings.rounds);
		script_drop(&c->scripts[i]);
	}
}

/* The commands of a creation, without what needs the service's arguments. */
static const char sample[] = "local stored = redis.call('GET', KEYS[1])\n"
			     "redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', 1)\n"
			     "redis.call('ZCARD', KEYS[2])\n"
			     "redis.call('SET', KEYS[1], ARGV[1], 'PX', 1800000)\n"
			     "redis.call('ZADD', KEYS[2], 2, 'name')\n"
			     "return 'ok'";
static const char sample_value[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static void load_sample(struct bench *b, char out[static SHA_BYTES])
{
	redisReply *reply = redis_server_command(&b->stage.redis, "SCRIPT LOAD %s", sample);

	(void)snprintf(out, SHA_BYTES, "%s", reply->str);
	freeReplyObject(reply);
}

static size_t put_sample(void *arg, uint64_t serial, uint8_t *out)
{
	const unsigned n = (unsigned)(serial % BASELINE_KEYS);

	return (size_t)sprintf((char *)out,
			       "*6\r\n$7\r\nEVALSHA\r\n$40\r\n%s\r\n$1\r\n2\r\n$18\r\n" BASELINE_KEY_OF_N "\r\n"
			       "$18\r\nindex:%012u\r\n$%zu\r\n%s\r\n",
			       (const char *)arg, n, n, sizeof(sample_value) - 1, sample_value);
}

static double pumped(struct bench *b, void *arg)
{
	const struct pump pump = {.port = b->stage.redis.port,
				  .connections = CONNECTIONS,
				  .framing = &framing_resp,
				  .ask = put_sample,
				  .arg = arg,
				  .answer_has = "ok"};

	return pump_run(b, &pump);
}

static double benchmarked(struct bench *b, void *arg)
{
	const struct baseline baseline = {
	    .port = b->stage.redis.port,
	    .clients = "64",
	    .pipeline = "1",
	    .keyspace = BASELINE_KEYS_TEXT,
	    .command = {"EVALSHA", arg, "2", BASELINE_KEY, "index:__rand_int__", sample_value}};

	return baseline_run(b, &baseline);
}

void bench_changes(struct bench *b)
{
	struct changes c = {.count = (unsigned)(b->settings.seconds * CHANGES_A_SECOND) + CHANGES_MIN};
	char sha[SHA_BYTES];

	learn(b, &c);
	for (unsigned round = 0; round < b->settings.rounds; round++) {
		measure_ours(b, &c, round);
		measure_scripts(b, &c, round);
	}
	report(b, &c);
	/* What they left would make the tables of keys larger for the lines that follow. */
	freeReplyObject(redis_server_command(&b->stage.redis, "FLUSHALL"));
	load_sample(b, sha);
	bench_in_turn(b, "pump", pumped, benchmarked, sha);
}
