/* Fills racing forgets, on two connections at once: a hundred thousand rounds, in which no forgotten answer is served. In a
 * round somebody has a lease; then one thread fills it while another forgets the key, the subject or the group; then it is
 * looked up. Of those that nothing is forgotten of, as many as there are are found: or this would prove nothing. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/cache.h"
#include "support/pipeline.h"

#define ROUNDS	    100000
#define BATCH	    500
#define ARENA_BYTES (64UL << 20)

enum what { FORGET_NOTHING, FORGET_KEY, FORGET_SUBJECT, FORGET_GROUP, WHATS };

struct one {
	char subject[24];
	char group[24];
	span group_name;
	enum what what;
	struct plan lookup[AUTH_PLANS_MAX];
	struct plan fill[AUTH_PLANS_MAX];
	struct plan forget;
	struct auth_lookup_result looked;
	bool is_stored;
	bool is_forgotten;
};

/* One of the two threads: sends its commands, and takes the replies. */
struct side {
	struct pipeline pipeline;
	struct plan_env env;
	arena *replies;
	struct one *batch;
};

static span key_of(void)
{
	return SPAN_LIT("may:edit");
}

static void name_it(struct one *o, unsigned round)
{
	*o = (struct one){.what = (enum what)(round % WHATS)};
	(void)snprintf(o->subject, sizeof(o->subject), "user-%u", round);
	(void)snprintf(o->group, sizeof(o->group), "group-%u", round);
	o->group_name = span_str(o->group);
}

static void send_lookup(struct side *side, struct one *o)
{
	const struct auth_lookup_request req = {
	    .subject = span_str(o->subject), .key = key_of(), .groups = &o->group_name, .group_count = 1};
	struct status st;
	size_t count;

	assert_int_equal(auth_lookup_plan(&side->env, &req, o->lookup, &count, &st), STATUS_OK);
	assert_int_equal(count, 2);
	for (size_t i = 0; i < count; i++)
		pipeline_send(&side->pipeline, &o->lookup[i].command);
}

static void take_lookup(struct side *side, struct one *o)
{
	struct status st;

	for (size_t i = 0; i < 2; i++) {
		enum plan_next next;
		const struct store_reply *reply = pipeline_take(&side->pipeline, side->replies);

		assert_int_equal(auth_lookup_answer(&side->env, &o->lookup[i], reply, &next, &o->looked, &st),
				 STATUS_OK);
		/* Asked again, alone: the answer is dead. */
		if (next == PLAN_AGAIN)
			o->looked = (struct auth_lookup_result){.state = AUTH_MISS};
	}
	assert_int_not_equal(o->looked.state, 0);
}

static void look_up_all(struct side *side)
{
	for (size_t i = 0; i < BATCH; i++)
		send_lookup(side, &side->batch[i]);
	for (size_t i = 0; i < BATCH; i++)
		take_lookup(side, &side->batch[i]);
}

static void plan_both(struct side *filler, struct side *forgetter, struct one *o)
{
	const struct auth_fill_request put = {
	    .subject = span_str(o->subject), .key = key_of(), .lease = o->looked.lease, .answer = SPAN_LIT("old")};
	const struct auth_forget_request forget = {.subject =
						       o->what == FORGET_GROUP ? SPAN_EMPTY : span_str(o->subject),
						   .key = o->what == FORGET_KEY ? key_of() : SPAN_EMPTY,
						   .group = o->what == FORGET_GROUP ? o->group_name : SPAN_EMPTY};
	struct status st;
	size_t count;

	assert_int_equal(o->looked.state, AUTH_MISS);
	assert_int_equal(auth_fill_plan(&filler->env, &put, o->fill, &count, &st), STATUS_OK);
	assert_int_equal(count, 2);
	if (o->what != FORGET_NOTHING)
		assert_int_equal(auth_forget_plan(&forgetter->env, &forget, &o->forget, &st), STATUS_OK);
}

/* By a few at a time: then the two threads meet in the middle of each other's. */
#define STRIDE 10

static void *fill_all(void *arg)
{
	struct side *side = arg;
	struct auth_fill_result result;
	struct status st;

	for (size_t at = 0; at < BATCH; at += STRIDE) {
		for (size_t i = at; i < at + STRIDE; i++)
			for (size_t k = 0; k < 2; k++)
				pipeline_send(&side->pipeline, &side->batch[i].fill[k].command);
		for (size_t i = at; i < at + STRIDE; i++) {
			for (size_t k = 0; k < 2; k++)
				assert_int_equal(auth_fill_answer(&side->env, &side->batch[i].fill[k],
								  pipeline_take(&side->pipeline, side->replies),
								  &result, &st),
						 STATUS_OK);
			assert_true(result.is_whole);
			side->batch[i].is_stored = result.is_stored;
		}
	}
	return NULL;
}

static void *forget_all(void *arg)
{
	struct side *side = arg;
	struct auth_forget_result result;
	struct status st;

	for (size_t at = 0; at < BATCH; at += STRIDE) {
		for (size_t i = at; i < at + STRIDE; i++)
			if (side->batch[i].what != FORGET_NOTHING)
				pipeline_send(&side->pipeline, &side->batch[i].forget.command);
		for (size_t i = at; i < at + STRIDE; i++) {
			if (side->batch[i].what == FORGET_NOTHING)
				continue;
			assert_int_equal(auth_forget_answer(&side->env, &side->batch[i].forget,
							    pipeline_take(&side->pipeline, side->replies), &result,
							    &st),
					 STATUS_OK);
			side->batch[i].is_forgotten = true;
		}
	}
	return NULL;
}

static void open_side(struct side *side, struct stage *s, struct one *batch)
{
	*side = (struct side){.env = s->world.env, .batch = batch};
	pipeline_open(&side->pipeline, &s->redis);
}

static void fresh_side(struct side *side)
{
	arena_free(&side->replies);
	arena_free(&side->env.arena);
	side->replies = arena_new(65536, ARENA_BYTES);
	side->env.arena = arena_new(65536, ARENA_BYTES);
	assert_true(side->replies != NULL && side->env.arena != NULL);
}

static void close_side(struct side *side)
{
	pipeline_close(&side->pipeline);
	arena_free(&side->replies);
	arena_free(&side->env.arena);
}

struct tally {
	unsigned stored[WHATS];
	unsigned refused[WHATS];
	unsigned served[WHATS];
};

static void count(const struct one *o, struct tally *t)
{
	const bool is_served = o->looked.state == AUTH_HIT || o->looked.state == AUTH_STALE;

	t->stored[o->what] += o->is_stored;
	t->refused[o->what] += !o->is_stored;
	t->served[o->what] += is_served;
	assert_int_equal(o->is_forgotten, o->what != FORGET_NOTHING);
	if (o->is_forgotten && is_served)
		fail_msg("%s: a forgotten answer was served", o->subject);
}

static void run_batch(struct side sides[2], struct one *batch, unsigned first, struct tally *t)
{
	pthread_t thread;

	for (int i = 0; i < 2; i++)
		fresh_side(&sides[i]);
	for (unsigned i = 0; i < BATCH; i++)
		name_it(&batch[i], first + i);
	look_up_all(&sides[0]);
	for (unsigned i = 0; i < BATCH; i++)
		plan_both(&sides[0], &sides[1], &batch[i]);
	assert_int_equal(pthread_create(&thread, NULL, forget_all, &sides[1]), 0);
	(void)fill_all(&sides[0]);
	assert_int_equal(pthread_join(thread, NULL), 0);
	look_up_all(&sides[0]);
	for (unsigned i = 0; i < BATCH; i++)
		count(&batch[i], t);
}

static void no_forgotten_answer_is_served(void **state)
{
	static const char *const names[] = {"nothing", "the key", "the subject", "the group"};
	struct stage *s = *state;
	struct one *batch = calloc(BATCH, sizeof(*batch));
	struct side sides[2];
	struct tally t = {0};

	for (int i = 0; i < 2; i++) {
		open_side(&sides[i], s, batch);
		sides[i].env.arena = NULL;
	}
	for (unsigned round = 0; round < ROUNDS; round += BATCH) {
		run_batch(sides, batch, round, &t);
		if (round % (20 * BATCH) == 0)
			freeReplyObject(real_redis_ask(&s->redis, "FLUSHALL"));
	}
	for (int i = 0; i < WHATS; i++)
		print_message("forgetting %s: %u stored, %u refused, %u served\n", names[i], t.stored[i], t.refused[i],
			      t.served[i]);
	assert_int_equal(t.served[FORGET_NOTHING], ROUNDS / WHATS);
	for (int i = FORGET_KEY; i < WHATS; i++) {
		/* Each came first often enough. */
		assert_true(t.stored[i] > ROUNDS / WHATS / 100);
		assert_true(t.refused[i] > ROUNDS / WHATS / 100);
	}
	for (int i = 0; i < 2; i++)
		close_side(&sides[i]);
	free(batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(no_forgotten_answer_is_served, cache_reset),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
