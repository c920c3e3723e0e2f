#ifndef LK_REDIS_SUBSCRIPTION_H
#define LK_REDIS_SUBSCRIPTION_H

#include "redis/greeting.h"
#include "redis/redis.h"

/* A connection that listens to channels, opened again for as long as it lives; pinged when nothing comes. */
typedef struct subscription subscription;

#define SUBSCRIPTION_CHANNELS_MAX 4

struct subscription_options {
	const char *url; /* for wire_dial; copied, as all text here */
	wire_tls *tls;	 /* borrowed until subscription_free */
	struct greeting_settings greeting;
	const char *channels[SUBSCRIPTION_CHANNELS_MAX]; /* SUBSCRIBE; unused: NULL */
	uint32_t connect_timeout_ms;			 /* and for every answer awaited */
	/* From any thread, no lock held; never two at once, never after subscription_free. `began`: every channel is heard
	 * from now on (also after each reconnection: what was said in between was missed). `ended`: deaf until the next
	 * `began`; it comes again with each attempt to connect or to subscribe that fails: whoever tells others that
	 * something may have been missed must go on doing so, for something goes on being missed. `why` may hold the
	 * server's own words; remedy may be NULL. */
	void (*message)(void *owner, span channel, span payload);
	void (*began)(void *owner);
	void (*ended)(void *owner, const char *why, const char *remedy);
	void *owner;
};

/* NULL when memory is out. Dials at the first tick. */
subscription *subscription_new(const struct subscription_options *options) MUST_CHECK;
/* Every few ms, never by two threads at once. */
void subscription_tick(subscription *s, uint64_t now_ms);
bool subscription_is_live(subscription *s);
/* Asks the link to end for good; subscription_free waits for that. */
void subscription_end(subscription *s);
/* After subscription_end: that is done, so that subscription_free does not wait. */
bool subscription_has_ended(subscription *s);
/* Nulls *s; accepts NULL in it. Not from within an event; no tick may be running or follow. */
void subscription_free(subscription **s);

#endif
