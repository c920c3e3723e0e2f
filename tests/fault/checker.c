#include "fault/checker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fault/lineage.h"

/* The model: each session is an object with one owner, who does one thing at a time. What was acknowledged is its floor:
 * from then on nobody may see less. What was not acknowledged may have happened, or may still happen at any later time, but
 * once only: when it has been seen, it is the floor. Versions tell before and after, for each write counts one up.
 *
 * A session may have had several tokens; all that was acknowledged through one holds for all. Only the last is for use:
 * each other stands for it for a while, and ends the session after that (lineage.h).
 *
 * The end of a session goes one way: ALIVE, REVOKING (asked for, not acknowledged: both answers are possible from then
 * on), REVOKED. */

#define NO_ENTRY SIZE_MAX
/* Of a violation's session, so many entries are shown. */
#define STORY_MAX 12

enum end_state { ALIVE, REVOKING, REVOKED };

struct fate {
	uint32_t floor_n;
	uint64_t floor_version;
	uint32_t floor_marks[HISTORY_MARKS];
	uint64_t acknowledged_updates;
	size_t last_entry;
	uint64_t floor_us; /* when it was acknowledged, and through which instance: a revocation too */
	uint8_t floor_instance;
	enum end_state end;
	struct lineage lineage;
	bool is_lost; /* counted once */
	bool is_read; /* by the final reading */
};

struct check {
	const struct history *history;
	const struct checker_rules *rules;
	struct checker_result *result;
	struct fate *fates;
	size_t *previous; /* for each entry: the one before of its session */
};

const char *checker_kind_name(enum checker_kind kind)
{
	static const char *const names[CHECKER_KINDS] = {"lost", "revived", "stale", "forked", "unaudited", "failed"};

	return names[kind];
}

static bool is_judged(const struct checker_rules *rules, const struct history_entry *e)
{
	return rules->is_judged == NULL || rules->is_judged(rules->owner, e);
}

static uint32_t session_shown(const struct checker_shown *shown)
{
	return shown->history->entries[shown->entry].session;
}

/* One of a kind for each session. Failures are many in a bad run: they must not crowd out what is worse. */
static struct checker_shown *place_to_show(const struct check *c, enum checker_kind kind, uint32_t session)
{
	struct checker_result *r = c->result;
	struct checker_shown *failed = NULL;

	for (size_t i = 0; i < r->shown_count; i++) {
		struct checker_shown *shown = &r->shown[i];

		if (shown->kind == kind && shown->history == c->history && session_shown(shown) == session)
			return NULL;
		if (shown->kind == CHECKER_FAILED && failed == NULL)
			failed = shown;
	}
	if (r->shown_count < CHECKER_SHOWN_MAX)
		return &r->shown[r->shown_count++];
	return kind == CHECKER_FAILED ? NULL : failed;
}

static void violation(struct check *c, enum checker_kind kind, uint64_t count, const struct history_entry *e)
{
	struct checker_result *r = c->result;
	uint64_t *const counters[CHECKER_KINDS] = {&r->lost,   &r->revived,   &r->stale,
						   &r->forked, &r->unaudited, &r->failed};
	struct checker_shown *shown = place_to_show(c, kind, e->session);

	*counters[kind] += count;
	if (shown != NULL)
		*shown = (struct checker_shown){kind, c->history, (size_t)(e - c->history->entries)};
}

static bool is_parted(const struct check *c, const struct history_entry *e)
{
	for (size_t i = 0; i < c->rules->parting_count; i++) {
		const struct checker_parting *p = &c->rules->partings[i];

		if (e->end_us >= p->cut_us && e->start_us < p->settled_us)
			return true;
	}
	return false;
}

/* The instances are parted, and the other one acknowledged what this one is to know: it cannot. */
static bool has_crossed(struct check *c, const struct fate *f, const struct history_entry *e)
{
	const uint64_t after_us = e->end_us - f->floor_us;

	if (e->is_audit || e->instance == f->floor_instance || !is_parted(c, e))
		return false;
	c->result->crossed++;
	if (after_us > c->result->crossed_after_us)
		c->result->crossed_after_us = after_us;
	return true;
}

static void end_session(struct fate *f, enum end_state end, const struct history_entry *e)
{
	if (f->end == REVOKED)
		return;
	f->end = end;
	if (end != REVOKED)
		return;
	f->floor_us = e->end_us;
	f->floor_instance = e->instance;
}

static bool may_be_alive(const struct check *c, const struct fate *f, const struct history_entry *e)
{
	return f->end != REVOKED && !lineage_must_end(&f->lineage, e, c->rules->grace_us);
}

static void seen_alive(struct check *c, const struct fate *f, const struct history_entry *e)
{
	if (!has_crossed(c, f, e))
		violation(c, CHECKER_REVIVED, 1, e);
}

static void seen_dead(struct check *c, struct fate *f, const struct history_entry *e)
{
	if (e->reason == LK_REASON_REUSE_DETECTED && lineage_may_end(&f->lineage, e, c->rules->grace_us)) {
		end_session(f, REVOKED, e);
		return;
	}
	/* The end of the chain is missing: of that the last token will tell. */
	if (e->reason == LK_REASON_ROTATED && lineage_may_end(&f->lineage, e, c->rules->grace_us))
		return;
	if (f->end != ALIVE || f->is_lost || has_crossed(c, f, e))
		return;
	f->is_lost = true;
	violation(c, CHECKER_LOST, e->is_audit ? 1 + f->acknowledged_updates : 1, e);
}

/* The update that wrote n, before the entry; NULL: nobody did. */
static const struct history_entry *writer_of(const struct check *c, size_t entry, uint32_t n)
{
	for (size_t i = c->previous[entry]; i != NO_ENTRY; i = c->previous[i]) {
		const struct history_entry *e = &c->history->entries[i];

		if (e->n == n && (e->op == HISTORY_UPDATE || e->op == HISTORY_CREATE))
			return e;
	}
	return NULL;
}

static void raise_floor(struct fate *f, const struct history_entry *e)
{
	f->floor_n = e->n;
	f->floor_version = e->version;
	f->floor_marks[e->n % HISTORY_MARKS] = e->n;
	f->floor_us = e->end_us;
	f->floor_instance = e->instance;
}

/* Is what is seen in place of the floor an earlier state, and not an update that came late? */
static bool is_behind(const struct check *c, size_t entry, uint32_t seen, uint32_t floor)
{
	const struct history_entry *writer = seen == floor ? NULL : writer_of(c, entry, seen);

	return seen != floor && (writer == NULL || writer->err == LK_OK);
}

static void judge_state(struct check *c, struct fate *f, const struct history_entry *e)
{
	const size_t entry = (size_t)(e - c->history->entries);

	if (e->version < f->floor_version || is_behind(c, entry, e->n, f->floor_n) ||
	    (e->n != f->floor_n && e->version == f->floor_version)) {
		if (!has_crossed(c, f, e))
			violation(c, CHECKER_STALE, 1, e);
		return;
	}
	/* An update of which nothing was known has been seen: it counts like an acknowledged one from now on. */
	if (e->n != f->floor_n)
		raise_floor(f, e);
}

/* What is left at the end. A late update that overwrote a mark is no loss, whatever it overwrote. */
static void judge_remains(struct check *c, struct fate *f, const struct history_entry *e)
{
	const size_t entry = (size_t)(e - c->history->entries);
	uint64_t lost = 0;

	if (f->is_lost)
		return;
	for (size_t i = 0; i < HISTORY_MARKS; i++)
		lost += is_behind(c, entry, e->marks[i], f->floor_marks[i]);
	if (lost == 0 && e->n != f->floor_n &&
	    (e->version <= f->floor_version || is_behind(c, entry, e->n, f->floor_n)))
		lost = 1;
	f->is_lost = lost > 0;
	if (lost > 0)
		violation(c, CHECKER_LOST, lost, e);
	else if (e->version < f->floor_version)
		violation(c, CHECKER_STALE, 1, e);
}

static void judge_token(struct check *c, struct fate *f, const struct history_entry *e)
{
	if (!lineage_learn(&f->lineage, e) && f->end != REVOKED && !has_crossed(c, f, e))
		violation(c, CHECKER_FORKED, 1, e);
}

static void judge_get(struct check *c, struct fate *f, const struct history_entry *e)
{
	c->result->unknown += !e->is_audit && e->verdict == LK_UNKNOWN && is_judged(c->rules, e);
	if (e->err != LK_OK || e->verdict == LK_UNKNOWN)
		return;
	f->is_read |= e->is_audit;
	if (e->verdict == LK_INVALID)
		seen_dead(c, f, e);
	else if (!may_be_alive(c, f, e))
		seen_alive(c, f, e);
	else if (e->is_audit)
		judge_remains(c, f, e);
	else
		judge_state(c, f, e);
	if (e->verdict == LK_VALID)
		judge_token(c, f, e);
}

static void judge_update(struct check *c, struct fate *f, const struct history_entry *e)
{
	if (e->err == LK_E_SESSION_INVALID)
		seen_dead(c, f, e);
	else if (e->err == LK_E_CONFLICT && f->end != REVOKED && e->version < f->floor_version)
		violation(c, CHECKER_STALE, 1, e);
	if (e->err != LK_OK)
		return;
	if (!may_be_alive(c, f, e)) {
		seen_alive(c, f, e);
		return;
	}
	/* A write upon less than was acknowledged. What was lost by it the end will show. */
	if (e->version <= f->floor_version)
		violation(c, CHECKER_STALE, 1, e);
	f->acknowledged_updates++;
	raise_floor(f, e);
}

static void judge_rotate(struct check *c, struct fate *f, const struct history_entry *e)
{
	lineage_ask(&f->lineage, e);
	if (e->err == LK_E_SESSION_INVALID)
		seen_dead(c, f, e);
	if (e->err != LK_OK)
		return;
	if (!may_be_alive(c, f, e)) {
		seen_alive(c, f, e);
		return;
	}
	if (e->version < f->floor_version && !has_crossed(c, f, e))
		violation(c, CHECKER_STALE, 1, e);
	judge_token(c, f, e);
	f->floor_us = e->end_us;
	f->floor_instance = e->instance;
}

/* Conflicts and dead sessions are answers: the call was carried out. */
static bool has_failed(const struct history_entry *e)
{
	if (e->op == HISTORY_UPDATE && e->err == LK_E_CONFLICT)
		return false;
	if ((e->op == HISTORY_UPDATE || e->op == HISTORY_ROTATE) && e->err == LK_E_SESSION_INVALID)
		return false;
	return e->err != LK_OK;
}

static void count_call(struct check *c, const struct history_entry *e)
{
	if (e->is_audit || e->is_echo)
		return;
	c->result->operations++;
	c->result->acknowledged += e->op != HISTORY_GET && e->err == LK_OK;
	if (has_failed(e) && is_judged(c->rules, e))
		violation(c, CHECKER_FAILED, 1, e);
}

static void judge(struct check *c, size_t entry)
{
	const struct history_entry *e = &c->history->entries[entry];
	struct fate *f;

	count_call(c, e);
	if (e->session == HISTORY_NO_SESSION)
		return;
	f = &c->fates[e->session];
	c->previous[entry] = f->last_entry;
	f->last_entry = entry;
	switch ((enum history_op)e->op) {
	case HISTORY_CREATE:
		f->lineage.tokens[0].is_known = true;
		raise_floor(f, e);
		return;
	case HISTORY_GET:
		judge_get(c, f, e);
		return;
	case HISTORY_UPDATE:
		judge_update(c, f, e);
		return;
	case HISTORY_ROTATE:
		judge_rotate(c, f, e);
		return;
	case HISTORY_REVOKE:
	case HISTORY_REVOKE_USER:
		end_session(f, e->err == LK_OK ? REVOKED : REVOKING, e);
		return;
	}
}

/* Every session was read at the end, if anything was. */
static void judge_audit(struct check *c)
{
	bool was_read = false;

	for (size_t i = 0; i < c->history->count && !was_read; i++)
		was_read = c->history->entries[i].is_audit;
	if (!was_read)
		return;
	for (size_t i = 0; i < c->history->session_count; i++) {
		const struct fate *f = &c->fates[i];

		if (!f->is_read && f->last_entry != NO_ENTRY)
			violation(c, CHECKER_UNAUDITED, 1, &c->history->entries[f->last_entry]);
	}
}

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (memory == NULL)
		abort();
	return memory;
}

static void check_history(const struct history *h, const struct checker_rules *rules, struct checker_result *result)
{
	struct fate *fates = allocate(h->session_count + 1, sizeof(*fates));
	size_t *previous = allocate(h->count + 1, sizeof(*previous));
	struct check c = {.history = h, .rules = rules, .result = result, .fates = fates, .previous = previous};

	for (size_t i = 0; i < h->session_count; i++)
		fates[i].last_entry = NO_ENTRY;
	for (size_t i = 0; i < h->count; i++)
		judge(&c, i);
	judge_audit(&c);
	free(fates);
	free(previous);
}

static int compare_times(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static bool is_acknowledged_write(const struct history_entry *e)
{
	return e->op != HISTORY_GET && e->err == LK_OK && !e->is_audit && !e->is_echo;
}

static uint64_t end_of_run_us(const struct history *histories, size_t count)
{
	uint64_t end_us = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < histories[i].count; j++)
			if (!histories[i].entries[j].is_audit && histories[i].entries[j].end_us > end_us)
				end_us = histories[i].entries[j].end_us;
	return end_us;
}

/* Fills times with when the shard's judged writes were acknowledged; returns how many there are. */
static size_t collect_times(const struct history *histories, size_t count, const struct checker_rules *rules,
			    unsigned shard, uint64_t *times)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < histories[i].count; j++) {
			const struct history_entry *e = &histories[i].entries[j];

			if (is_acknowledged_write(e) && is_judged(rules, e) &&
			    (rules->shards <= 1 || history_shard_of_slot(e->slot, rules->shards) == shard))
				times[n++] = e->end_us;
		}
	}
	return n;
}

/* The longest of all shards'. The run's end counts like a write: one that never recovered has a gap up to there. */
static void measure_gap(const struct history *histories, size_t count, const struct checker_rules *rules,
			struct checker_result *result)
{
	uint64_t *times = allocate(result->acknowledged + 1, sizeof(*times));
	const uint64_t end_us = end_of_run_us(histories, count);

	for (unsigned shard = 0; shard == 0 || shard < rules->shards; shard++) {
		size_t n = collect_times(histories, count, rules, shard, times);

		qsort(times, n, sizeof(*times), compare_times);
		times[n] = end_us;
		for (size_t i = 0; i < n; i++)
			if (times[i + 1] - times[i] > result->gap_us)
				result->gap_us = times[i + 1] - times[i];
	}
	free(times);
}

void checker_run(const struct history *histories, size_t count, const struct checker_rules *rules,
		 struct checker_result *ret)
{
	*ret = (struct checker_result){0};
	for (size_t i = 0; i < count; i++)
		check_history(&histories[i], rules, ret);
	measure_gap(histories, count, rules, ret);
}

uint64_t checker_last_acknowledged_us(const struct history *histories, size_t count, uint8_t instance,
				      uint64_t since_us, uint64_t until_us)
{
	uint64_t last_us = 0;

	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < histories[i].count; j++) {
			const struct history_entry *e = &histories[i].entries[j];

			if (is_acknowledged_write(e) && e->instance == instance && e->end_us > since_us &&
			    e->end_us < until_us && e->end_us > last_us)
				last_us = e->end_us;
		}
	}
	return last_us;
}

static void print_story(FILE *out, const struct checker_shown *shown, uint64_t origin_us)
{
	const struct history *h = shown->history;
	const struct history_entry *at = &h->entries[shown->entry];
	size_t first = shown->entry;

	(void)fprintf(out, "  %s: session %s, slot %u\n", checker_kind_name(shown->kind),
		      at->session == HISTORY_NO_SESSION ? "(none)" : h->sessions[at->session].handle, at->slot);
	for (size_t i = shown->entry, told = 1; i-- > 0 && told < STORY_MAX;) {
		if (h->entries[i].session != at->session)
			continue;
		first = i;
		told++;
	}
	for (size_t i = first; i <= shown->entry; i++) {
		if (h->entries[i].session != at->session)
			continue;
		(void)fprintf(out, "  %c ", i == shown->entry ? '>' : ' ');
		history_print_entry(out, h, &h->entries[i], origin_us);
	}
}

void checker_print(FILE *out, const struct checker_result *result, uint64_t origin_us)
{
	for (size_t i = 0; i < result->shown_count; i++)
		print_story(out, &result->shown[i], origin_us);
}
