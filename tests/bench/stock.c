#include "bench/stock.h"

#include <math.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "bench/baseline.h"
#include "bench/rate.h"
#include "bench/sections.h"
#include "support/wait.h"

#define STOP_MS 20000

struct seat {
	struct running *running;
	nng_ctx ctx;
	nng_aio *aio;
	bool is_receiving;
	unsigned next; /* frame */
};

struct running {
	const struct stock *stock;
	struct seat seats[STOCK_CONTEXTS_MAX];
	_Atomic uint64_t done;
	_Atomic uint64_t failed;
	_Atomic unsigned live;
	_Atomic bool is_over;
};

static void ask(struct seat *seat)
{
	const struct frames *frames = seat->running->stock->frames;
	const struct frame *frame = &frames->of[seat->next++ % frames->count];
	nng_msg *message;

	if (nng_msg_alloc(&message, 0) != 0 || nng_msg_append(message, frame->bytes, frame->len) != 0)
		bench_die("out of memory", NULL);
	seat->is_receiving = false;
	nng_aio_set_msg(seat->aio, message);
	nng_ctx_send(seat->ctx, seat->aio);
}

static void take_answer(struct seat *seat)
{
	struct running *r = seat->running;
	nng_msg *answer = nng_aio_get_msg(seat->aio);
	const struct stock *s = r->stock;

	if (s->check == NULL || s->check(nng_msg_body(answer), nng_msg_len(answer), s->frames->calls))
		atomic_fetch_add(&r->done, 1);
	else
		atomic_fetch_add(&r->failed, 1);
	nng_msg_free(answer);
}

static void on_step(void *arg)
{
	struct seat *seat = arg;
	struct running *r = seat->running;

	if (nng_aio_result(seat->aio) != 0) {
		atomic_fetch_add(&r->failed, 1);
		atomic_fetch_sub(&r->live, 1);
		return;
	}
	if (!seat->is_receiving) {
		seat->is_receiving = true;
		nng_ctx_recv(seat->ctx, seat->aio);
		return;
	}
	take_answer(seat);
	if (atomic_load(&r->is_over))
		atomic_fetch_sub(&r->live, 1);
	else
		ask(seat);
}

static void start(struct running *r, nng_socket socket)
{
	const struct stock *s = r->stock;

	atomic_store(&r->live, s->contexts);
	for (unsigned i = 0; i < s->contexts; i++) {
		struct seat *seat = &r->seats[i];

		*seat = (struct seat){.running = r, .next = i};
		if (nng_ctx_open(&seat->ctx, socket) != 0 || nng_aio_alloc(&seat->aio, on_step, seat) != 0)
			bench_die("out of memory", NULL);
		nng_aio_set_timeout(seat->aio, STOP_MS);
	}
	for (unsigned i = 0; i < s->contexts; i++)
		ask(&r->seats[i]);
}

static void stop(struct running *r)
{
	atomic_store(&r->is_over, true);
	if (!WAIT_FOR(atomic_load(&r->live) == 0, STOP_MS + 1000) || atomic_load(&r->failed) > 0)
		bench_die("calls over a stock socket failed: figures of failures mean nothing", NULL);
	for (unsigned i = 0; i < r->stock->contexts; i++) {
		nng_aio_free(r->seats[i].aio);
		nng_ctx_close(r->seats[i].ctx);
	}
}

double stock_rate(const struct bench *b, const struct stock *s)
{
	struct running *r = calloc(1, sizeof(*r));
	nng_socket socket;
	double rate;

	if (r == NULL || nng_req0_open(&socket) != 0 || nng_dial(socket, s->url, NULL, 0) != 0)
		bench_die("a stock socket cannot connect", NULL);
	r->stock = s;
	start(r, socket);
	rate = rate_of(b, &r->done, s->frames->calls, s->cost);
	stop(r);
	nng_close(socket);
	free(r);
	return rate;
}

#define CALLS	 32
#define CONTEXTS 16
#define FRAMES	 64
struct batches {
	struct frames frames;
	struct baseline baseline;
	struct cost cost;
};

static double batched(struct bench *b, void *arg)
{
	struct batches *batches = arg;
	const struct stock stock = {.url = b->stage.service.url,
				    .contexts = CONTEXTS,
				    .frames = &batches->frames,
				    .check = frames_are_valid,
				    .cost = &batches->cost};

	return stock_rate(b, &stock) * CALLS;
}

static double pipelined(struct bench *b, void *arg)
{
	return baseline_run(b, &((struct batches *)arg)->baseline);
}

void bench_get_stock(struct bench *b)
{
	struct batches batches = {.baseline = {.port = b->stage.redis.port,
					       .clients = "64",
					       .pipeline = "16",
					       .keyspace = BASELINE_KEYS_TEXT,
					       .command = {"GETEX", BASELINE_KEY, "PX", BASELINE_EXPIRY_MS}}};
	struct crowd crowd;

	(void)crowd_make(b->stage.client, "stock", NULL, BASELINE_KEYS, 1, &crowd);
	baseline_fill(&b->stage.redis, crowd_record_bytes(&crowd, &b->stage.redis));
	frames_make(&batches.frames, &crowd, FRAMES, CALLS);
	bench_in_turn(b, "get-stock", batched, pipelined, &batches);
	cost_print(&batches.cost, b, "get-stock");
	frames_drop(&batches.frames);
	crowd_free(&crowd);
}
