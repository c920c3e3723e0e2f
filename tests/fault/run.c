#include "fault/run.h"

#include <string.h>

#include "support/wait.h"

/* How long the final reading asks again where the answer is UNKNOWN: the replay window, in which a missing young session
 * is UNKNOWN by design, and as much again. */
#define AUDIT_BOUND_MS 20000

static void add_note(struct row *row, const char *text)
{
	size_t len = strlen(row->note);
	int added = snprintf(row->note + len, sizeof(row->note) - len, "%s%s", len > 0 ? "; " : "", text);

	assert_true(added >= 0);
}

static void note_partings(const struct stage *s, const struct checker_result *result, struct row *row)
{
	const struct checker_rules *rules = &s->rules;
	uint64_t longest_us = 0;
	char text[STAGE_TEXT_BYTES];
	size_t count;
	const struct history *histories = load_histories(s->load, &count);

	if (rules->parting_count == 0)
		return;
	for (size_t i = 0; i < rules->parting_count; i++) {
		const struct checker_parting *p = &rules->partings[i];
		uint64_t last_us = checker_last_acknowledged_us(histories, count, 0, p->cut_us, p->healed_us);

		if (last_us > p->cut_us && last_us - p->cut_us > longest_us)
			longest_us = last_us - p->cut_us;
	}
	(void)snprintf(text, sizeof(text),
		       "the minority acknowledged for %.1f s; %llu answers did not know what the other side had "
		       "acknowledged, up to "
		       "%.1f s before",
		       (double)longest_us / 1e6, (unsigned long long)result->crossed,
		       (double)result->crossed_after_us / 1e6);
	add_note(row, text);
}

static void fill_row(const struct stage *s, const struct checker_result *result, struct row *row)
{
	row->operations = result->operations;
	row->acknowledged = result->acknowledged;
	row->lost = result->lost;
	row->revived = result->revived;
	row->stale = result->stale;
	row->forked = result->forked;
	row->failed = result->failed;
	row->unknown = result->unknown;
	row->unaudited = result->unaudited;
	row->gap_ms = result->gap_us / 1000;
	(void)snprintf(row->wrong, sizeof(row->wrong), "%s", s->wrong);
	if (s->note[0] != '\0')
		add_note(row, s->note);
	note_partings(s, result, row);
}

static bool holds(const struct bounds *b, const struct row *row)
{
	return row->lost <= b->lost && row->revived <= b->revived && row->stale <= b->stale &&
	       row->failed <= b->failed && row->unknown <= b->unknown && row->gap_ms <= b->gap_ms && row->forked == 0 &&
	       row->unaudited == 0 && row->wrong[0] == '\0';
}

static void write_trace(const char *path, const struct history *histories, size_t count, uint64_t origin_us)
{
	FILE *out = fopen(path, "ae");

	if (out == NULL)
		fail_msg("cannot write %s", path);
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < histories[i].count; j++) {
			const struct history_entry *e = &histories[i].entries[j];

			(void)fprintf(out, "%2zu %5u %-39s ", i, e->slot,
				      e->session == HISTORY_NO_SESSION ? "-"
								       : histories[i].sessions[e->session].handle);
			history_print_entry(out, &histories[i], e, origin_us);
		}
	}
	(void)fclose(out);
}

void run_scenario(const struct play *play, FILE *out, struct row *ret)
{
	/* Static: the threads of a scenario that ends early still refer to it. */
	static struct stage stage;
	struct stage_options options = play->scenario->stage;
	uint64_t start_ms = now_mono_ms();
	struct row row = {.rounds = play->rounds};
	const struct history *histories;
	struct checker_result result;
	size_t count;

	options.operations_per_s = options.operations_per_s * play->load_percent / 100;
	stage_open(&stage, &options);
	for (unsigned i = 0; i < play->rounds; i++) {
		play->scenario->fault(&stage, i);
		stage_settle(&stage);
	}
	load_stop(stage.load);
	load_audit(stage.load, AUDIT_BOUND_MS);
	stage_stop_services(&stage);
	histories = load_histories(stage.load, &count);
	checker_run(histories, count, &stage.rules, &result);
	fill_row(&stage, &result, &row);
	row.state = holds(&play->scenario->bounds, &row) ? ROW_KEPT : ROW_BROKEN;
	if (row.state == ROW_BROKEN)
		checker_print(out, &result, load_origin_us(stage.load));
	if (play->trace != NULL)
		write_trace(play->trace, histories, count, load_origin_us(stage.load));
	stage_close(&stage);
	row.took_ms = now_mono_ms() - start_ms;
	*ret = row;
}
