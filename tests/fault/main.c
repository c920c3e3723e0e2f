/* latchkey-fault: harm is done to Redis and to the service under load, and every answer is checked. Each scenario runs in
 * a process and a folder of its own, so that one which goes wrong takes neither the others nor what it started with it. */

#include <argp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fault/run.h"
#include "support/netns.h"
#include "support/process.h"
#include "support/tmpdir.h"
#include "support/wait.h"

#define NAMES_MAX 32
/* Besides, for each round: the slowest are the restarts of every node, each with its resynchronisation. */
#define SCENARIO_MS 180000
#define ROUND_MS    120000
/* What a broken scenario says is shown up to here. */
#define STORY_BYTES_MAX 16384

struct settings {
	bool is_short;
	bool is_list;
	unsigned rounds;       /* 0: the scenario's */
	unsigned load_percent; /* of the scenario's rate */
	const char *json;
	const char *trace;
	const char *names[NAMES_MAX];
	size_t name_count;
};

static const struct scenario *find(const char *name)
{
	for (size_t i = 0; i < scenario_count; i++)
		if (strcmp(scenarios[i].name, name) == 0)
			return &scenarios[i];
	return NULL;
}

static error_t on_option(int key, char *arg, struct argp_state *state)
{
	struct settings *settings = state->input;

	switch (key) {
	case 's':
		settings->is_short = true;
		return 0;
	case 'l':
		settings->is_list = true;
		return 0;
	case 'j':
		settings->json = arg;
		return 0;
	case 't':
		settings->trace = arg;
		return 0;
	case 'r':
		settings->rounds = (unsigned)strtoul(arg, NULL, 10);
		if (settings->rounds < 1 || settings->rounds > CHECKER_PARTINGS_MAX)
			argp_error(state, "--rounds %s: allowed are 1 to %d", arg, CHECKER_PARTINGS_MAX);
		return 0;
	case 'p':
		settings->load_percent = (unsigned)strtoul(arg, NULL, 10);
		if (settings->load_percent < 1 || settings->load_percent > 1000)
			argp_error(state, "--load %s: allowed are 1 to 1000 percent", arg);
		return 0;
	case 'o':
		if (find(arg) == NULL)
			argp_error(state, "--only %s: there is no such scenario; --list names them", arg);
		if (settings->name_count == NAMES_MAX)
			argp_error(state, "--only may be given %d times", NAMES_MAX);
		settings->names[settings->name_count++] = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
    {"short", 's', NULL, 0, "A few rounds of each scenario: about 4 minutes on two cores", 0},
    {"only", 'o', "NAME", 0, "This scenario; may be given several times", 0},
    {"rounds", 'r', "N", 0, "Rounds of each scenario", 0},
    {"load", 'p', "PERCENT", 0, "Of the usual operations a second; sanitizers need less", 0},
    {"json", 'j', "FILE", 0, "Write the rows to FILE too", 0},
    {"trace", 't', "FILE", 0, "Append every operation to FILE: worker, slot, session, ms, instance, question, answer",
     0},
    {"list", 'l', NULL, 0, "Name the scenarios, and end", 0},
    {0},
};

static const struct argp argp = {
    .options = options,
    .parser = on_option,
    .doc =
	"Does harm to Redis and to the service under load, and checks every answer.\v"
	"A row a scenario. lost: acknowledged creates and updates that are gone, and sessions that ended though nobody "
	"ended them. revived: VALID after an acknowledged revocation. stale: reads of an older state than was "
	"acknowledged. forked: two successors of one token, or a rotation undone. failed: calls without a good answer "
	"within their deadline. unknown: those of them that asked "
	"for a "
	"verdict. gap: the longest time without an acknowledged write (in some shard). The exit status is 1 when a "
	"bound is broken.",
};

static bool is_wanted(const struct settings *settings, const struct scenario *scenario)
{
	for (size_t i = 0; i < settings->name_count; i++)
		if (strcmp(settings->names[i], scenario->name) == 0)
			return true;
	return settings->name_count == 0;
}

static unsigned rounds_of(const struct settings *settings, const struct scenario *scenario)
{
	if (settings->rounds > 0)
		return settings->rounds;
	return settings->is_short ? scenario->rounds_short : scenario->rounds;
}

static bool is_possible(const struct scenario *scenario)
{
	if (!scenario->needs_root)
		return true;
	return geteuid() == 0 && (!scenario->stage.has_network || netns_is_possible());
}

/* The scenario's process: all it says goes to `story`, the row into memory that both share. */
static void child(const struct play *play, const struct tmpdir *dir, int story, struct row *row)
{
	FILE *out;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setenv("TMPDIR", dir->path, 1) != 0 || dup2(story, STDOUT_FILENO) < 0 || dup2(story, STDERR_FILENO) < 0)
		_exit(126);
	out = fdopen(dup(story), "w");
	if (out == NULL)
		_exit(126);
	run_scenario(play, out, row);
	(void)fclose(out);
	exit(0);
}

static void perform(const struct play *play, int story, struct row *row)
{
	const struct scenario *scenario = play->scenario;
	const uint32_t bound_ms = SCENARIO_MS + play->rounds * ROUND_MS;
	struct tmpdir dir;
	struct process p;

	*row = (struct row){.rounds = play->rounds};
	if (!is_possible(scenario)) {
		row->state = ROW_SKIPPED;
		(void)snprintf(row->wrong, sizeof(row->wrong), "needs root%s",
			       scenario->stage.has_network ? ", network namespaces and ip (iproute2)" : "");
		return;
	}
	tmpdir_make(&dir);
	(void)fflush(NULL);
	p.pid = fork();
	if (p.pid < 0)
		fail_msg("fork failed");
	if (p.pid == 0)
		child(play, &dir, story, row);
	if (!process_wait(&p, bound_ms, NULL)) {
		process_kill(&p);
		(void)snprintf(row->wrong, sizeof(row->wrong), "still running after %u s", bound_ms / 1000);
	} else if (row->state == ROW_ABORTED) {
		(void)snprintf(row->wrong, sizeof(row->wrong), "ended early");
	}
	tmpdir_remove(&dir);
}

static const char *const state_names[] = {"ABORTED", "skipped", "ok", "BROKEN"};

static void print_head(void)
{
	printf("%-18s %6s %10s %12s %5s %7s %6s %6s %7s %8s %7s  %s\n", "scenario", "rounds", "operations",
	       "acknowledged", "lost", "revived", "stale", "forked", "failed", "unknown", "gap ms", "");
}

static void print_row(const struct scenario *scenario, const struct row *row)
{
	printf("%-18s %6u %10llu %12llu %5llu %7llu %6llu %6llu %7llu %8llu %7llu  %s\n", scenario->name, row->rounds,
	       (unsigned long long)row->operations, (unsigned long long)row->acknowledged,
	       (unsigned long long)row->lost, (unsigned long long)row->revived, (unsigned long long)row->stale,
	       (unsigned long long)row->forked, (unsigned long long)row->failed, (unsigned long long)row->unknown,
	       (unsigned long long)row->gap_ms, state_names[row->state]);
	if (row->wrong[0] != '\0')
		printf("  %s: %s\n", row->state == ROW_SKIPPED ? "why" : "wrong", row->wrong);
	if (row->unaudited > 0)
		printf("  wrong: of %llu sessions nothing could be learnt at the end\n",
		       (unsigned long long)row->unaudited);
	if (row->note[0] != '\0')
		printf("  %s\n", row->note);
}

static void print_story(int story)
{
	static char text[STORY_BYTES_MAX];
	off_t end = lseek(story, 0, SEEK_END);
	off_t from = end > STORY_BYTES_MAX ? end - STORY_BYTES_MAX : 0;
	ssize_t len = pread(story, text, sizeof(text), from);

	if (len > 0)
		(void)fwrite(text, 1, (size_t)len, stdout);
}

static void write_json_row(FILE *out, const struct scenario *scenario, const struct row *row, bool is_first)
{
	(void)fprintf(
	    out,
	    "%s\n  {\"name\": \"%s\", \"title\": \"%s\", \"state\": \"%s\", \"rounds\": %u, \"operations\": %llu, "
	    "\"acknowledged\": %llu, \"lost\": %llu, \"revived\": %llu, \"stale\": %llu, \"forked\": %llu, \"failed\": "
	    "%llu, "
	    "\"unknown\": %llu, \"unaudited\": %llu, \"gap_ms\": %llu, \"took_ms\": %llu, \"note\": \"%s\"}",
	    is_first ? "" : ",", scenario->name, scenario->title, state_names[row->state], row->rounds,
	    (unsigned long long)row->operations, (unsigned long long)row->acknowledged, (unsigned long long)row->lost,
	    (unsigned long long)row->revived, (unsigned long long)row->stale, (unsigned long long)row->forked,
	    (unsigned long long)row->failed, (unsigned long long)row->unknown, (unsigned long long)row->unaudited,
	    (unsigned long long)row->gap_ms, (unsigned long long)row->took_ms, row->note);
}

static bool run_one(const struct settings *settings, const struct scenario *scenario, struct row *row, FILE *json,
		    bool is_first)
{
	const struct play play = {scenario, rounds_of(settings, scenario), settings->load_percent, settings->trace};
	int story = memfd_create("story", MFD_CLOEXEC);

	if (story < 0)
		fail_msg("memfd_create failed");
	perform(&play, story, row);
	print_row(scenario, row);
	if (row->state == ROW_BROKEN || row->state == ROW_ABORTED)
		print_story(story);
	(void)fflush(stdout);
	close(story);
	if (json != NULL)
		write_json_row(json, scenario, row, is_first);
	return row->state == ROW_KEPT || row->state == ROW_SKIPPED;
}

static int run_all(const struct settings *settings)
{
	struct row *row = mmap(NULL, sizeof(*row), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	FILE *json = NULL;
	bool all_hold = true;
	bool is_first = true;

	if (row == MAP_FAILED)
		fail_msg("mmap failed");
	if (settings->json != NULL) {
		json = fopen(settings->json, "we");
		if (json == NULL)
			fail_msg("cannot write %s", settings->json);
		(void)fputc('[', json);
	}
	print_head();
	for (size_t i = 0; i < scenario_count; i++) {
		if (!is_wanted(settings, &scenarios[i]))
			continue;
		all_hold &= run_one(settings, &scenarios[i], row, json, is_first);
		is_first = false;
	}
	if (json != NULL) {
		(void)fputs("\n]\n", json);
		(void)fclose(json);
	}
	munmap(row, sizeof(*row));
	return all_hold ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct settings settings = {.load_percent = 100};

	argp_parse(&argp, argc, argv, 0, NULL, &settings);
	if (!settings.is_list)
		return run_all(&settings);
	for (size_t i = 0; i < scenario_count; i++)
		printf("%-18s %s\n", scenarios[i].name, scenarios[i].title);
	return 0;
}
