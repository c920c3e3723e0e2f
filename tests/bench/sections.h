#ifndef LK_BENCH_SECTIONS_H
#define LK_BENCH_SECTIONS_H

#include "bench/bench.h"

/* What measures the lines; each reports its own. */

void bench_get_64(struct bench *b);
void bench_get_512(struct bench *b);
void bench_get_alone(struct bench *b);
void bench_get_connections(struct bench *b);
void bench_get_tls(struct bench *b);
void bench_get_many(struct bench *b);
void bench_get_stock(struct bench *b);
void bench_get_grpc(struct bench *b);
void bench_get_express(struct bench *b);
void bench_changes(struct bench *b);
void bench_revoke_user(struct bench *b);
void bench_memory(struct bench *b);
void bench_footprint(struct bench *b);
void bench_stored(struct bench *b);
void bench_touch(struct bench *b);
void bench_echo(struct bench *b);

#endif
