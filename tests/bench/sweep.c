#include "bench/sweep.h"

#include <stdatomic.h>

#include "bench/stage.h"
#include "support/wait.h"

/* For millions of calls: ten times what an idle machine takes. */
#define SWEEP_MS 3600000

struct seat {
	struct run *run;
	lk_call *call;
	unsigned at;
};

struct run {
	const struct sweep *sweep;
	struct seat seats[SWEEP_IN_FLIGHT_MAX];
	_Atomic unsigned next;
	_Atomic unsigned done;
	_Atomic int failed; /* enum lk_err + 1 of the first failure; 0: none */
};

static void note_failure(struct run *run, enum lk_err err)
{
	int none = 0;

	(void)atomic_compare_exchange_strong(&run->failed, &none, (int)err + 1);
}

static void start_next(struct seat *seat)
{
	const struct sweep *s = seat->run->sweep;
	enum lk_err err;

	seat->at = atomic_fetch_add(&seat->run->next, 1);
	if (seat->at >= s->count)
		return;
	err = s->start(seat->call, seat->at, s->arg);
	if (err != LK_OK)
		note_failure(seat->run, err);
}

static void on_done(lk_call *call, enum lk_err err, void *arg)
{
	struct seat *seat = arg;
	const struct sweep *s = seat->run->sweep;

	if (err != LK_OK || (s->check != NULL && !s->check(call, seat->at, s->arg))) {
		note_failure(seat->run, err);
		return;
	}
	atomic_fetch_add(&seat->run->done, 1);
	start_next(seat);
}

static void die_of(const struct run *run)
{
	const int failed = atomic_load(&run->failed);

	(void)fprintf(stderr, "latchkey-bench: %s: %s after %u of %u\n", run->sweep->name,
		      failed > 0 ? lk_err_name((enum lk_err)(failed - 1)) : "no end", atomic_load(&run->done),
		      run->sweep->count);
	bench_die("figures of failures mean nothing", NULL);
}

double sweep_run(const struct sweep *s)
{
	struct run run = {.sweep = s};
	const unsigned in_flight = s->in_flight < s->count ? s->in_flight : s->count;
	uint64_t start_us, took_us;

	for (unsigned i = 0; i < in_flight; i++) {
		run.seats[i].run = &run;
		if (lk_call_new(s->client, on_done, &run.seats[i], &run.seats[i].call) != LK_OK)
			bench_die("out of memory", NULL);
	}
	start_us = bench_now_us();
	for (unsigned i = 0; i < in_flight; i++)
		start_next(&run.seats[i]);
	if (!WAIT_FOR(atomic_load(&run.done) == s->count || atomic_load(&run.failed) != 0, SWEEP_MS) ||
	    atomic_load(&run.failed) != 0)
		die_of(&run);
	took_us = bench_now_us() - start_us;
	for (unsigned i = 0; i < in_flight; i++)
		lk_call_free(&run.seats[i].call);
	return (double)s->count * 1e6 / (double)took_us;
}
