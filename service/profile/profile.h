#ifndef LK_PROFILE_PROFILE_H
#define LK_PROFILE_PROFILE_H

/* The domain of profiles: what is kept about a user, field by field, and the changes of it that other programs follow.
 * Plans and answers as plan/plan.h describes them. */

#include "plan/plan.h"

#define PROFILE_FIELDS_MAX 256
/* Names and values of all fields, a counter's number as 8 bytes: half a frame of 64 KiB, so that any profile can be put by
 * one call. */
#define PROFILE_BYTES_MAX     32768
#define FIELD_NAME_BYTES_MAX  64
#define FIELD_VALUE_BYTES_MAX 16384
#define PROFILE_AT_ONCE_MAX   64 /* fields that one Update or Get names */
#define PROFILE_NUMBER_BYTES  8
#define CHANGES_MAX	      256
#define CHANGES_DEFAULT	      64
#define CHANGE_NAME_BYTES_MAX 64 /* of groups and consumers */
#define CHANGE_REDELIVER_MS   60000
#define CHANGE_DELIVERIES     5
#define CHANGE_DELIVERIES_MAX 100
#define CHANGE_ID_BYTES_MAX   44 /* a mark, two numbers of 20 digits and what is between them; with room */

struct profile_field {
	span name;
	bool is_counter;
	span value;	/* of no counter */
	int64_t number; /* of a counter */
};

struct profile_increment {
	span name;
	int64_t by;
};

/* As on the wire. */
enum profile_kind { PROFILE_PUT = 1, PROFILE_UPDATE = 2, PROFILE_DELETE = 3 };

struct profile_change_request {
	enum profile_kind kind;
	span user;
	size_t set_count; /* PUT: all fields */
	const struct profile_field *set;
	size_t remove_count;
	const span *remove;
	size_t increment_count;
	const struct profile_increment *increments;
	bool has_expected_version;
	uint64_t expected_version; /* 0: there must be none */
	span tier;		   /* empty: PUT: the realm's first; UPDATE: the one that it has */
};

struct profile_change_result {
	bool existed;
	uint64_t version;
	const struct profile_field *counters; /* as many as increments, in their order */
};

/* INVALID_ARGUMENT, FAILED_PRECONDITION (no tiers). */
enum status_code profile_change_plan(const struct plan_env *env, const struct profile_change_request *req,
				     struct plan *ret_plan, struct status *st) MUST_CHECK;
/* ABORTED, with the version that is there; FAILED_PRECONDITION, OUT_OF_RANGE, RESOURCE_EXHAUSTED, ALREADY_EXISTS (the
 * idempotency key). PLAN_AGAIN in realms that keep changes: they are entered in the realm's stream. */
enum status_code profile_change_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				       enum plan_next *ret_next, struct profile_change_result *ret,
				       struct status *st) MUST_CHECK;

struct profile_get_request {
	span user;
	size_t field_count; /* 0: all */
	const span *fields;
	uint32_t staleness_ms;
};

struct profile_get_result {
	bool is_found;
	uint64_t version;
	uint64_t expires_at_ms;
	size_t field_count;
	const struct profile_field *fields; /* in order of name */
};

enum status_code profile_get_plan(const struct plan_env *env, const struct profile_get_request *req,
				  struct plan *ret_plan, struct status *st) MUST_CHECK;
/* UNAVAILABLE also: the key of a field is not here; DATA_LOSS: a field does not open. PLAN_AGAIN where there is none, and
 * a failover was a moment ago. */
enum status_code profile_get_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				    enum plan_next *ret_next, struct profile_get_result *ret,
				    struct status *st) MUST_CHECK;

/* ---- The realm's changes ---- */

struct profile_change {
	span id;
	enum profile_kind kind;
	span user;
	uint64_t version;
	uint64_t created_at_ms; /* of the profile */
	uint64_t at_ms;
	uint32_t deliveries;
	size_t set_count; /* counters with what they are after the change */
	const struct profile_field *set;
	size_t removed_count;
	const span *removed;
};

struct profile_changes_request {
	span group;
	span consumer;
	uint32_t max;
	uint32_t redeliver_ms;
	uint32_t deliveries_max;
};

struct profile_changes_result {
	size_t count;
	const struct profile_change *changes; /* the oldest first */
	uint32_t died;
	uint64_t behind;
	uint32_t
	    unreadable; /* their key is not here, or they are damaged: left out, and handed out again; of a dead one there is
			      * the id */
};

/* FAILED_PRECONDITION: the realm keeps none. RESOURCE_EXHAUSTED: too many groups, or consumers. */
enum status_code profile_changes_plan(const struct plan_env *env, const struct profile_changes_request *req,
				      struct plan *ret_plan, struct status *st) MUST_CHECK;
enum status_code profile_changes_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
					struct profile_changes_result *ret, struct status *st) MUST_CHECK;

struct profile_ack_request {
	span group;
	size_t id_count;
	const span *ids;
};

enum status_code profile_ack_plan(const struct plan_env *env, const struct profile_ack_request *req,
				  struct plan *ret_plan, struct status *st) MUST_CHECK;
enum status_code profile_ack_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				    uint32_t *ret_acknowledged, struct status *st) MUST_CHECK;

struct profile_dead_request {
	span group;
	uint32_t max;
	span after; /* empty: from the first on */
};

enum status_code profile_dead_plan(const struct plan_env *env, const struct profile_dead_request *req,
				   struct plan *ret_plan, struct status *st) MUST_CHECK;
/* died and behind are 0. */
enum status_code profile_dead_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				     struct profile_changes_result *ret, struct status *st) MUST_CHECK;

#endif
