#ifndef LK_REDIS_SENTINEL_MEMBER_H
#define LK_REDIS_SENTINEL_MEMBER_H

#include <pthread.h>

#include "redis/dialog.h"
#include "redis/sentinel_answer.h"
#include "redis/subscription.h"

/* What redis/sentinel.c and redis/sentinel_member.c share, and nobody else sees. */

/* Of a poll at most. */
#define QUESTIONS_MAX 4

enum question { ASK_PRIMARY, ASK_ID, ASK_PEERS, ASK_REPLICAS };

struct member {
	sentinel *owner;
	struct address address;
	char text[ADDRESS_TEXT_BYTES];
	bool is_seed;
	dialog *asked;
	subscription *heard;

	/* Under the owner's lock. */
	bool is_leaving;
	bool is_connected;
	bool is_proven;	    /* has answered since it was connected */
	bool is_identified; /* since it was connected: `id` is its own, or it tells none */
	bool is_listening;
	bool has_failed;		 /* not connected, and not for want of an attempt */
	char error[GREETING_TEXT_BYTES]; /* why it is not connected, if it was tried */
	bool wants_lists;
	uint32_t polls;
	uint64_t next_ms; /* when to ask; */
	uint64_t soon_ms; /* the same, when it is urgent */
	uint64_t answered_ms;
	uint64_t adopted_ms;
	struct address primary; /* as it said last */
	char id[SENTINEL_ID_BYTES];
	enum question questions[QUESTIONS_MAX]; /* to be answered, in this order */
	size_t question_count;
};

struct sentinel {
	struct sentinel_options options; /* its text is this one's own */
	char name[SENTINEL_NAME_BYTES_MAX + 1];
	char *user;
	char *password;

	pthread_mutex_t lock;
	struct member *members[SENTINEL_MEMBERS_MAX];
	size_t count;
	struct member *latest; /* who answered last; is asked first */
	bool has_news;	       /* about who there is */
	struct sentinel_peer learned[SENTINEL_MEMBERS_MAX];
	size_t learned_count;
};

/* At this or at another of its addresses it is a member already. */
bool sentinel_knows_locked(const sentinel *s, const struct sentinel_peer *peer);

/* NULL when memory is out. */
struct member *member_new(sentinel *s, const struct address *address, bool is_seed) MUST_CHECK;

void member_tick(struct member *m, uint64_t now_ms, bool is_urgent);

/* Asks it to end; member_free waits for that, unless it has ended. */
void member_end(struct member *m);
bool member_has_ended(struct member *m);
/* Nulls *m; accepts NULL in it. */
void member_free(struct member **m);

/* With its name as the node. */
void member_tell(const struct member *m, struct redis_event event);

#endif
