/* What a session costs in Redis: MEMORY USAGE of every session and every index, and where it goes; besides it the answer
 * to its creation, which is remembered for ten minutes. What MEMORY USAGE does not know (the tables of keys and of
 * expiries) shows in the growth of used_memory. */

#include <stdlib.h>
#include <string.h>

#include "bench/crowd.h"

#define SESSIONS 100000
/* Commands sent before their replies are read: well below what a client's output buffer may hold. */
#define PIPELINE 500
/* As service/session/record.h has it. */
#define RECORD_HEADER_BYTES 55
#define LENGTHS_AT	    34

struct sums {
	double record_usage; /* MEMORY USAGE of the sessions' keys, */
	double index_usage;  /* and of the indexes' */
	double key_name;
	double metadata;
	double data;
	double answers; /* MEMORY USAGE of what idempotency keys remember */
};

static redisReply *next_reply(redisContext *c)
{
	redisReply *reply;

	if (redisGetReply(c, (void **)&reply) != REDIS_OK || reply->type == REDIS_REPLY_ERROR)
		bench_die("Redis refuses MEMORY USAGE or GETRANGE", NULL);
	return reply;
}

static double next_number(redisContext *c)
{
	redisReply *reply = next_reply(c);
	double n = (double)reply->integer;

	freeReplyObject(reply);
	return n;
}

static void add_lengths(redisContext *c, struct sums *sums)
{
	redisReply *reply = next_reply(c);
	const uint8_t *at = (const uint8_t *)reply->str;

	if (reply->type != REDIS_REPLY_STRING || reply->len != 4)
		bench_die("a session's record is not there", NULL);
	sums->metadata += at[0] << 8 | at[1];
	sums->data += at[2] << 8 | at[3];
	freeReplyObject(reply);
}

static void ask_for(redisContext *c, const struct crowd *crowd, unsigned i, struct sums *sums)
{
	const char *handle = crowd->handles[i];
	char session[80];
	char index[40];

	sums->key_name += snprintf(session, sizeof(session), "lk1:s:{%.11s}:%s", handle, handle + 12);
	(void)snprintf(index, sizeof(index), "lk1:u:{%.11s}", handle);
	(void)redisAppendCommand(c, "MEMORY USAGE %s", session);
	(void)redisAppendCommand(c, "GETRANGE %s %d %d", session, LENGTHS_AT, LENGTHS_AT + 3);
	if (i % crowd->per_user == 0)
		(void)redisAppendCommand(c, "MEMORY USAGE %s SAMPLES 0", index);
}

static void sum_up(struct bench *b, const struct crowd *crowd, struct sums *sums)
{
	redisContext *c = redis_server_connect(&b->redis);

	for (unsigned from = 0; from < crowd->count; from += PIPELINE) {
		unsigned to = from + PIPELINE < crowd->count ? from + PIPELINE : crowd->count;

		for (unsigned i = from; i < to; i++)
			ask_for(c, crowd, i, sums);
		for (unsigned i = from; i < to; i++) {
			sums->record_usage += next_number(c);
			add_lengths(c, sums);
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
	redisContext *c = redis_server_connect(&b->redis);
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
	redisContext *c = redis_server_connect(&b->redis);
	double used = (double)redis_info_number(c, "memory", "used_memory");

	redisFree(c);
	return used;
}

static void print_sums(struct bench *b, unsigned per_user, const struct sums *sums, double growth)
{
	const double n = SESSIONS;
	const double record = RECORD_HEADER_BYTES + (sums->metadata + sums->data) / n;
	const double key = sums->key_name / n;
	const double rest = sums->record_usage / n - record - key;
	const double total = (sums->record_usage + sums->index_usage) / n;
	char name[32];

	(void)snprintf(name, sizeof(name), "memory, %u a user", per_user);
	(void)printf("%-20s %7.0f %7.0f %8d %9.0f %7.0f %9.0f %7.0f %8.0f %12.0f\n", name, total, key,
		     RECORD_HEADER_BYTES, sums->metadata / n, sums->data / n, rest, sums->index_usage / n,
		     sums->answers / n, growth / n);
	(void)fflush(stdout);
	bench_row(b,
		  "\"name\": \"%s\", \"bytes\": %.1f, \"key\": %.1f, \"header\": %d, \"metadata\": %.1f, "
		  "\"data\": %.1f, \"redis\": %.1f, \"index\": %.1f, \"answer\": %.1f, \"used_memory\": %.1f",
		  name, total, key, RECORD_HEADER_BYTES, sums->metadata / n, sums->data / n, rest,
		  sums->index_usage / n, sums->answers / n, growth / n);
}

static void measure(struct bench *b, unsigned per_user)
{
	struct sums sums = {0};
	struct crowd crowd;
	double before;

	/* The tables of keys grow by doubling: from nothing, they are the same in every run. */
	freeReplyObject(redis_server_command(&b->redis, "FLUSHALL"));
	before = used_memory(b);
	crowd_make(b, per_user == 1 ? "loner" : "owner", NULL, SESSIONS, per_user, &crowd);
	sum_up(b, &crowd, &sums);
	sum_up_answers(b, &sums);
	print_sums(b, per_user, &sums, used_memory(b) - before);
	crowd_free(&crowd);
}

void bench_memory(struct bench *b)
{
	(void)printf("%-20s %7s %7s %8s %9s %7s %9s %7s %8s %12s\n", "bytes a session", "in all", "key", "header",
		     "metadata", "data", "Redis's", "index", "answer", "used_memory");
	measure(b, 1);
	measure(b, 10);
}
