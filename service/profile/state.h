#ifndef LK_PROFILE_STATE_H
#define LK_PROFILE_STATE_H

/* What the calls of this folder share, and what an answer remembers of its plan. */

#include "plan/command.h"
#include "plan/fingerprint.h"
#include "plan/reply.h"
#include "plan/subject.h"
#include "profile/profile.h"

/* What a call decides by may be missing on a primary that has just taken over. All instances bring back what they have
 * within 1.2 s (Sentinels are asked every 1 s); twice that, for busy ones. */
#define SETTLING_MS 2500U
/* So long something remembers of a call that has no idempotency key whether it was carried out: the store sends it again
 * within its deadline only, which is 30 s unless configured otherwise. What brings a change back after a failover may come
 * for half of that; by then the memory must still be there. */
#define RUN_MS	240000U
#define REDO_MS (RUN_MS / 2)
/* What was deleted or removed is remembered for so long: five times what could set it again comes late by. */
#define TOMBSTONE_MS 600000U
/* Changes of one profile that wait to be entered in the realm's stream: the command that enters them has one argument for
 * each. More gather only while the stream's server is away. */
#define OUTBOX_MAX 16
/* What is left in an outbox is a change that was never acknowledged, and its caller has given up by then. */
#define OUTBOX_MS 86400000U

enum profile_step { STEP_CHANGE, STEP_PUBLISH, STEP_SENT };

struct change_state {
	const struct profile_change_request *req;
	enum profile_step step;
	unsigned rounds;
	span memory; /* keys: of what is remembered of the call; */
	span outbox; /* empty: the realm keeps no changes */
	uint8_t fingerprint[FINGERPRINT_BYTES];
	span tiers;
	span items;
	span change;	/* sealed, for the stream */
	bool is_stored; /* and this is what was answered: */
	struct profile_change_result result;
	uint64_t lives_ms;  /* of the profile, or of what has taken its place */
	size_t entry_count; /* on their way to the stream */
	span entries[OUTBOX_MAX];
	uint64_t last_stamp; /* of the last of them */
};

struct get_state {
	const struct profile_get_request *req;
	const uint8_t *ids; /* of the fields asked for */
	bool is_last;	    /* what is missing now is not there */
};

struct ack_state {
	uint8_t fingerprint[FINGERPRINT_BYTES];
};

struct profile_state {
	char tag[USER_TAG_CHARS];
	span key;
	union {
		struct change_state change;
		struct get_state get;
		struct ack_state ack;
	};
};

/* With tag and key; NULL when the arena is full. */
struct profile_state *profile_state_of(const struct plan_env *env, span user);

/* "lk1:c:{RTAG}". False: the arena is full. */
bool key_of_stream(const struct plan_env *env, span *ret) MUST_CHECK;
/* A random one, for a call without an idempotency key. */
bool key_of_run(const struct plan_env *env, const char tag[static USER_TAG_CHARS], span *ret) MUST_CHECK;

enum status_code check_bytes(const char *what, size_t len, size_t min, size_t max, struct status *st) MUST_CHECK;

#endif
