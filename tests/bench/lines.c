/* What the service must reach, as a table. The bounds are those that its design set itself before it was built. */

#include <string.h>

#include "bench/sections.h"

#define CALLS "calls/s"

/* clang-format off */
struct line lines[] = {
    {"get-64", CALLS, "64 callers in one client process", "redis-benchmark -c 64, GETEX",
     RATIO_OVER, 2.5, 4, 0, bench_get_64, false},
    {"get-512", CALLS, "512 callers in one client process", "redis-benchmark -c 64 -P 16, GETEX",
     RATIO_OVER, 0.4, 0.7, 0, bench_get_512, false},
    {"get-connections", CALLS, "64 connections of a bare load generator, one call each in flight",
     "redis-benchmark -c 64 through twemproxy, GET", RATIO_OVER, 1.0, 1.3, 0, bench_get_connections, false},
    {"get-connections-library", CALLS, "64 clients of liblatchkey in one process, one call each in flight",
     "redis-benchmark -c 64 through twemproxy, GET", GOAL_NONE, 0, 0, 0, bench_get_connections, false},
    {"get-stock", CALLS, "an nng REQ socket, 32 calls a frame, 16 frames in flight",
     "redis-benchmark -c 64 -P 16, GETEX", RATIO_OVER, 0.35, 0.5, 300000, bench_get_stock, false},
    {"get-alone-p50", "us", "one caller that asks again in its callback", "one connection through twemproxy, GET",
     RATIO_UNDER, 1.5, 1.2, 0, bench_get_alone, false},
    {"get-blocking-p50", "us", "one caller that blocks", "one connection through twemproxy, GET",
     GOAL_NONE, 0, 0, 0, bench_get_alone, false},
    {"get-bare-p50", "us", "one connection of a bare load generator", "one connection through twemproxy, GET",
     GOAL_NONE, 0, 0, 0, bench_get_alone, false},
    {"get-tls", CALLS, "64 callers, over mutual TLS, and TLS to Redis", "64 callers without TLS",
     RATIO_OVER, 0.4, 0.5, 0, bench_get_tls, false},
    {"get-many", CALLS, "sessions of GetMany by 32, 16 at once", "redis-benchmark -c 16 -P 32, GETEX",
     RATIO_OVER, 0.6, 0.8, 0, bench_get_many, false},
    {"get-grpc", CALLS, "64 callers in one client process", "gRPC C++ doing the same, 64 calls in flight",
     RATIO_OVER, 5, 10, 0, bench_get_grpc, false},
    {"get-express", CALLS, "64 callers in one client process",
     "Express, express-session, connect-redis, ioredis, 64 connections", RATIO_OVER, 20, 40, 0, bench_get_express, false},
    {"create", CALLS, "64 callers", "the bare script, 64 connections", RATIO_OVER, 0.8, 1.0, 0, bench_changes, false},
    {"update", CALLS, "64 callers", "the bare script, 64 connections", RATIO_OVER, 0.8, 1.0, 0, bench_changes, false},
    {"revoke", CALLS, "64 callers", "the bare script, 64 connections", RATIO_OVER, 0.8, 1.0, 0, bench_changes, false},
    {"pump", CALLS, "a script of five commands by the load generator that sends those, 64 connections",
     "the same script by redis-benchmark -c 64", GOAL_NONE, 0, 0, 0, bench_changes, false},
    {"revoke-user-1", "ms", "of a user with 1 session, beside other users' Gets", NULL,
     GOAL_NONE, 0, 0, 0, bench_revoke_user, false},
    {"revoke-user-100", "ms", "with 100", NULL, GOAL_NONE, 0, 0, 0, bench_revoke_user, false},
    {"revoke-user-1000", "ms", "with 1,000", NULL, GOAL_NONE, 0, 0, 0, bench_revoke_user, false},
    {"revoke-user-10000", "ms", "with 10,000", NULL, VALUE_UNDER, 20, 10, 0, bench_revoke_user, false},
    {"revoke-user-1-p99", "us", "p99 of the other users' Gets meanwhile", "their p99 before",
     GOAL_NONE, 0, 0, 0, bench_revoke_user, false},
    {"revoke-user-100-p99", "us", "with 100", "their p99 before", GOAL_NONE, 0, 0, 0, bench_revoke_user, false},
    {"revoke-user-1000-p99", "us", "with 1,000", "their p99 before", RATIO_UNDER, 1.2, 0, 0, bench_revoke_user, false},
    {"revoke-user-10000-p99", "us", "with 10,000", "their p99 before", RATIO_UNDER, 1.2, 0, 0, bench_revoke_user, false},
    {"memory-session", "bytes", "of Redis, for a session with 256 B of text in 7 attributes, index included, one a user", NULL,
     VALUE_UNDER, 480, 400, 0, bench_memory, false},
    {"memory-session-10", "bytes", "the same, ten a user", NULL, GOAL_NONE, 0, 0, 0, bench_memory, false},
    {"memory-noise", "bytes", "the same with 256 B that do not compress", NULL, GOAL_NONE, 0, 0, 0, bench_memory, false},
    {"memory-noise-10", "bytes", "those, ten a user", NULL, GOAL_NONE, 0, 0, 0, bench_memory, false},
    {"memory-idle", "MiB", "resident, of a service that has just started", NULL,
     VALUE_UNDER, 20, 12, 0, bench_footprint, false},
    {"memory-idle-pss", "MiB", "the same, what is shared with other processes divided", NULL,
     GOAL_NONE, 0, 0, 0, bench_footprint, false},
    {"memory-connection", "KiB", "more, for each client connection that says nothing", NULL,
     VALUE_UNDER, 16, 8, 0, bench_footprint, false},
    {"stored-1m", CALLS, "64 callers, 1,000,000 sessions stored", "100,000 stored",
     RATIO_OVER, 0.9, 0, 0, bench_stored, false},
    {"stored-5m", CALLS, "64 callers, 5,000,000 sessions stored", "100,000 stored",
     RATIO_OVER, 0.9, 0, 0, bench_stored, false},
    {"touch-5s", "%", "writes saved by a touch interval of 5 s, polling once a second", NULL,
     GOAL_NONE, 0, 0, 0, bench_touch, false},
    {"touch-60s", "%", "by one of 60 s", NULL, VALUE_OVER, 98, 0, 0, bench_touch, false},
    {"echo", CALLS, "64 messages of 200 B in flight, echoed over our SP end", "over nng's REQ and REP sockets",
     GOAL_NONE, 0, 0, 0, bench_echo, false},
};
/* clang-format on */

const size_t line_count = sizeof(lines) / sizeof(lines[0]);

_Static_assert(sizeof(lines) / sizeof(lines[0]) <= REPORT_LINES_MAX, "a result for each line");

struct line *line_find(const char *name)
{
	for (size_t i = 0; i < line_count; i++)
		if (strcmp(lines[i].name, name) == 0)
			return &lines[i];
	return NULL;
}
