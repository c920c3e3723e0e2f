#include "bench/load.h"

#include <stdlib.h>

#include "bench/rate.h"
#include "support/wait.h"

/* Calls have a timeout of 10 s. */
#define STOP_MS 20000

static void note_latency(struct lane *lane, enum load_moment moment)
{
	const uint64_t took_us = bench_now_us() - lane->start_us;
	struct latencies *l = NULL;

	if (moment == LOAD_HARD || lane->moment == LOAD_HARD)
		l = lane->load->hard;
	else if (moment == LOAD_CALM && lane->moment == LOAD_CALM)
		l = lane->load->calm;
	if (l != NULL)
		latencies_note(l, took_us);
}

#define CACHE_LINE 64

/* xorshift64: so that a large crowd is not walked in the order in which it was stored. What keeps that many tokens is the
 * benchmark and no caller: it shall not wait for its own memory. */
static void pick_next(struct lane *lane)
{
	const struct crowd *crowd = lane->load->crowd;

	lane->random ^= lane->random << 13;
	lane->random ^= lane->random >> 7;
	lane->random ^= lane->random << 17;
	lane->next = crowd->tokens[lane->random % crowd->count];
	for (size_t at = 0; at < CROWD_TOKEN_BYTES; at += CACHE_LINE)
		__builtin_prefetch(lane->next + at);
}

static bool ask(struct lane *lane, enum load_moment moment)
{
	if (moment != LOAD_UNMEASURED)
		lane->start_us = bench_now_us();
	lane->moment = moment;
	lane->request.token = lk_text(lane->next);
	pick_next(lane);
	return lk_session_get_async(lane->call, &lane->request) == LK_OK;
}

static void on_got(lk_call *call, enum lk_err err, void *arg)
{
	struct lane *lane = arg;
	struct load *load = lane->load;
	const enum load_moment moment = (enum load_moment)atomic_load_explicit(&load->moment, memory_order_relaxed);

	if (lane->moment != LOAD_UNMEASURED)
		note_latency(lane, moment);
	if (err == LK_OK && lk_call_verdict(call) == LK_VALID)
		atomic_fetch_add_explicit(&load->done, 1, memory_order_relaxed);
	else if (atomic_fetch_add(&load->failed, 1) == 0)
		atomic_store(&load->first_error, (int)err);
	if (atomic_load_explicit(&load->is_over, memory_order_relaxed) || !ask(lane, moment))
		atomic_fetch_sub(&load->running, 1);
}

struct load *load_new(void)
{
	struct load *load = calloc(1, sizeof(*load));

	if (load == NULL)
		bench_die("out of memory", NULL);
	return load;
}

void load_start(struct load *load, lk_client *const *clients, unsigned client_count, const struct crowd *crowd,
		unsigned in_flight)
{
	load->crowd = crowd;
	load->in_flight = in_flight;
	atomic_store(&load->running, in_flight);
	for (unsigned i = 0; i < in_flight; i++) {
		struct lane *lane = &load->lanes[i];

		*lane = (struct lane){.load = load, .request = LK_SESSION_GET_REQUEST_INIT, .random = i + 1};
		if (lk_call_new(clients[i % client_count], on_got, lane, &lane->call) != LK_OK)
			bench_die("out of memory", NULL);
		pick_next(lane);
	}
	for (unsigned i = 0; i < in_flight; i++)
		if (!ask(&load->lanes[i], (enum load_moment)atomic_load(&load->moment)))
			bench_die("a call could not be started", NULL);
}

void load_stop(struct load *load)
{
	atomic_store(&load->is_over, true);
	if (!WAIT_FOR(atomic_load(&load->running) == 0, STOP_MS))
		bench_die("Gets do not end", NULL);
	for (unsigned i = 0; i < load->in_flight; i++)
		lk_call_free(&load->lanes[i].call);
	if (atomic_load(&load->failed) > 0) {
		(void)fprintf(stderr, "latchkey-bench: %llu Gets failed, the first with %s\n",
			      (unsigned long long)atomic_load(&load->failed),
			      lk_err_name((enum lk_err)atomic_load(&load->first_error)));
		bench_die("figures of failures mean nothing", NULL);
	}
}

/* cost NULL: not wanted. */
static double rate(const struct bench *b, struct load *load, struct cost *cost)
{
	const double calls = rate_of(b, &load->done, 1, cost);

	load_stop(load);
	free(load);
	return calls;
}

double load_rate(const struct bench *b, lk_client *const *clients, unsigned client_count, const struct crowd *crowd,
		 unsigned in_flight)
{
	struct load *load = load_new();

	load_start(load, clients, client_count, crowd, in_flight);
	return rate(b, load, NULL);
}

double load_rate_and_cost(const struct bench *b, const struct crowd *crowd, unsigned in_flight, struct cost *cost)
{
	struct load *load = load_new();

	load_start(load, &b->stage.client, 1, crowd, in_flight);
	return rate(b, load, cost);
}
