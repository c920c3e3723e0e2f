#ifndef LK_BENCH_PEER_H
#define LK_BENCH_PEER_H

#include <stddef.h>
#include <stdint.h>

#include "support/process.h"
#include "support/tmpdir.h"

/* A server that the service is compared with: a process of its own on a loopback port. */
struct peer {
	struct tmpdir dir;
	struct process process;
	uint16_t port;
};

/* Each starts one and waits until it accepts connections. Returns NULL, or why there is none: a program that is not
 * installed or was not built. */
const char *peer_open_twemproxy(struct peer *p, uint16_t redis_port);
const char *peer_open_grpc(struct peer *p, uint16_t redis_port);
const char *peer_open_express(struct peer *p, uint16_t redis_port);
/* protocol: "wire" or "nng". */
const char *peer_open_echo(struct peer *p, const char *protocol);

/* BUILD/bin/NAME. */
void peer_path(const char *name, char *out, size_t out_size);

/* Kills it and removes its folder. */
void peer_close(struct peer *p);

#endif
