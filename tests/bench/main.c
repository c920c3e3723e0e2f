/* Measures latchkeyd on a Redis of its own, beside baselines. tests/bench/README.md says how to read the table. */

#include <argp.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/bench.h"
#include "support/wait.h"

struct command_line {
	struct settings settings;
	const char *json;
	bool has_only;
	bool is_list;
};

static struct bench bench;
/* All temporary folders are in it: of a run that dies too, nothing is left. */
static struct tmpdir temporary;

/* Some lines have a thousand connections, and so has the service that inherits the limit. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void remove_temporary(void)
{
	tmpdir_remove(&temporary);
}

_Noreturn void bench_die(const char *what, const struct lk_error *error)
{
	(void)fprintf(stderr, "latchkey-bench: %s%s%s\n", what, error != NULL ? ": " : "",
		      error != NULL ? error->message : "");
	if (bench.report.count > 0)
		report_print(&bench.report);
	exit(1);
}

void bench_nap(double seconds)
{
	nap_ms((uint32_t)(seconds * 1000) + 1);
}

void bench_in_turn(struct bench *b, const char *line, bench_measure *ours, bench_measure *baseline, void *arg)
{
	double mine[ROUNDS_MAX], theirs[ROUNDS_MAX];

	if (line_find(line)->is_unwanted)
		return;
	for (unsigned round = 0; round < b->settings.rounds; round++) {
		mine[round] = ours(b, arg);
		theirs[round] = baseline(b, arg);
	}
	report_rounds(&b->report, line, mine, theirs, b->settings.rounds);
}

/* The first --only leaves out all the others. */
static bool want_only(struct command_line *line, const char *pattern)
{
	bool is_known = false;

	for (size_t i = 0; i < line_count; i++) {
		const bool is_it = fnmatch(pattern, lines[i].name, 0) == 0;

		is_known |= is_it;
		if (is_it || !line->has_only)
			lines[i].is_unwanted = !is_it;
	}
	line->has_only = true;
	return is_known;
}

static void print_lines(void)
{
	for (size_t i = 0; i < line_count; i++)
		(void)printf("%-24s %s%s%s [%s]\n", lines[i].name, lines[i].ours,
			     lines[i].baseline != NULL ? " | " : "", lines[i].baseline != NULL ? lines[i].baseline : "",
			     lines[i].unit);
}

static void run(struct bench *b)
{
	for (size_t i = 0; i < line_count; i++) {
		bool has_run = lines[i].is_unwanted;

		/* One function measures several lines. */
		for (size_t j = 0; j < i && !has_run; j++)
			has_run = lines[j].run == lines[i].run && !lines[j].is_unwanted;
		if (!has_run)
			lines[i].run(b);
	}
}

static bool has_bad_settings(const struct settings *s)
{
	return !(s->seconds >= 0.01 && s->seconds <= 60) || s->rounds < 1 || s->rounds > ROUNDS_MAX;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct command_line *line = state->input;

	switch (key) {
	case 's':
		line->settings.seconds = strtod(arg, NULL);
		break;
	case 'r':
		line->settings.rounds = (unsigned)strtoul(arg, NULL, 10);
		break;
	case 'f':
		line->settings.is_full = true;
		break;
	case 'j':
		line->json = arg;
		break;
	case 'l':
		line->is_list = true;
		break;
	case 'o':
		if (!want_only(line, arg))
			argp_error(state, "--only %s: there is no such line; --list shows all", arg);
		break;
	case ARGP_KEY_END:
		if (has_bad_settings(&line->settings))
			argp_error(state, "--seconds takes 0.01 to 60, --rounds 1 to %d", ROUNDS_MAX);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_option options[] = {
    {"seconds", 's', "S", 0, "Length of one measurement of calls a second (2)", 0},
    {"rounds", 'r', "N", 0, "Measurements of each line and of its baseline, in turn (3)", 0},
    {"only", 'o', "LINE", 0, "Only this line; may be given several times, and with * as in file names", 0},
    {"full", 'f', NULL, 0, "Also what needs gigabytes and many minutes", 0},
    {"json", 'j', "FILE", 0, "Write the rows there too", 0},
    {"list", 'l', NULL, 0, "Only say what the lines are", 0},
    {0},
};

int main(int argc, char **argv)
{
	static const struct argp argp = {
	    .options = options, .parser = parse, .doc = "Measures latchkeyd on a Redis of its own, beside baselines."};
	struct command_line line = {.settings = {.seconds = 2, .rounds = 3}};
	bool is_written = true;

	if (argp_parse(&argp, argc, argv, 0, NULL, &line) != 0)
		return 2;
	if (line.is_list) {
		print_lines();
		return 0;
	}
	bench.settings = line.settings;
	raise_descriptors();
	tmpdir_make(&temporary);
	(void)setenv("TMPDIR", temporary.path, 1);
	(void)atexit(remove_temporary);
	stage_open(&bench.stage, false);
	run(&bench);
	stage_close(&bench.stage);
	report_print(&bench.report);
	if (line.json != NULL && !(is_written = report_write(&bench.report, line.json)))
		perror(line.json);
	report_drop(&bench.report);
	return is_written ? 0 : 1;
}
