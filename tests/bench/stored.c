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

void bench_stored(struct bench *b)
{
	const struct line *most = line_find("stored-5m");
	struct stores s;

	fill(&s.few, FEW);
	fill(&s.many, MANY);
	bench_in_turn(b, "stored-1m", of_many, of_few, &s);
	empty(&s.many);
	if (!b->settings.is_full) {
		report_skipped(&b->report, "stored-5m", "needs 4 GiB and minutes: --full");
	} else if (!most->is_unwanted) {
		fill(&s.many, VERY_MANY);
		bench_in_turn(b, "stored-5m", of_many, of_few, &s);
		empty(&s.many);
	}
	empty(&s.few);
}
