/* A small table of what was told lately, by hashes: a collision merely holds a line back for a while. */

#include "redis/reporter.h"

#include <string.h>

#include "base/clock.h"

/* FNV-1a, 64 bits. */
#define HASH_START 0xcbf29ce484222325U
#define HASH_PRIME 0x100000001b3U

static uint64_t hash(uint64_t h, const char *text)
{
	for (const char *at = text == NULL ? "" : text; *at != '\0'; at++)
		h = (h ^ (uint8_t)*at) * HASH_PRIME;
	/* So that "a", "b" is not "ab", "". */
	return h * HASH_PRIME;
}

static uint64_t key_of(const struct redis_event *event)
{
	uint64_t key = hash(hash(HASH_START, event->name), event->node);

	if (event->kind == REDIS_EVENT_PROBLEM)
		key = hash(key, event->error);
	return key == 0 ? 1 : key;
}

static struct reporter_line *find(struct reporter *r, uint64_t key)
{
	for (size_t i = 0; i < REPORTER_LINES_MAX; i++) {
		if (r->lines[i].key == key)
			return &r->lines[i];
	}
	return NULL;
}

static struct reporter_line *take(struct reporter *r, const struct redis_event *event)
{
	struct reporter_line *oldest = &r->lines[0];

	for (size_t i = 1; i < REPORTER_LINES_MAX; i++) {
		if (r->lines[i].next_ms < oldest->next_ms)
			oldest = &r->lines[i];
	}
	*oldest = (struct reporter_line){
	    .key = key_of(event),
	    .node = hash(HASH_START, event->node),
	    .is_problem = event->kind == REDIS_EVENT_PROBLEM,
	};
	return oldest;
}

static bool passes_problem_locked(struct reporter *r, struct redis_event *event, uint64_t now_ms)
{
	struct reporter_line *line = find(r, key_of(event));

	if (line == NULL) {
		line = take(r, event);
		line->period_ms = REPORTER_PERIOD_MS_MIN;
	} else if (now_ms < line->next_ms) {
		line->held_back++;
		return false;
	} else if (now_ms >= line->next_ms + line->period_ms) {
		line->period_ms = REPORTER_PERIOD_MS_MIN;
	} else {
		line->period_ms *= 2;
		if (line->period_ms > REPORTER_PERIOD_MS_MAX)
			line->period_ms = REPORTER_PERIOD_MS_MAX;
	}
	event->not_logged = line->held_back;
	line->held_back = 0;
	line->next_ms = now_ms + line->period_ms;
	line->told = ++r->told;
	return true;
}

/* Whatever befalls the node next is told soon. Returns whether a problem of it was told after that moment. */
static bool end_problems_locked(struct reporter *r, uint64_t node, uint64_t told, uint64_t now_ms)
{
	bool was_told = false;

	for (size_t i = 0; i < REPORTER_LINES_MAX; i++) {
		struct reporter_line *line = &r->lines[i];

		if (line->key == 0 || !line->is_problem || line->node != node)
			continue;
		was_told |= line->told > told;
		line->period_ms = REPORTER_PERIOD_MS_MIN;
		if (line->next_ms > now_ms + REPORTER_PERIOD_MS_MIN)
			line->next_ms = now_ms + REPORTER_PERIOD_MS_MIN;
	}
	return was_told;
}

static void judge_recovery_locked(struct reporter *r, struct redis_event *event, uint64_t now_ms)
{
	struct reporter_line *line = find(r, key_of(event));
	const uint64_t told = line == NULL ? 0 : line->told;
	const bool follows_problem = end_problems_locked(r, hash(HASH_START, event->node), told, now_ms);

	event->kind = REDIS_EVENT_DETAIL;
	if (follows_problem || (line == NULL && !event->is_probe))
		event->kind = REDIS_EVENT_NEWS;
	if (line == NULL)
		line = take(r, &(struct redis_event){.name = event->name, .node = event->node});
	line->told = ++r->told;
	line->next_ms = now_ms;
}

void reporter_tell(struct reporter *r, const struct redis_event *event, uint64_t now_ms)
{
	struct redis_event told = *event;
	bool passes = true;

	if (r->to.report == NULL)
		return;
	pthread_mutex_lock(&r->lock);
	if (event->kind == REDIS_EVENT_PROBLEM)
		passes = passes_problem_locked(r, &told, now_ms);
	else if (event->kind == REDIS_EVENT_RECOVERY)
		judge_recovery_locked(r, &told, now_ms);
	pthread_mutex_unlock(&r->lock);
	if (passes)
		r->to.report(r->to.owner, &told);
}

void reporter_report(void *owner, const struct redis_event *event)
{
	reporter_tell(owner, event, clock_mono_ms());
}

void reporter_init(struct reporter *r, const struct redis_events *to)
{
	memset(r, 0, sizeof(*r));
	r->to = *to;
	pthread_mutex_init(&r->lock, NULL);
}

void reporter_destroy(struct reporter *r)
{
	pthread_mutex_destroy(&r->lock);
}
