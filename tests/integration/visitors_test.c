/* A million visitors in thirty daily buckets of four counters, on a cluster of six nodes: counted over days and shards
 * within three standard errors of what a HyperLogLog promises, and nothing is left behind. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "latchkey/v1/visitors.pb-c.h"
#include "support/file.h"
#include "support/latchkeyd.h"
#include "support/raw.h"
#include "support/redis_cluster.h"
#include "support/wait.h"

#define VISITORS 1000000
#define DAYS	 30
#define COUNTERS 4
#define BATCH	 1024
/* Of ids of eight digits as many as a frame of 64 KiB holds. */
#define CALLS_A_FRAME 5
#define FRAMES_AHEAD  8
#define DAY_MS	      86400000ULL
/* 1.04 / sqrt(16384) */
#define STANDARD_ERROR 0.008125

/* A keyring that is always the same: ids are hashed under it, so that the estimates are the same in every run, and what
 * three standard errors let through one time in 370 does not fail the suite some day. */
static const char keyring_text[] = "names AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n"
				   "1     ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8\n";
static const char *const counters[COUNTERS] = {"web", "app", "tv", "partner/api"};

static struct redis_cluster cluster;
static struct latchkeyd service;
static struct raw caller;
static struct tmpdir dir;
static uint64_t now_ms;

static int open_all(void **state)
{
	static char variable[TMPDIR_FILE_BYTES + 24];
	char path[TMPDIR_FILE_BYTES];

	(void)state;
	tmpdir_make(&dir);
	tmpdir_file(&dir, "keyring", path);
	file_write(path, keyring_text);
	assert_int_equal(chmod(path, 0600), 0);
	snprintf(variable, sizeof(variable), "LATCHKEY_KEYRING=%s", path);
	redis_cluster_open(&cluster, NULL);
	assert_int_equal(cluster.count, 6);
	latchkeyd_init(&service, &(struct latchkeyd_options){.redis_url = cluster.url, .env = {variable}});
	latchkeyd_start_serving(&service);
	raw_connect(&caller, service.url);
	now_ms = now_wall_ms();
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	raw_close(&caller);
	latchkeyd_end(&service);
	redis_cluster_close(&cluster);
	tmpdir_remove(&dir);
	return 0;
}

struct batch {
	Latchkey__V1__RecordVisitorsRequest req;
	ProtobufCBinaryData ids[BATCH];
	char texts[BATCH][12];
};

/* Batch number n goes to one counter and one day; the visitors of every tenth come the day before as well. */
static void fill(struct batch *b, unsigned n, bool is_day_before)
{
	const unsigned day = n / COUNTERS % DAYS;

	b->req = (Latchkey__V1__RecordVisitorsRequest)LATCHKEY__V1__RECORD_VISITORS_REQUEST__INIT;
	b->req.has_counter = b->req.has_at_ms = true;
	b->req.counter = raw_text(counters[n % COUNTERS]);
	b->req.at_ms = now_ms - day * DAY_MS - (is_day_before && day + 1 < DAYS ? DAY_MS : 0);
	b->req.ids = b->ids;
	b->req.n_ids = 0;
	for (unsigned i = n * BATCH; i < (n + 1) * BATCH && i < VISITORS; i++) {
		const size_t k = b->req.n_ids++;

		snprintf(b->texts[k], sizeof(b->texts[k]), "%08u", i);
		b->ids[k] = raw_text(b->texts[k]);
	}
}

static void receive_ok(void)
{
	Latchkey__V1__ReplyFrame *frame = NULL;

	assert_true(raw_receive(&caller, NULL, &frame, BOUND_MS));
	assert_int_equal(frame->code, LATCHKEY__V1__CODE__OK);
	for (size_t i = 0; i < frame->n_replies; i++)
		if (frame->replies[i]->code != LATCHKEY__V1__CODE__OK)
			fail_msg("record: %.*s", (int)frame->replies[i]->message.len,
				 (const char *)frame->replies[i]->message.data);
	raw_free(frame);
}

static void send_frame(struct batch *batches, unsigned first, unsigned last, bool is_day_before)
{
	struct raw_call calls[CALLS_A_FRAME];
	size_t count = 0;

	for (unsigned n = first; n < last && count < CALLS_A_FRAME; n++) {
		fill(&batches[count], n, is_day_before);
		calls[count] = (struct raw_call){
		    .method = "/latchkey.v1.Visitors/Record", .request = &batches[count].req.base, .timeout_ms = 20000};
		count++;
	}
	assert_true(raw_send_calls(&caller, 1, calls, count));
}

static void record_all(bool is_day_before)
{
	const unsigned last = ((VISITORS + BATCH - 1) / BATCH) / (is_day_before ? 10 : 1);
	struct batch *batches = calloc(CALLS_A_FRAME, sizeof(*batches));
	unsigned ahead = 0;

	assert_non_null(batches);
	for (unsigned n = 0; n < last; n += CALLS_A_FRAME) {
		send_frame(batches, n, last, is_day_before);
		if (++ahead < FRAMES_AHEAD)
			continue;
		receive_ok();
		ahead--;
	}
	for (; ahead > 0; ahead--)
		receive_ok();
	free(batches);
}

static uint64_t count(const char *const *names, size_t n)
{
	Latchkey__V1__CountVisitorsRequest req = LATCHKEY__V1__COUNT_VISITORS_REQUEST__INIT;
	const struct raw_call call = {
	    .method = "/latchkey.v1.Visitors/Count", .request = &req.base, .timeout_ms = 20000};
	Latchkey__V1__CountVisitorsResponse *m;
	ProtobufCBinaryData bytes[COUNTERS];
	uint64_t found;

	for (size_t i = 0; i < n; i++)
		bytes[i] = raw_text(names[i]);
	req.n_counters = n;
	req.counters = bytes;
	req.has_from_ms = req.has_to_ms = true;
	req.from_ms = now_ms - (DAYS - 1) * DAY_MS;
	req.to_ms = now_ms;
	m = (Latchkey__V1__CountVisitorsResponse *)raw_call_expect(&caller, LATCHKEY__V1__CODE__OK, &call,
								   &latchkey__v1__count_visitors_response__descriptor);
	assert_int_equal(m->buckets, DAYS);
	found = m->count;
	raw_free(m);
	return found;
}

static uint64_t visitors_of(unsigned counter)
{
	uint64_t sum = 0;

	for (unsigned n = counter; n * BATCH < VISITORS; n += COUNTERS)
		sum += VISITORS - n * BATCH < BATCH ? VISITORS - n * BATCH : BATCH;
	return sum;
}

static void hold_against(const char *what, uint64_t estimate, uint64_t truth)
{
	const double error = ((double)estimate - (double)truth) / (double)truth;

	print_message("%s: %llu of %llu, error %+.2f %% (standard error %.2f %%)\n", what, (unsigned long long)estimate,
		      (unsigned long long)truth, 100 * error, 100 * STANDARD_ERROR);
	assert_true(fabs(error) <= 3 * STANDARD_ERROR);
}

/* All keys of all primaries are buckets: days, and the hours that are kept still. */
static unsigned primaries_with_buckets(void)
{
	unsigned with = 0;

	for (unsigned shard = 0; shard < cluster.shards; shard++) {
		const int node = redis_cluster_primary_of_shard(&cluster, shard);
		redisReply *reply;

		assert_true(node >= 0);
		reply = redis_server_command(&cluster.nodes[node], "SCAN 0 MATCH lk1:v:* COUNT 100000");
		assert_string_equal(reply->element[0]->str, "0");
		for (size_t i = 0; i < reply->element[1]->elements; i++) {
			const char *bucket = strstr(reply->element[1]->element[i]->str, "}:");

			assert_non_null(bucket);
			assert_true((bucket[2] == 'd' && strlen(bucket) == 11) ||
				    (bucket[2] == 'h' && strlen(bucket) == 13));
		}
		with += reply->element[1]->elements > 0 ? 1 : 0;
		freeReplyObject(reply);
	}
	return with;
}

static void test_a_million(void **state)
{
	const uint64_t began_ms = now_mono_ms();

	(void)state;
	record_all(false);
	print_message("%d visitors recorded in %llu ms\n", VISITORS, (unsigned long long)(now_mono_ms() - began_ms));
	hold_against("all counters", count(counters, COUNTERS), VISITORS);
	for (unsigned i = 0; i < COUNTERS; i++)
		hold_against(counters[i], count(&counters[i], 1), visitors_of(i));
	/* Who comes on a second day, or twice, counts once. */
	record_all(true);
	hold_against("all counters, some seen twice", count(counters, COUNTERS), VISITORS);
	/* Or it would not have been a union over shards. */
	assert_true(primaries_with_buckets() > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_million)};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
