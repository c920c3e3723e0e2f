#ifndef LATCHKEY_PROFILE_H
#define LATCHKEY_PROFILE_H

/* Profiles: what a service keeps about a user between sessions, a field per attribute; and the changes of a realm's
 * profiles, to be written behind into another store. A part of liblatchkey; the rules of latchkey/latchkey.h hold.
 *
 *	struct lk_profile_field theme = {lk_text("theme"), lk_text("dark"), 0, false};
 *	struct lk_profile_increment visits = {lk_text("visits"), 1};
 *	struct lk_profile_update_request update = LK_PROFILE_UPDATE_REQUEST_INIT;
 *
 *	update.user = lk_text("ann");
 *	update.set = &theme;
 *	update.set_count = 1;
 *	update.increment = &visits;
 *	update.increment_count = 1;
 *	if (lk_profile_update(client, &update, NULL, NULL, &error) != LK_OK)
 *		...
 *
 * Versions. A profile counts its changes from 1. With expected_version a change is made only to that version, with
 * expect_none only where there is no profile; otherwise LK_E_CONFLICT, with the version that is stored in
 * error->version (0: there is none), and nothing was changed. */

#include <latchkey/latchkey.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Fields ---- */

/* A field has a value, or is a counter: a number that increments change. name: 1 to 64 bytes; value: 0 to 16,384 bytes.
 * A profile has at most 256 fields, together 32,768 bytes. */
struct lk_profile_field {
	struct lk_bytes name;
	struct lk_bytes value;
	int64_t number; /* of a counter */
	bool is_counter;
};

struct lk_profile_increment {
	struct lk_bytes name;
	int64_t by; /* 0 makes sure that the counter is there */
};

/* A profile, or part of one. */
typedef struct lk_profile lk_profile;

/* False: there is no profile of this user. */
LK_API bool lk_profile_found(const lk_profile *profile);
LK_API uint64_t lk_profile_version(const lk_profile *profile);
LK_API uint64_t lk_profile_expires_at_ms(const lk_profile *profile);
LK_API size_t lk_profile_field_count(const lk_profile *profile);
/* In the order of the answer; all zero beyond the last. Its bytes are borrowed. */
LK_API struct lk_profile_field lk_profile_field_at(const lk_profile *profile, size_t index);
/* False: there is no such field, and *ret_field, which may be NULL, is not written. */
LK_API bool lk_profile_field(const lk_profile *profile, const char *name, struct lk_profile_field *ret_field);
LK_API void lk_profile_free(lk_profile **profile);

/* ---- Put ---- */

struct lk_profile_put_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes idempotency_key;
	struct lk_bytes user; /* 1 to 256 bytes; required */
	const struct lk_profile_field *fields;
	size_t field_count; /* at most 256 */
	uint64_t expected_version;
	bool expect_none;
	const char *tier;	/* of the realm's tiers: how long it is kept. Default: the first */
	uint32_t wait_replicas; /* as for lk_session_create */
	uint32_t wait_ms;
};
#define LK_PROFILE_PUT_REQUEST_INIT LK_INIT_(struct lk_profile_put_request)

/* Replaces the whole profile. ret_version may be NULL. */
LK_API LK_MUST_CHECK enum lk_err lk_profile_put(lk_client *client, const struct lk_profile_put_request *request,
						uint64_t *ret_version, struct lk_error *error);
LK_API LK_MUST_CHECK enum lk_err lk_profile_put_async(lk_call *call, const struct lk_profile_put_request *request);

/* ---- Get ---- */

struct lk_profile_get_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes user;	       /* 1 to 256 bytes; required */
	const struct lk_bytes *fields; /* only these */
	size_t field_count;	       /* at most 64. 0: all */
	uint32_t staleness_ms;	       /* as for lk_session_get */
};
#define LK_PROFILE_GET_REQUEST_INIT LK_INIT_(struct lk_profile_get_request)

/* LK_OK: lk_profile_found tells whether there is one. Fields that were asked for and are not there are left out. */
LK_API LK_MUST_CHECK enum lk_err lk_profile_get(lk_client *client, const struct lk_profile_get_request *request,
						lk_profile **ret_profile, struct lk_error *error);
LK_API LK_MUST_CHECK enum lk_err lk_profile_get_async(lk_call *call, const struct lk_profile_get_request *request);

/* ---- Update ---- */

struct lk_profile_update_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes idempotency_key;
	struct lk_bytes user; /* 1 to 256 bytes; required. A profile that is not there is made */
	/* At most 64 of all three together, and a field in one of them only. */
	const struct lk_profile_field *set;
	size_t set_count;
	const struct lk_bytes *remove; /* a field that is not there is no error */
	size_t remove_count;
	const struct lk_profile_increment *increment; /* a field that is not there counts as 0 */
	size_t increment_count;
	uint64_t expected_version;
	bool expect_none;
	const char *tier;	/* Default: that which the profile has; of a new one the realm's first */
	uint32_t wait_replicas; /* as for lk_session_create */
	uint32_t wait_ms;
};
#define LK_PROFILE_UPDATE_REQUEST_INIT LK_INIT_(struct lk_profile_update_request)

/* Sets, removes and increments fields, all or nothing. Both outputs may be NULL. *ret_counters has the counters that
 * were incremented, as they are now, in the request's order.
 * LK_E_FAILED_PRECONDITION also: a field to increment is no counter. LK_E_INVALID_ARGUMENT also: a counter would leave
 * 64 bits. LK_E_LIMIT also: the profile would have too many fields or bytes. */
LK_API LK_MUST_CHECK enum lk_err lk_profile_update(lk_client *client, const struct lk_profile_update_request *request,
						   uint64_t *ret_version, lk_profile **ret_counters,
						   struct lk_error *error);
LK_API LK_MUST_CHECK enum lk_err lk_profile_update_async(lk_call *call,
							 const struct lk_profile_update_request *request);

/* ---- Delete ---- */

struct lk_profile_delete_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes idempotency_key;
	struct lk_bytes user; /* 1 to 256 bytes; required */
	uint64_t expected_version;
	uint32_t wait_replicas; /* as for lk_session_create */
	uint32_t wait_ms;
};
#define LK_PROFILE_DELETE_REQUEST_INIT LK_INIT_(struct lk_profile_delete_request)

/* ret_deleted, which may be NULL: whether there was one. */
LK_API LK_MUST_CHECK enum lk_err lk_profile_delete(lk_client *client, const struct lk_profile_delete_request *request,
						   bool *ret_deleted, struct lk_error *error);
LK_API LK_MUST_CHECK enum lk_err lk_profile_delete_async(lk_call *call,
							 const struct lk_profile_delete_request *request);

/* ---- Changes, for write-behind ---- */

/* name, number (as on the wire). */
#define LK_CHANGE_MAP(X)                                                                                               \
	X(LK_CHANGE_UNKNOWN, 0) /* of a later version */                                                               \
	X(LK_CHANGE_PUT, 1)	/* the set fields are the whole profile */                                             \
	X(LK_CHANGE_UPDATED, 2)                                                                                        \
	X(LK_CHANGE_DELETED, 3)

enum lk_change_kind {
#define X(name, number) name = number,
	LK_CHANGE_MAP(X)
#undef X
};

/* "UPDATED". Never NULL. */
LK_API const char *lk_change_kind_name(enum lk_change_kind kind);

/* Some changes, and one of them. */
typedef struct lk_changes lk_changes;
typedef struct lk_change lk_change;

LK_API size_t lk_changes_count(const lk_changes *changes);
/* Borrowed; NULL beyond the last. */
LK_API const lk_change *lk_changes_at(const lk_changes *changes, size_t index);
/* So many were put among the dead by the call. */
LK_API uint32_t lk_changes_died(const lk_changes *changes);
/* About so many wait for the group besides. */
LK_API uint64_t lk_changes_behind(const lk_changes *changes);
LK_API void lk_changes_free(lk_changes **changes);

/* For lk_profile_ack. */
LK_API struct lk_bytes lk_change_id(const lk_change *change);
LK_API enum lk_change_kind lk_change_kind_of(const lk_change *change);
LK_API struct lk_bytes lk_change_user(const lk_change *change);
LK_API uint64_t lk_change_version(const lk_change *change);
/* When the profile was created. One that is made anew after its end is another, and its versions may begin anew. */
LK_API uint64_t lk_change_created_at_ms(const lk_change *change);
LK_API uint64_t lk_change_at_ms(const lk_change *change);
/* So often handed out, this time included. */
LK_API uint32_t lk_change_deliveries(const lk_change *change);
/* Counters with what they are after the change. */
LK_API size_t lk_change_set_count(const lk_change *change);
LK_API struct lk_profile_field lk_change_set_at(const lk_change *change, size_t index);
LK_API size_t lk_change_removed_count(const lk_change *change);
LK_API struct lk_bytes lk_change_removed_at(const lk_change *change, size_t index);

struct lk_profile_changes_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	const char *group;	 /* 1 to 64 bytes; required. A new one begins with the oldest change that is kept */
	const char *consumer;	 /* 1 to 64 bytes; required: who of the group asks */
	uint32_t changes_max;	 /* 1 to 256. Default 64 */
	uint32_t redeliver_ms;	 /* what was handed out so long ago, and not acknowledged, is again. Default 60,000 */
	uint32_t deliveries_max; /* after so many a change is put among the dead, 1 to 100. Default 5 */
};
#define LK_PROFILE_CHANGES_REQUEST_INIT LK_INIT_(struct lk_profile_changes_request)

/* Hands out changes that the group has not acknowledged, the oldest first; each at least once. LK_OK with none: there is
 * nothing to do now. They may come twice, and after a failure out of their order. So compare before you write, and field
 * by field, for LK_CHANGE_UPDATED has only those that changed: newer is a change of a profile that was created later, or
 * of the same one with a higher version. LK_E_FAILED_PRECONDITION: the realm keeps no changes (realms.profiles.changes). */
LK_API LK_MUST_CHECK enum lk_err lk_profile_changes(lk_client *client, const struct lk_profile_changes_request *request,
						    lk_changes **ret_changes, struct lk_error *error);
LK_API LK_MUST_CHECK enum lk_err lk_profile_changes_async(lk_call *call,
							  const struct lk_profile_changes_request *request);

struct lk_profile_ack_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes idempotency_key;
	const char *group;	    /* required */
	const struct lk_bytes *ids; /* lk_change_id */
	size_t id_count;	    /* at most 256 */
};
#define LK_PROFILE_ACK_REQUEST_INIT LK_INIT_(struct lk_profile_ack_request)

/* These are done: written, or given up. ret_acknowledged, which may be NULL: how many of them were not before. */
LK_API LK_MUST_CHECK enum lk_err lk_profile_ack(lk_client *client, const struct lk_profile_ack_request *request,
						uint32_t *ret_acknowledged, struct lk_error *error);
LK_API LK_MUST_CHECK enum lk_err lk_profile_ack_async(lk_call *call, const struct lk_profile_ack_request *request);

struct lk_profile_dead_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	const char *group;     /* required */
	uint32_t changes_max;  /* 1 to 256. Default 64 */
	struct lk_bytes after; /* lk_change_id of the last one seen; empty: from the oldest */
};
#define LK_PROFILE_DEAD_REQUEST_INIT LK_INIT_(struct lk_profile_dead_request)

/* The changes that no delivery of the group got acknowledged, the oldest first. They stay until lk_profile_ack. Of one that
 * the server cannot open there is the id, for lk_profile_ack and `after`, and its kind is LK_CHANGE_UNKNOWN. */
LK_API LK_MUST_CHECK enum lk_err lk_profile_dead(lk_client *client, const struct lk_profile_dead_request *request,
						 lk_changes **ret_changes, struct lk_error *error);
LK_API LK_MUST_CHECK enum lk_err lk_profile_dead_async(lk_call *call, const struct lk_profile_dead_request *request);

/* ---- Results of calls in the background ---- */

/* put, update: lk_call_version. */
LK_API bool lk_call_deleted(const lk_call *call);	   /* delete */
LK_API uint32_t lk_call_acknowledged(const lk_call *call); /* ack */
/* As lk_call_take_session. */
LK_API lk_profile *lk_call_take_profile(lk_call *call); /* get; update: the counters */
LK_API lk_changes *lk_call_take_changes(lk_call *call); /* changes, dead */

#ifdef __cplusplus
}
#endif

#endif
