#ifndef LK_AUTH_LEASE_H
#define LK_AUTH_LEASE_H

/* A lease as its holder has it: what was so when loading began, and a tag by which the service knows it for one of its
 * own, given for this very answer. Nothing in it is secret. */

#include "auth/groups.h"

#define LEASE_ID_BYTES 8

struct lease {
	uint8_t id[LEASE_ID_BYTES];
	uint8_t epoch[EPOCH_BYTES]; /* of the subject */
	struct groups groups;
};

/* What it is for. */
struct lease_place {
	span subject;
	span key;
};

/* SPAN_EMPTY when the arena is full. */
span lease_write(const struct plan_env *env, const struct lease_place *place, const struct lease *lease);
/* INVALID_ARGUMENT: it is none, or of something else. */
enum status_code lease_read(const struct plan_env *env, const struct lease_place *place, span text, struct lease *ret,
			    struct status *st) MUST_CHECK;

#endif
