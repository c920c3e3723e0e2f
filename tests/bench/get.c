/* Get of one session beside each baseline. */

#include <math.h>
#include <stdlib.h>

#include "bench/baseline.h"
#include "bench/frames.h"
#include "bench/load.h"
#include "bench/peer.h"
#include "bench/pump.h"
#include "bench/rate.h"
#include "bench/sections.h"
#include "support/wait.h"

#define CONNECTIONS 64
/* Made beforehand; requests go through them in turn. */
#define FRAMES 64

struct get {
	struct crowd crowd;
	unsigned in_flight;
	struct cost cost; /* of ours */
	struct baseline baseline;
	struct peer peer;
	struct frames frames;
	struct stage tls;
	struct crowd tls_crowd;
	lk_client *clients[CONNECTIONS];
};

static void open_get(struct bench *b, struct get *g, unsigned in_flight)
{
	*g = (struct get){.in_flight = in_flight};
	(void)crowd_make(b->stage.client, "get", NULL, BASELINE_KEYS, 1, &g->crowd);
	baseline_fill(&b->stage.redis, crowd_record_bytes(&g->crowd, &b->stage.redis));
}

static void close_get(struct get *g)
{
	crowd_free(&g->crowd);
}

static double ours(struct bench *b, void *arg)
{
	struct get *g = arg;

	return load_rate_and_cost(b, &g->crowd, g->in_flight, &g->cost);
}

static double baseline(struct bench *b, void *arg)
{
	return baseline_run(b, &((struct get *)arg)->baseline);
}

static struct baseline sliding(const struct bench *b, const char *clients, const char *pipeline)
{
	return (struct baseline){.port = b->stage.redis.port,
				 .clients = clients,
				 .pipeline = pipeline,
				 .keyspace = BASELINE_KEYS_TEXT,
				 .command = {"GETEX", BASELINE_KEY, "PX", BASELINE_EXPIRY_MS}};
}

static void beside_redis(struct bench *b, const char *line, unsigned in_flight, const char *clients,
			 const char *pipeline)
{
	struct get g;

	open_get(b, &g, in_flight);
	g.baseline = sliding(b, clients, pipeline);
	bench_in_turn(b, line, ours, baseline, &g);
	cost_print(&g.cost, b, line);
	close_get(&g);
}

void bench_get_64(struct bench *b)
{
	beside_redis(b, "get-64", 64, "64", "1");
}

void bench_get_512(struct bench *b)
{
	beside_redis(b, "get-512", 512, "64", "16");
}

/* Of what was measured, which is freed. */
static double take_median(struct latencies *l)
{
	const double p50 = latencies_at(l, 0.5);

	free(l);
	return p50;
}

static double alone_p50(struct bench *b, void *arg)
{
	struct get *g = arg;
	struct latencies *latencies = latencies_new();
	struct load *load = load_new();

	load->calm = latencies;
	atomic_store(&load->moment, LOAD_CALM);
	load_start(load, &b->stage.client, 1, &g->crowd, 1);
	(void)rate_of(b, &load->done, 1, &g->cost);
	load_stop(load);
	free(load);
	return take_median(latencies);
}

/* By the call that blocks: the caller's thread is woken besides. */
static double blocking_p50(struct bench *b, void *arg)
{
	struct lk_session_get_request request = LK_SESSION_GET_REQUEST_INIT;
	struct get *g = arg;
	struct latencies *latencies = latencies_new();
	const uint64_t until_us = bench_now_us() + (uint64_t)(b->settings.seconds * 1e6);

	for (unsigned i = 0; bench_now_us() < until_us; i++) {
		const uint64_t start_us = bench_now_us();
		enum lk_verdict verdict;

		request.token = lk_text(g->crowd.tokens[i % g->crowd.count]);
		if (lk_session_get(b->stage.client, &request, &verdict, NULL, NULL) != LK_OK || verdict != LK_VALID)
			bench_die("a session is not valid", NULL);
		latencies_note(latencies, bench_now_us() - start_us);
	}
	return take_median(latencies);
}

static size_t put_frame(void *arg, uint64_t serial, uint8_t *out)
{
	const struct frames *frames = arg;
	const struct frame *frame = &frames->of[serial % frames->count];

	return framing_put_sp(out, (uint32_t)serial & 0x7fffffff, frame->bytes, frame->len);
}

/* What is not VALID has no attributes, and so is no answer. */
static struct pump to_service(const struct bench *b, struct get *g)
{
	return (struct pump){.port = frames_port(b->stage.service.url),
			     .framing = &framing_sp,
			     .ask = put_frame,
			     .arg = &g->frames,
			     .answer_bytes_min = ATTRIBUTE_BYTES};
}

static size_t put_redis_get(void *arg, uint64_t serial, uint8_t *out)
{
	(void)arg;
	return (size_t)snprintf((char *)out, PUMP_REQUEST_BYTES_MAX,
				"*2\r\n$3\r\nGET\r\n$18\r\n" BASELINE_KEY_OF_N "\r\n",
				(unsigned)(serial % BASELINE_KEYS));
}

static double p50_of(struct bench *b, struct pump pump)
{
	pump.connections = 1;
	pump.latencies = latencies_new();
	(void)pump_run(b, &pump);
	return take_median(pump.latencies);
}

static double bare_p50(struct bench *b, void *arg)
{
	return p50_of(b, to_service(b, arg));
}

static double proxied_p50(struct bench *b, void *arg)
{
	const struct get *g = arg;

	return p50_of(b, (struct pump){.port = g->peer.port,
				       .framing = &framing_resp,
				       .ask = put_redis_get,
				       .answer_bytes_min = ATTRIBUTE_BYTES});
}

static void alone_beside_proxy(struct bench *b, struct get *g)
{
	frames_make(&g->frames, &g->crowd, FRAMES, 1);
	bench_in_turn(b, "get-alone-p50", alone_p50, proxied_p50, g);
	cost_print(&g->cost, b, "get-alone-p50");
	bench_in_turn(b, "get-blocking-p50", blocking_p50, proxied_p50, g);
	bench_in_turn(b, "get-bare-p50", bare_p50, proxied_p50, g);
	frames_drop(&g->frames);
}

void bench_get_alone(struct bench *b)
{
	const char *missing;
	struct get g;

	open_get(b, &g, 1);
	missing = peer_open_twemproxy(&g.peer, b->stage.redis.port);
	if (missing != NULL) {
		report_skipped(&b->report, "get-alone-p50", "%s", missing);
		report_skipped(&b->report, "get-blocking-p50", "%s", missing);
		report_skipped(&b->report, "get-bare-p50", "%s", missing);
	} else {
		alone_beside_proxy(b, &g);
		peer_close(&g.peer);
	}
	close_get(&g);
}

static double many_clients(struct bench *b, void *arg)
{
	struct get *g = arg;

	return load_rate(b, g->clients, CONNECTIONS, &g->crowd, CONNECTIONS);
}

static double pumped(struct bench *b, void *arg)
{
	struct get *g = arg;
	struct pump pump = to_service(b, g);

	pump.connections = CONNECTIONS;
	pump.cost = &g->cost;
	return pump_run(b, &pump);
}

static void connections_beside_proxy(struct bench *b, struct get *g)
{
	g->baseline = (struct baseline){.port = g->peer.port,
					.clients = "64",
					.pipeline = "1",
					.keyspace = BASELINE_KEYS_TEXT,
					.command = {"GET", BASELINE_KEY}};
	for (unsigned i = 0; i < CONNECTIONS; i++)
		g->clients[i] = stage_client(&b->stage);
	bench_in_turn(b, "get-connections-library", many_clients, baseline, g);
	for (unsigned i = 0; i < CONNECTIONS; i++)
		lk_client_close(&g->clients[i]);
	frames_make(&g->frames, &g->crowd, FRAMES, 1);
	bench_in_turn(b, "get-connections", pumped, baseline, g);
	cost_print(&g->cost, b, "get-connections");
	frames_drop(&g->frames);
}

void bench_get_connections(struct bench *b)
{
	const char *missing;
	struct get g;

	open_get(b, &g, CONNECTIONS);
	missing = peer_open_twemproxy(&g.peer, b->stage.redis.port);
	if (missing != NULL) {
		report_skipped(&b->report, "get-connections", "%s", missing);
		report_skipped(&b->report, "get-connections-library", "%s", missing);
	} else {
		connections_beside_proxy(b, &g);
		peer_close(&g.peer);
	}
	close_get(&g);
}

static double encrypted(struct bench *b, void *arg)
{
	struct get *g = arg;

	return load_rate(b, &g->tls.client, 1, &g->tls_crowd, g->in_flight);
}

void bench_get_tls(struct bench *b)
{
	struct get g;

	open_get(b, &g, 64);
	stage_open(&g.tls, true);
	(void)crowd_make(g.tls.client, "get", NULL, BASELINE_KEYS, 1, &g.tls_crowd);
	bench_in_turn(b, "get-tls", encrypted, ours, &g);
	crowd_free(&g.tls_crowd);
	stage_close(&g.tls);
	close_get(&g);
}

/* The peer measures itself and prints its calls a second. */
static double behind_grpc(struct bench *b, void *arg)
{
	const struct get *g = arg;
	struct run_result result;
	char path[512];
	char port[8];
	char seconds[16];
	double rate;

	peer_path("latchkey-peer-grpc", path, sizeof(path));
	(void)snprintf(port, sizeof(port), "%u", g->peer.port);
	(void)snprintf(seconds, sizeof(seconds), "%.3f", b->settings.seconds);
	run_capture((const char *const[]){path, "load", port, "64", seconds, NULL}, NULL, NULL, 120000, &result);
	rate = strtod(result.out, NULL);
	if (result.status != 0 || rate <= 0) {
		(void)fprintf(stderr, "latchkey-bench: the gRPC client says: %s\n", result.err);
		bench_die("the gRPC client failed", NULL);
	}
	run_result_free(&result);
	return rate;
}

void bench_get_grpc(struct bench *b)
{
	const char *missing;
	struct get g;

	open_get(b, &g, 64);
	missing = peer_open_grpc(&g.peer, b->stage.redis.port);
	if (missing != NULL) {
		report_skipped(&b->report, "get-grpc", "%s", missing);
	} else {
		bench_in_turn(b, "get-grpc", ours, behind_grpc, &g);
		peer_close(&g.peer);
	}
	close_get(&g);
}
