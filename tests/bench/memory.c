/* What a session costs in Redis: MEMORY USAGE of every session and every index, and where it goes; besides it the answer
 * to its creation, which is remembered for ten minutes. What MEMORY USAGE does not know (the tables of keys and of
 * expiries) shows in the growth of used_memory. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/crowd.h"
#include "bench/sections.h"

#define SESSIONS 100000
/* Commands sent before their replies are read: well below what a client's output buffer may hold. */
#define PIPELINE 500

struct sums {
	double record_usage; /* MEMORY USAGE of the sessions' keys, */
	double index_usage;  /* and of the indexes' */
	double key_name;
	double record;
	double answers; /* MEMORY USAGE of what idempotency keys remember */
};

static redisReply *next_reply(redisContext *c)
{
	redisReply *reply;

	if (redisGetReply(c, (void **)&reply) != REDIS_OK || reply->type == REDIS_REPLY_ERROR)
		bench_die("Redis refuses MEMORY USAGE or STRLEN", NULL);
	return reply;
}

static double next_number(redisContext *c)
{
	redisReply *reply = next_reply(c);
	double n = (double)reply->integer;

	freeReplyObject(reply);
	return n;
}

static void ask_for(redisContext *c, const struct crowd *crowd, unsigned i, struct sums *sums)
{
	char session[CROWD_KEY_BYTES];
	char index[CROWD_KEY_BYTES];

	crowd_key(crowd, i, session);
	(void)snprintf(index, sizeof(index), "lk1:u:{%.11s}", crowd->handles[i]);
	sums->key_name += (double)strlen(session);
	(void)redisAppendCommand(c, "MEMORY USAGE %s", session);
	(void)redisAppendCommand(c, "STRLEN %s", session);
	if (i % crowd->per_user == 0)
		(void)redisAppendCommand(c, "MEMORY USAGE %s SAMPLES 0", index);
}

static void sum_up(struct bench *b, const struct crowd *crowd, struct sums *sums)
{
	redisContext *c = redis_server_connect(&b->stage.redis);

	for (unsigned from = 0; from < crowd->count; from += PIPELINE) {
		unsigned to = from + PIPELINE < crowd->count ? from + PIPELINE : crowd->count;

		for (unsigned i = from; i < to; i++)
			ask_for(c, crowd, i, sums);
		for (unsigned i = from; i < to; i++) {
			sums->record_usage += next_number(c);
			sums->record += next_number(c);
			if (i % crowd->per_user == 0)
				sums->index_usage += next_number(c);
		}
	}
	redisFree(c);
}

static double usage_of(redisContext *c, const redisReply *keys)
{
	double usage = 0;

	for (size_t i = 0; i < keys->elements; i++)
		(void)redisAppendCommand(c, "MEMORY USAGE %s", keys->element[i]->str);
	for (size_t i = 0; i < keys->elements; i++)
		usage += next_number(c);
	return usage;
}

/* Their names cannot be known from outside. */
static void sum_up_answers(struct bench *b, struct sums *sums)
{
	redisContext *c = redis_server_connect(&b->stage.redis);
	unsigned long long cursor = 0;

	do {
		redisReply *page;

		(void)redisAppendCommand(c, "SCAN %llu MATCH lk1:i:* COUNT %d", cursor, PIPELINE);
		page = next_reply(c);
		cursor = strtoull(page->element[0]->str, NULL, 10);
		sums->answers += usage_of(c, page->element[1]);
		freeReplyObject(page);
	} while (cursor != 0);
	redisFree(c);
}

static double used_memory(struct bench *b)
{
	redisContext *c = redis_server_connect(&b->stage.redis);
	double used = (double)redis_info_number(c, "memory", "used_memory");

	redisFree(c);
	return used;
}

static void print_sums(struct bench *b, const char *name, const struct sums *sums, double growth)
{
	const double n = SESSIONS;
	const double record = sums->record / n;
	const double key = sums->key_name / n;
	const double rest = sums->record_usage / n - record - key;
	const double total = (sums->record_usage + sums->index_usage) / n;

	(void)printf("%-20s %7.0f %7.0f %8.0f %9.0f %7.0f %8.0f %12.0f\n", name, total, key, record, rest,
		     sums->index_usage / n, sums->answers / n, growth / n);
	(void)fflush(stdout);
	report_result(&b->report, name, total, NAN);
	report_detail(&b->report, name, "key", key);
	report_detail(&b->report, name, "record", record);
	report_detail(&b->report, name, "redis", rest);
	report_detail(&b->report, name, "index", sums->index_usage / n);
	report_detail(&b->report, name, "answer", sums->answers / n);
	report_detail(&b->report, name, "used_memory", growth / n);
}

static void measure(struct bench *b, const char *name, unsigned per_user, bool has_texts)
{
	const struct crowd_policy policy = {.has_texts = has_texts};
	struct sums sums = {0};
	struct crowd crowd;
	double before;

	/* The tables of keys grow by doubling: from nothing, they are the same in every run. */
	freeReplyObject(redis_server_command(&b->stage.redis, "FLUSHALL"));
	before = used_memory(b);
	(void)crowd_make(b->stage.client, per_user == 1 ? "loner" : "owner", &policy, SESSIONS, per_user, &crowd);
	sum_up(b, &crowd, &sums);
	sum_up_answers(b, &sums);
	print_sums(b, name, &sums, used_memory(b) - before);
	crowd_free(&crowd);
}

void bench_memory(struct bench *b)
{
	(void)printf("%-20s %7s %7s %8s %9s %7s %8s %12s\n", "bytes a session", "in all", "key", "record", "Redis's",
		     "index", "answer", "used_memory");
	measure(b, "memory-session", 1, true);
	measure(b, "memory-session-10", 10, true);
	measure(b, "memory-noise", 1, false);
	measure(b, "memory-noise-10", 10, false);
}
