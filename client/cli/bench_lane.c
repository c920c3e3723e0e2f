/* A lane's life. In a closed loop, and while sessions are made and ended, the callback of a call starts the next; a lane
 * whose call failed waits on the list of free lanes for the main thread, so that failures do not come round and round
 * without a pause. In an open loop every lane goes back to that list.
 *
 *	list of free lanes --begin--> in flight --done--> in flight, or the list
 */

#include "bench_lane.h"

#include <stdio.h>

#include "bench_call.h"

/* Whoever cannot be cleaned up after may be as many as there are users: not each is waited for. */
#define CLEAN_FAILURES_MAX 100

/* ---- What came of a call ---- */

static void keep_failure(struct bench_lane *lane, enum lk_err err)
{
	struct bench_load *load = lane->worker->load;

	(void)pthread_mutex_lock(&load->lock);
	if (load->failure.code == LK_OK) {
		lk_call_detail(lane->call, &load->failure);
		load->failure.code = err;
		if (load->failure.message[0] == '\0')
			(void)snprintf(load->failure.message, sizeof(load->failure.message), "%s", lk_err_message(err));
	}
	(void)pthread_mutex_unlock(&load->lock);
}

static void count(struct bench_lane *lane, enum lk_err err, bool ended, uint64_t end_ns)
{
	const uint64_t until_ns = atomic_load_explicit(&lane->worker->load->until_ns, memory_order_relaxed);
	struct bench_tally *tally = lane->worker->tally;
	struct bench_load *load = lane->worker->load;
	const size_t code = ended ? (size_t)BENCH_ENDED : (size_t)err;

	if (lane->phase != BENCH_RUNNING || lane->start_ns < load->from_ns || lane->start_ns >= until_ns)
		return;
	if (err != LK_OK || ended) {
		atomic_fetch_add(&load->errors[code < BENCH_ERRORS ? code : BENCH_ERRORS - 1], 1);
		return;
	}
	histogram_add(tally->latency[lane->kind], end_ns - lane->start_ns, 1);
	if (end_ns < until_ns)
		atomic_fetch_add_explicit(&tally->in_time[lane->kind], 1, memory_order_relaxed);
}

/* True: all is well. */
static bool finish(struct bench_lane *lane, enum lk_err err, uint64_t end_ns)
{
	struct bench_load *load = lane->worker->load;
	bool ended;

	err = bench_call_finish(lane, err, &ended);
	if (err != LK_OK)
		keep_failure(lane, err);
	if (err != LK_OK && lane->phase == BENCH_CLEANING)
		(void)atomic_fetch_add(&load->clean_failures, 1);
	count(lane, err, ended, end_ns);
	return err == LK_OK;
}

/* ---- What comes next ---- */

static bool draw_preparing(struct bench_lane *lane)
{
	struct bench_worker *worker = lane->worker;
	uint32_t left = atomic_load(&worker->to_make);

	while (left > 0 && !atomic_compare_exchange_weak(&worker->to_make, &left, left - 1))
		;
	lane->kind = BENCH_CREATE;
	return left > 0;
}

static bool draw_cleaning(struct bench_lane *lane)
{
	struct bench_load *load = lane->worker->load;
	uint64_t at;

	if (atomic_load(&load->clean_failures) >= CLEAN_FAILURES_MAX)
		return false;
	at = atomic_fetch_add(&load->cleaned, 1);
	lane->kind = BENCH_REVOKE_USER;
	lane->user = (uint32_t)at;
	return at < load->to_clean;
}

static bool draw(struct bench_lane *lane, uint64_t now_ns)
{
	struct bench_load *load = lane->worker->load;

	lane->phase = atomic_load_explicit(&load->phase, memory_order_relaxed);
	switch (lane->phase) {
	case BENCH_PREPARING:
		return draw_preparing(lane);
	case BENCH_CLEANING:
		return draw_cleaning(lane);
	case BENCH_RUNNING:
		lane->kind = bench_mix_draw(&load->mix, bench_random(&lane->random));
		return now_ns < atomic_load_explicit(&load->until_ns, memory_order_relaxed);
	default:
		return false;
	}
}

bool bench_lane_begin(struct bench_lane *lane, uint64_t start_ns)
{
	enum lk_err err;

	if (!draw(lane, start_ns))
		return false;
	bench_call_equip(lane);
	lane->start_ns = start_ns;
	err = bench_call_start(lane);
	if (err == LK_OK)
		return true;
	(void)finish(lane, err, start_ns);
	return false;
}

void bench_lane_done(lk_call *call, enum lk_err err, void *arg)
{
	struct bench_lane *lane = arg;
	const uint64_t now_ns = bench_now_ns();
	const bool is_well = finish(lane, err, now_ns);
	const bool is_open = lane->phase == BENCH_RUNNING && lane->worker->load->line->bench.rate > 0;

	(void)call;
	if (is_well && !is_open && bench_lane_begin(lane, now_ns))
		return;
	bench_worker_push(lane->worker, lane);
}
