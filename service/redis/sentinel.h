#ifndef LK_REDIS_SENTINEL_H
#define LK_REDIS_SENTINEL_H

#include "redis/address.h"
#include "redis/greeting.h"
#include "redis/redis.h"

/* What the Sentinels say: who is the primary, and which replicas it has. Asks each of them once a second, or more often
 * while somebody is in a hurry, listens to +switch-master at each, and learns of further Sentinels from those it knows.
 * It never decides: it reports what each Sentinel says, and the topology checks the ROLE of whom they name.
 * Source: redis.io, "Guidelines for Redis clients with support for Redis Sentinel". */
typedef struct sentinel sentinel;

/* Seeds and learned ones. 3 to 5 are usual. */
#define SENTINEL_MEMBERS_MAX	16
#define SENTINEL_REPLICAS_MAX	16
#define SENTINEL_NAME_BYTES_MAX 127

enum sentinel_opinion {
	SENTINEL_PRIMARY_IS,   /* `primary` is set */
	SENTINEL_UNKNOWN_NAME, /* it watches no primary of this name: configured wrongly, or just started */
	SENTINEL_SILENT,       /* it does not answer, or not in time */
};

struct sentinel_report {
	const struct address *from;
	enum sentinel_opinion opinion;
	struct address primary;
	bool is_event; /* heard as +switch-master, not asked */
};

struct sentinel_options {
	const char *name; /* of the primary in the Sentinels' configuration; copied, as all here */
	const struct address *seeds;
	size_t seed_count;
	bool is_tls;
	wire_tls *tls;			   /* borrowed until sentinel_free */
	struct greeting_settings greeting; /* user and password of the Sentinels; db is 0 */
	uint32_t connect_timeout_ms;
	uint32_t answer_timeout_ms; /* a Sentinel that takes longer is SILENT: 300 ms */
	struct redis_events events;
	/* From any thread, no lock held, never after sentinel_free. The replicas are those of the answering Sentinel's view,
	 * without the ones that it holds to be down. */
	void (*report)(void *owner, const struct sentinel_report *report);
	void (*replicas)(void *owner, const struct address *replicas, size_t count);
	void *owner;
};

sentinel *sentinel_new(const struct sentinel_options *options) MUST_CHECK;
/* Every few ms, never by two threads at once. is_urgent: ask ten times a second instead of once, with jitter. */
void sentinel_tick(sentinel *s, uint64_t now_ms, bool is_urgent);

struct sentinel_member {
	struct address address;
	bool is_connected;
	bool is_listening;
	bool is_seed;
	uint64_t answered_ms;		 /* monotonic; 0: never */
	char error[GREETING_TEXT_BYTES]; /* why it is not connected; empty: it is, or was not tried yet */
};
/* Fills at most max; returns how many there are. */
size_t sentinel_members(sentinel *s, struct sentinel_member *ret, size_t max);

/* As subscription_free. */
void sentinel_free(sentinel **s);

#endif
