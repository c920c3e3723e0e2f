/* The verbs of visitors. Ids from the standard input go out in batches: a whole day's log may come that way. */

#include <errno.h>
#include <inttypes.h>
#include <latchkey/visitors.h>
#include <stdio.h>
#include <stdlib.h>

#include "report.h"
#include "text.h"
#include "usage.h"
#include "verbs.h"

/* Of a batch: the wire's limit, and what surely fits into a frame of 64 KiB. */
#define BATCH_IDS_MAX	1024
#define BATCH_BYTES_MAX 32768

struct recording {
	const struct line *line;
	lk_client *client;
	uint64_t recorded;
	bool changed;
	size_t count;
	size_t used;
	struct lk_bytes ids[BATCH_IDS_MAX];
	char bytes[BATCH_BYTES_MAX];
};

/* Sends what is there. */
static int flush(struct recording *r)
{
	struct lk_visitors_record_request request = LK_VISITORS_RECORD_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	bool changed;

	if (r->count == 0)
		return EXIT_DONE;
	request.counter = r->line->args[0];
	request.ids = r->ids;
	request.id_count = r->count;
	request.at_ms = r->line->at_ms;
	if (lk_visitors_record(r->client, &request, &changed, &error) != LK_OK) {
		if (r->recorded > 0)
			(void)fprintf(stderr, "latchkey: recorded %" PRIu64 ", then failed\n", r->recorded);
		return report_failure(r->line, &error);
	}
	r->recorded += r->count;
	r->changed = r->changed || changed;
	r->count = r->used = 0;
	return EXIT_DONE;
}

static int add(struct recording *r, const char *id, size_t len)
{
	int status = EXIT_DONE;

	if (len == 0 || len > BATCH_BYTES_MAX)
		return usage_error("an id has %zu bytes, not 1 to 256", len);
	if (r->count == BATCH_IDS_MAX || r->used + len > BATCH_BYTES_MAX)
		status = flush(r);
	if (status != EXIT_DONE)
		return status;
	memcpy(&r->bytes[r->used], id, len);
	r->ids[r->count++] = lk_bytes_of(&r->bytes[r->used], len);
	r->used += len;
	return EXIT_DONE;
}

static int add_lines(struct recording *r)
{
	int status = EXIT_DONE;
	size_t room = 0;
	char *id = NULL;

	while (status == EXIT_DONE && getline(&id, &room, stdin) > 0) {
		size_t len = strcspn(id, "\r\n");

		if (len > 0)
			status = add(r, id, len);
	}
	free(id);
	/* What cannot be read is no end of it. */
	if (status == EXIT_DONE && ferror(stdin) != 0)
		return usage_error("cannot read the standard input: %s", strerror(errno));
	return status;
}

static int print_recorded(const struct recording *r)
{
	if (r->line->json)
		return say_done(
		    json_print(json_pack("{s:I, s:b}", "recorded", (json_int_t)r->recorded, "changed", r->changed)));
	return say_done(printf("recorded %" PRIu64 "\n", r->recorded) > 0);
}

int verb_visitors_record(const struct line *line, lk_client *client)
{
	struct recording *r = calloc(1, sizeof(*r));
	int status = EXIT_DONE;

	if (r == NULL)
		abort();
	r->line = line;
	r->client = client;
	for (unsigned i = 1; i < line->arg_count && status == EXIT_DONE; i++)
		status = strcmp(line->args[i], "-") == 0 ? add_lines(r) : add(r, line->args[i], strlen(line->args[i]));
	if (status == EXIT_DONE)
		status = flush(r);
	if (status == EXIT_DONE)
		status = print_recorded(r);
	free(r);
	return status;
}

int verb_visitors_count(const struct line *line, lk_client *client)
{
	struct lk_visitors_count_request request = LK_VISITORS_COUNT_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	uint32_t buckets;
	uint64_t count;

	request.counters = (const char *const *)line->args;
	request.counter_count = line->arg_count;
	request.by_hour = line->by_hour;
	request.from_ms = line->from_ms;
	request.to_ms = line->to_ms;
	if (lk_visitors_count(client, &request, &count, &buckets, &error) != LK_OK)
		return report_failure(line, &error);
	if (line->json)
		return say_done(
		    json_print(json_pack("{s:I, s:I}", "count", (json_int_t)count, "buckets", (json_int_t)buckets)));
	return say_done(printf("%" PRIu64 "\n", count) > 0);
}
