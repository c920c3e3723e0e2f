#ifndef LK_AUTH_STATE_H
#define LK_AUTH_STATE_H

/* What the plans of one call share. */

#include "auth/lease.h"
#include "auth/value.h"
#include "plan/command.h"
#include "plan/reply.h"
#include "plan/subject.h"

/* What auth_lookup answered. */
struct found {
	bool is_there;
	span word;
	span value;
	span epoch; /* that a lease was given in; empty: none was */
	uint64_t left_ms;
	bool is_early;
};

struct auth_state {
	struct lease_place place;
	span key;   /* of the answer, or of what is forgotten */
	span epoch; /* its key; empty: what is forgotten is not an answer */
	struct groups groups;
	bool is_unsettled; /* one of the primaries that replied */
	union {
		struct {
			uint8_t lease[LEASE_ID_BYTES];
			uint8_t begun[EPOCH_BYTES]; /* for who has no epoch */
			uint32_t lease_ms;
			bool no_lease;
			bool is_realm_unknown;
			uint64_t wait_until_ms; /* monotonic */
			uint32_t pause_ms;
			bool has_waited;
			bool is_unreadable;
			uint64_t early;
			struct found found;
		} lookup;
		struct {
			struct lease lease;
			bool is_done;
			bool is_stored;
			uint64_t expires_at_ms;
		} fill;
	};
};

/* INVALID_ARGUMENT. */
enum status_code auth_check_place(const struct lease_place *place, struct status *st) MUST_CHECK;
enum status_code auth_check_subject(span subject, struct status *st) MUST_CHECK;
/* With the keys of this subject and key. NULL: the arena is full. */
struct auth_state *auth_state_new(const struct plan_env *env, const struct lease_place *place);
/* The key of the subject's epoch. False: the arena is full. */
bool auth_epoch_key(const struct plan_env *env, span subject, span *ret) MUST_CHECK;
/* Longer than any answer of the realm that was begun in it. */
uint64_t auth_epoch_ms(const struct realm *realm);
/* A plan that reads a group's epoch. */
enum status_code auth_plan_group(const struct plan_env *env, struct auth_state *s, const struct group *group,
				 struct plan *plan, struct status *st) MUST_CHECK;

#endif
