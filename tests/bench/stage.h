#ifndef LK_BENCH_STAGE_H
#define LK_BENCH_STAGE_H

#include <latchkey/latchkey.h>

#include "support/certificates.h"
#include "support/latchkeyd.h"
#include "support/redis_server.h"

/* A Redis, a service in front of it and a client of that, all on loopback TCP, as every baseline is too. */
struct stage {
	struct tmpdir dir; /* certificates and the service's configuration, where there are any */
	struct certificates certificates;
	struct redis_server redis;
	struct latchkeyd service;
	lk_client *client;
	bool has_tls;
};

/* Of the default realm, besides its default class: a cap of 10,000. */
#define CLASS_MANY "many"
/* Realms whose sessions slide their idle timeout at most so often. The others' Gets are another command. */
#define REALM_POLLED_5	"polled-5"
#define REALM_POLLED_60 "polled-60"

/* has_tls: between service and Redis, and mutually between client and service. */
void stage_open(struct stage *s, bool has_tls);
void stage_close(struct stage *s);

/* A further client of the service: a connection of its own. */
lk_client *stage_client(const struct stage *s);

_Noreturn void bench_die(const char *what, const struct lk_error *error);
uint64_t bench_now_us(void);

#define ATTRIBUTE_BYTES 256
/* An attribute whose value has ATTRIBUTE_BYTES and does not compress, as an identity provider's tokens do not. */
struct lk_attribute bench_attribute(void);

#endif
