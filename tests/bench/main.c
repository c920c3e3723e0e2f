/* Measures latchkeyd on a Redis of its own. tests/bench/README.md says how to read the tables. */

#include <argp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/bench.h"

static const char config[] = "log_level: info\n"
			     "realms:\n"
			     "  - name: default\n"
			     "    classes:\n"
			     "      - { name: default }\n"
			     "      - { name: " CLASS_MANY ", sessions_max: 10000 }\n"
			     "  - name: " REALM_POLLED "\n"
			     "    classes:\n"
			     "      - { name: default, touch_interval_s: " POLLED_TOUCH_S " }\n";

struct section {
	const char *name;
	void (*run)(struct bench *b);
	bool is_unwanted;
};

static struct section sections[] = {
    {"get", bench_get, false},
    {"revoke-user", bench_revoke_user, false},
    {"memory", bench_memory, false},
    {"touch", bench_touch, false},
};

#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

struct command_line {
	struct settings settings;
	const char *json;
	bool has_only;
};

_Noreturn void bench_die(const char *what, const struct lk_error *error)
{
	(void)fprintf(stderr, "latchkey-bench: %s%s%s\n", what, error != NULL ? ": " : "",
		      error != NULL ? error->message : "");
	exit(1);
}

struct lk_attribute bench_attribute(void)
{
	static char value[ATTRIBUTE_BYTES];

	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (char)(i * 7919 >> 3);
	return (struct lk_attribute){lk_text("profile"), lk_bytes_of(value, sizeof(value))};
}

uint64_t bench_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median(double *values, unsigned count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

void bench_row(struct bench *b, const char *members, ...)
{
	va_list args;

	if (b->json == NULL)
		return;
	(void)fputs(b->has_rows ? ",\n {" : "[{", b->json);
	b->has_rows = true;
	va_start(args, members);
	(void)vfprintf(b->json, members, args);
	va_end(args);
	(void)fputc('}', b->json);
}

static void open_bench(struct bench *b)
{
	struct lk_options options = LK_OPTIONS_INIT;
	struct lk_error error = LK_ERROR_INIT;
	const char *endpoints[1];

	redis_server_init(&b->redis, NULL);
	redis_server_start(&b->redis);
	latchkeyd_init(&b->service, &(struct latchkeyd_options){.redis_url = b->redis.url, .config = config});
	latchkeyd_start_serving(&b->service);
	endpoints[0] = b->service.url;
	options.endpoints = endpoints;
	options.endpoint_count = 1;
	options.call_timeout_ms = 10000;
	if (lk_client_open(&options, &b->client, &error) != LK_OK)
		bench_die("client", &error);
}

static void close_bench(struct bench *b)
{
	lk_client_close(&b->client);
	latchkeyd_stop(&b->service);
	latchkeyd_remove(&b->service);
	redis_server_remove(&b->redis);
}

static void run(struct bench *b)
{
	bool is_first = true;

	for (size_t i = 0; i < SECTIONS; i++) {
		if (sections[i].is_unwanted)
			continue;
		if (!is_first)
			(void)putchar('\n');
		is_first = false;
		sections[i].run(b);
	}
	if (b->json != NULL)
		(void)fputs("]\n", b->json);
}

/* The first --only leaves out all the others. */
static bool want_only(struct command_line *line, const char *name)
{
	bool is_known = false;

	for (size_t i = 0; i < SECTIONS; i++) {
		const bool is_it = strcmp(sections[i].name, name) == 0;

		is_known |= is_it;
		if (is_it || !line->has_only)
			sections[i].is_unwanted = !is_it;
	}
	line->has_only = true;
	return is_known;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct command_line *line = state->input;

	switch (key) {
	case 's':
		line->settings.seconds = (unsigned)strtoul(arg, NULL, 10);
		break;
	case 'r':
		line->settings.rounds = (unsigned)strtoul(arg, NULL, 10);
		break;
	case 'j':
		line->json = arg;
		break;
	case 'o':
		if (!want_only(line, arg))
			argp_error(state, "--only %s: there is no such table", arg);
		break;
	case ARGP_KEY_END:
		if (line->settings.seconds < 1 || line->settings.seconds > 60 || line->settings.rounds < 1 ||
		    line->settings.rounds > ROUNDS_MAX)
			argp_error(state, "--seconds takes 1 to 60, --rounds 1 to %d", ROUNDS_MAX);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct argp_option options[] = {
	    {"seconds", 's', "S", 0, "Length of one measurement of calls a second (2)", 0},
	    {"rounds", 'r', "N", 0, "Measurements of each line and of its baseline (3)", 0},
	    {"only", 'o', "TABLE", 0, "get, revoke-user, memory or touch; may be given several times", 0},
	    {"json", 'j', "FILE", 0, "Write the rows there too", 0},
	    {0},
	};
	static const struct argp argp = {options, parse, NULL, "Measures latchkeyd on a Redis of its own.",
					 NULL,	  NULL,	 NULL};
	struct command_line line = {.settings = {.seconds = 2, .rounds = 3}};
	struct bench bench = {0};

	if (argp_parse(&argp, argc, argv, 0, NULL, &line) != 0)
		return 2;
	bench.settings = line.settings;
	if (line.json != NULL && (bench.json = fopen(line.json, "w")) == NULL) {
		perror(line.json);
		return 1;
	}
	open_bench(&bench);
	run(&bench);
	close_bench(&bench);
	if (bench.json != NULL && fclose(bench.json) != 0) {
		perror(line.json);
		return 1;
	}
	return 0;
}
