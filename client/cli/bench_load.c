/* The main thread's part of a load: workers and lanes are made, lanes are started when calls are due, and what they counted
 * is put together.
 *
 *	open -> prepare -> measure -> clean -> close
 *
 * Each of the middle three sets the phase, starts lanes until there is nothing more to do, sets it back, and waits until
 * all lanes are free again: no call of one phase is under way in the next. */

#include "bench_load.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <time.h>

#include "bench_lane.h"
#include "bench_progress.h"
#include "connect.h"
#include "report.h"

#define CALLERS_DEFAULT 64
/* Calls that an open loop may have in flight, in all: half of what a client and a server's connection allow by default, for
 * the server still counts a call for a moment when its answer is here. A server that is behind by more is not helped by more. */
#define OPEN_LANES 2048
/* At once, by each worker, where speed is not what is measured. */
#define QUIET_LANES 64
/* How often the main thread looks at what lanes that failed, the clock and interruptions want. */
#define LOOK_NS 10000000

/* A signal's handler has nothing else to write to. */
static volatile sig_atomic_t was_interrupted;

static void on_interrupt(int number)
{
	(void)number;
	was_interrupted = 1;
}

void bench_catch_interrupts(void)
{
	struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)(SA_RESETHAND | SA_RESTART)};

	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
}

bool bench_is_interrupted(void)
{
	return was_interrupted != 0;
}

static void sleep_until(uint64_t at_ns)
{
	const struct timespec at = {.tv_sec = (time_t)(at_ns / BENCH_SECOND_NS),
				    .tv_nsec = (long)(at_ns % BENCH_SECOND_NS)};

	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/* ---- Opening ---- */

uint32_t bench_callers(const struct bench_line *bench)
{
	return bench->callers > 0 ? bench->callers : CALLERS_DEFAULT;
}

/* The part of worker number `at`. */
static uint32_t part_of(const struct bench_load *load, uint32_t all, uint32_t at)
{
	const uint32_t workers = load->line->bench.connections;

	return all / workers + (at < all % workers ? 1 : 0);
}

static bool open_tallies(struct bench_load *load)
{
	for (size_t t = 0; t < BENCH_TALLIES; t++) {
		for (size_t k = 0; k < BENCH_MIXED; k++) {
			/* A call that finds no session makes one. */
			if (load->mix.weights[k] == 0 && k != BENCH_CREATE)
				continue;
			load->tallies[t].latency[k] = calloc(1, sizeof(struct histogram));
			if (load->tallies[t].latency[k] == NULL)
				return false;
		}
	}
	return true;
}

static bool open_lanes(struct bench_load *load, struct bench_worker *worker)
{
	worker->lanes = calloc(worker->lane_count, sizeof(*worker->lanes));
	worker->pool = bench_pool_new();
	if (worker->lanes == NULL || worker->pool == NULL)
		return false;
	for (uint32_t i = 0; i < worker->lane_count; i++) {
		struct bench_lane *lane = &worker->lanes[i];

		lane->worker = worker;
		lane->random = bench_random(&load->random) | 1;
		if (lk_call_new(worker->client, bench_lane_done, lane, &lane->call) != LK_OK)
			return false;
		bench_worker_push(worker, lane);
	}
	return true;
}

static int fail_memory(void)
{
	const struct lk_error error = {.code = LK_E_NO_MEMORY, .message = "out of memory"};

	report_sentence(&error);
	return report_status(&error);
}

static int open_worker(struct bench_load *load, uint32_t at)
{
	struct bench_worker *worker = &load->workers[at];
	const struct bench_line *bench = &load->line->bench;
	struct lk_options options = LK_OPTIONS_INIT;
	int status;

	worker->load = load;
	worker->tally = &load->tallies[at % BENCH_TALLIES];
	worker->lane_count = part_of(load, bench->rate > 0 ? OPEN_LANES : bench_callers(bench), at);
	atomic_init(&worker->to_make, part_of(load, bench->sessions, at));
	(void)pthread_mutex_init(&worker->lock, NULL);
	options.in_flight_max = worker->lane_count;
	status = connect_open(load->line, &options, &worker->client);
	if (status == EXIT_DONE && !open_lanes(load, worker))
		status = fail_memory();
	return status;
}

/* What does not compress, as an identity provider's tokens do not. */
static bool make_value(struct bench_load *load)
{
	const uint32_t len = load->line->bench.value_bytes;

	load->value = malloc(len + 1);
	if (load->value == NULL)
		return false;
	for (uint32_t i = 0; i < len; i++)
		load->value[i] = (char)bench_random(&load->random);
	load->attribute = (struct lk_attribute){lk_text("value"), lk_bytes_of(load->value, len)};
	return true;
}

int bench_load_open(const struct line *line, const struct bench_mix *mix, struct bench_load **ret)
{
	struct bench_load *load = calloc(1, sizeof(*load));
	int status = EXIT_DONE;

	if (load == NULL)
		return fail_memory();
	load->line = line;
	load->mix = *mix;
	load->failure = (struct lk_error)LK_ERROR_INIT;
	(void)pthread_mutex_init(&load->lock, NULL);
	if (getrandom(&load->random, sizeof(load->random), 0) != (ssize_t)sizeof(load->random))
		load->random = bench_now_ns();
	load->random |= 1;
	(void)snprintf(load->run, sizeof(load->run), "bench-%012llx",
		       (unsigned long long)(bench_random(&load->random) & 0xffffffffffff));
	load->workers = calloc(line->bench.connections, sizeof(*load->workers));
	if (load->workers == NULL || !make_value(load) || !open_tallies(load)) {
		bench_load_close(&load);
		return fail_memory();
	}
	for (; status == EXIT_DONE && load->worker_count < line->bench.connections; load->worker_count++)
		status = open_worker(load, load->worker_count);
	if (status == EXIT_DONE)
		*ret = load;
	else
		bench_load_close(&load);
	return status;
}

static void close_worker(struct bench_worker *worker)
{
	for (uint32_t i = 0; worker->lanes != NULL && i < worker->lane_count; i++)
		lk_call_free(&worker->lanes[i].call);
	lk_client_close(&worker->client);
	bench_pool_free(&worker->pool);
	free(worker->lanes);
	(void)pthread_mutex_destroy(&worker->lock);
}

void bench_load_close(struct bench_load **load)
{
	struct bench_load *own = *load;

	*load = NULL;
	if (own == NULL)
		return;
	for (uint32_t i = 0; i < own->worker_count; i++)
		close_worker(&own->workers[i]);
	for (size_t t = 0; t < BENCH_TALLIES; t++)
		for (size_t k = 0; k < BENCH_MIXED; k++)
			free(own->tallies[t].latency[k]);
	(void)pthread_mutex_destroy(&own->lock);
	free(own->workers);
	free(own->value);
	free(own);
}

/* ---- What is known of it ---- */

const char *bench_load_run(const struct bench_load *load)
{
	return load->run;
}

uint64_t bench_load_users(const struct bench_load *load)
{
	const uint64_t given_out = atomic_load(&load->users);
	const uint64_t max = load->line->bench.user_count;

	return max > 0 && given_out > max ? max : given_out;
}

void bench_load_failure(struct bench_load *load, struct lk_error *ret)
{
	(void)pthread_mutex_lock(&load->lock);
	*ret = load->failure;
	(void)pthread_mutex_unlock(&load->lock);
}

/* ---- Phases ---- */

static void begin_phase(struct bench_load *load, enum bench_phase phase)
{
	(void)pthread_mutex_lock(&load->lock);
	load->failure = (struct lk_error)LK_ERROR_INIT;
	(void)pthread_mutex_unlock(&load->lock);
	atomic_store(&load->phase, phase);
}

static bool is_quiet(struct bench_load *load)
{
	for (uint32_t i = 0; i < load->worker_count; i++)
		if (bench_worker_free_lanes(&load->workers[i]) < load->workers[i].lane_count)
			return false;
	return true;
}

/* Calls end at their timeout, so this does. */
static void end_phase(struct bench_load *load)
{
	atomic_store(&load->phase, BENCH_IDLE);
	while (!is_quiet(load))
		sleep_until(bench_now_ns() + LOOK_NS / 10);
}

/* Starts free lanes, but no more than `at_most` of each worker at once. False: no lane had anything to do. */
static bool start_lanes(struct bench_load *load, uint32_t at_most)
{
	bool has_begun = false;

	for (uint32_t i = 0; i < load->worker_count; i++) {
		struct bench_worker *worker = &load->workers[i];
		const uint32_t count = worker->lane_count;

		for (uint32_t busy = count - bench_worker_free_lanes(worker); busy < count && busy < at_most; busy++) {
			struct bench_lane *lane = bench_worker_pop(worker);

			if (lane == NULL)
				break;
			if (!bench_lane_begin(lane, bench_now_ns())) {
				bench_worker_push(worker, lane);
				break;
			}
			has_begun = true;
		}
	}
	return has_begun;
}

/* Lanes that start one another, until there is nothing to do. */
static void run_quietly(struct bench_load *load, enum bench_phase phase)
{
	struct lk_error failure;

	begin_phase(load, phase);
	do {
		bench_load_failure(load, &failure);
		if (phase == BENCH_PREPARING && (bench_is_interrupted() || failure.code != LK_OK))
			break;
		if (!start_lanes(load, QUIET_LANES) && is_quiet(load))
			break;
		sleep_until(bench_now_ns() + LOOK_NS / 10);
	} while (true);
	end_phase(load);
}

bool bench_load_prepare(struct bench_load *load)
{
	struct lk_error failure;

	run_quietly(load, BENCH_PREPARING);
	bench_load_failure(load, &failure);
	return failure.code == LK_OK && !bench_is_interrupted();
}

uint64_t bench_load_clean(struct bench_load *load)
{
	const uint64_t users = bench_load_users(load);
	uint64_t tried;

	load->to_clean = users;
	run_quietly(load, BENCH_CLEANING);
	tried = atomic_load(&load->cleaned);
	return (tried < users ? users - tried : 0) + atomic_load(&load->clean_failures);
}

/* ---- Measuring ---- */

static double mean_gap_ns(const struct bench_load *load)
{
	return (double)BENCH_SECOND_NS / load->line->bench.rate;
}

/* When the next call of an open loop is due. Whole gaps would add up to another rate. */
static uint64_t due_ns(const struct bench_load *load)
{
	return load->start_ns + (uint64_t)load->due_after_ns;
}

/* Poisson arrivals have exponential gaps. */
static void await_next(struct bench_load *load)
{
	/* 0 to 1, and neither: 48 random bits, and a half. */
	const double share = ((double)bench_random(&load->random) + 0.5) / 281474976710656.0;

	load->due_after_ns += load->line->bench.is_even ? mean_gap_ns(load) : -log(share) * mean_gap_ns(load);
}

static struct bench_lane *pop_any(struct bench_load *load)
{
	for (uint32_t i = 0; i < load->worker_count; i++) {
		struct bench_lane *lane = bench_worker_pop(&load->workers[load->next_worker]);

		load->next_worker = (load->next_worker + 1) % load->worker_count;
		if (lane != NULL)
			return lane;
	}
	return NULL;
}

/* Begins what is due. */
static void begin_due(struct bench_load *load, uint64_t until_ns)
{
	const uint64_t look_ns = bench_now_ns() + LOOK_NS;
	const uint64_t stop_ns = look_ns < until_ns ? look_ns : until_ns;

	while (due_ns(load) < stop_ns && due_ns(load) <= bench_now_ns()) {
		struct bench_lane *lane = pop_any(load);

		if (lane == NULL)
			break;
		if (!bench_lane_begin(lane, due_ns(load)))
			bench_worker_push(lane->worker, lane);
		await_next(load);
	}
}

/* By the rate: they were not drawn. */
static void count_not_started(struct bench_load *load)
{
	const uint64_t from_ns = due_ns(load) > load->from_ns ? due_ns(load) : load->from_ns;
	const uint64_t until_ns = atomic_load(&load->until_ns);

	if (load->line->bench.rate > 0 && from_ns < until_ns)
		load->not_started = 1 + (uint64_t)((double)(until_ns - from_ns) / mean_gap_ns(load));
}

/* When there is something to do next. */
static uint64_t wake_ns(const struct bench_load *load, uint64_t now_ns, uint64_t until_ns)
{
	uint64_t at_ns = now_ns + LOOK_NS;

	/* Behind, for want of a free lane: soon again. */
	if (load->line->bench.rate > 0 && due_ns(load) < at_ns)
		at_ns = due_ns(load) > now_ns ? due_ns(load) : now_ns + LOOK_NS / 100;
	return at_ns < until_ns ? at_ns : until_ns;
}

void bench_load_measure(struct bench_load *load)
{
	const struct bench_line *bench = &load->line->bench;
	uint64_t now_ns = bench_now_ns();
	struct bench_progress progress = bench_progress_begin(load, now_ns);
	uint64_t until_ns;

	load->start_ns = now_ns;
	load->from_ns = now_ns + (uint64_t)bench->warmup_s * BENCH_SECOND_NS;
	until_ns = load->from_ns + (uint64_t)bench->seconds * BENCH_SECOND_NS;
	atomic_store(&load->until_ns, until_ns);
	/* 50 us of slack are the default: too much beside what is measured. */
	(void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	begin_phase(load, BENCH_RUNNING);
	while (now_ns < until_ns && !bench_is_interrupted()) {
		if (bench->rate > 0)
			begin_due(load, until_ns);
		else
			(void)start_lanes(load, UINT32_MAX);
		now_ns = bench_now_ns();
		bench_progress_show(load, &progress, now_ns);
		sleep_until(wake_ns(load, now_ns, until_ns));
		now_ns = bench_now_ns();
	}
	if (now_ns < until_ns)
		atomic_store(&load->until_ns, now_ns);
	end_phase(load);
	bench_progress_end(&progress, now_ns);
	count_not_started(load);
}
