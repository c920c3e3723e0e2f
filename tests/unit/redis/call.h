#ifndef LK_TESTS_REDIS_CALL_H
#define LK_TESTS_REDIS_CALL_H

#include <pthread.h>
#include <stdatomic.h>

#include "redis/redis.h"

/* A store operation that remembers its outcome. */
struct call {
	struct store_op op;
	atomic_uint done; /* how often: 1 is right */
	enum store_outcome outcome;
	uint32_t retry_after_ms;
	bool is_late;
	bool is_unsettled;
	uint32_t replicas;
	enum store_reply_type type;
	int64_t integer;
	char text[256]; /* STRING, STATUS and ERROR, cut */
	unsigned order; /* of being done, among all calls of the program */
};

/* Words are separated by one space; the second is the key. It is a read unless changed: see call_init_write. */
void call_init(struct call *c, const char *words);
/* The same for a write that may be repeated. */
void call_init_write(struct call *c, const char *words);
/* The script with no key but these words as arguments, of which the first `keys` are keys. */
void call_init_script(struct call *c, enum store_script script, uint8_t keys, const char *words);

/* Submits; `done` may come before this returns. */
void call_start(struct call *c, redis *r);
/* Fails the test when it does not come. */
void call_await(struct call *c);
/* Both. */
void call_run(struct call *c, redis *r);
/* All of it, and the outcome must be this. */
void call_expect(redis *r, const char *words, enum store_outcome outcome, const char *text);

/* Event names reported so far, each followed by a space, and all that they say, as "node=1.2.3.4:5 error=...". */
struct events {
	pthread_mutex_t lock;
	char names[4096];
	char texts[16384];
};

#define EVENTS_INIT                                                                                                    \
	{                                                                                                              \
		.lock = PTHREAD_MUTEX_INITIALIZER                                                                      \
	}

void events_report(void *owner, const struct redis_event *event);
/* Whether an event of that name came, or a text contains this. */
bool events_have(struct events *e, const char *part);
void events_clear(struct events *e);

/* Sensible options for tests: one connection, generous timeouts. */
struct redis_options options_for(const char *url, struct events *events);
/* The service's own timeouts, and patience with a failover on a busy machine. */
struct redis_options options_for_failover(const char *url, struct events *events);
/* Opens; failure fails the test. */
redis *open_redis(const struct redis_options *options);
redis *open_ready(const struct redis_options *options);

bool is_ready(redis *r);

#endif
