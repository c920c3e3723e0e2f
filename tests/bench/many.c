/* GetMany beside Redis pipelined by as many. */

#include <stdlib.h>

#include "bench/baseline.h"
#include "bench/cost.h"
#include "bench/crowd.h"
#include "bench/sections.h"
#include "bench/sweep.h"

#define TOKENS 32
/* 512 sessions at once, as the baseline has. */
#define IN_FLIGHT 16
/* Requests in the first run, which tells how many fill the time. */
#define TRIAL 500

struct many {
	struct crowd crowd;
	struct baseline baseline;
	struct cost cost;
};

static enum lk_err ask(lk_call *call, unsigned at, void *arg)
{
	struct lk_session_get_many_request request = LK_SESSION_GET_MANY_REQUEST_INIT;
	const struct crowd *crowd = &((const struct many *)arg)->crowd;
	struct lk_bytes tokens[TOKENS];

	for (unsigned i = 0; i < TOKENS; i++)
		tokens[i] = lk_text(crowd->tokens[(at * TOKENS + i) % crowd->count]);
	request.tokens = tokens;
	request.token_count = TOKENS;
	return lk_session_get_many_async(call, &request);
}

static bool are_valid(lk_call *call, unsigned at, void *arg)
{
	lk_sessions *sessions = lk_call_take_sessions(call);
	bool are = lk_sessions_count(sessions) == TOKENS;

	(void)at;
	(void)arg;
	for (size_t i = 0; are && i < TOKENS; i++)
		are = lk_session_verdict(lk_sessions_at(sessions, i)) == LK_VALID;
	lk_sessions_free(&sessions);
	return are;
}

static double ours(struct bench *b, void *arg)
{
	struct sweep sweep = {.client = b->stage.client,
			      .name = "get-many",
			      .count = TRIAL,
			      .in_flight = IN_FLIGHT,
			      .start = ask,
			      .check = are_valid,
			      .arg = arg};
	struct cost *cost = &((struct many *)arg)->cost;
	double rate;

	sweep.count = (unsigned)(sweep_run(&sweep) * b->settings.seconds) + TRIAL;
	cost_start(cost, &b->stage);
	rate = sweep_run(&sweep) * TOKENS;
	cost_stop(cost, &b->stage, (double)sweep.count * TOKENS);
	return rate;
}

static double baseline(struct bench *b, void *arg)
{
	return baseline_run(b, &((struct many *)arg)->baseline);
}

void bench_get_many(struct bench *b)
{
	struct many m = {.baseline = {.port = b->stage.redis.port,
				      .clients = "16",
				      .pipeline = "32",
				      .keyspace = BASELINE_KEYS_TEXT,
				      .command = {"GETEX", BASELINE_KEY, "PX", BASELINE_EXPIRY_MS}}};

	(void)crowd_make(b->stage.client, "many", NULL, BASELINE_KEYS, 1, &m.crowd);
	baseline_fill(&b->stage.redis, crowd_record_bytes(&m.crowd, &b->stage.redis));
	bench_in_turn(b, "get-many", ours, baseline, &m);
	cost_print(&m.cost, b, "get-many");
	crowd_free(&m.crowd);
}
