/* Get where many sessions are stored, beside Get where few are: each in a Redis and behind a service of its own, so that
 * the two are measured in turn. */

#include "bench/load.h"
#include "bench/sections.h"

#define FEW	  100000
#define MANY	  1000000
#define VERY_MANY 5000000

struct store {
	struct stage stage;
	struct crowd crowd;
};

struct stores {
	struct store few;
	struct store many;
};

static void fill(struct store *s, unsigned count)
{
	stage_open(&s->stage, false);
	(void)crowd_make(s->stage.client, "stored", NULL, count, 1, &s->crowd);
}

static void empty(struct store *s)
{
	stage_close(&s->stage);
	crowd_free(&s->crowd);
}

static double of_many(struct bench *b, void *arg)
{
	struct store *s = &((struct stores *)arg)->many;

	return load_rate(b, &s->stage.client, 1, &s->crowd, 64);
}

static double of_few(struct bench *b, void *arg)
{
	struct store *s = &((struct stores *)arg)->few;

	return load_rate(b, &s->stage.client, 1, &s->crowd, 64);
}

static void compare(struct bench *b, struct stores *s, const char *line, unsigned count)
{
	if (line_find(line)->is_unwanted)
		return;
	fill(&s->many, count);
	bench_in_turn(b, line, of_many, of_few, s);
	empty(&s->many);
}

void bench_stored(struct bench *b)
{
	struct stores s;

	fill(&s.few, FEW);
	compare(b, &s, "stored-1m", MANY);
	if (b->settings.is_full)
		compare(b, &s, "stored-5m", VERY_MANY);
	else
		report_skipped(&b->report, "stored-5m", "needs 4 GiB and minutes: --full");
	empty(&s.few);
}
