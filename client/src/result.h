#ifndef LK_CLIENT_RESULT_H
#define LK_CLIENT_RESULT_H

/* Results as the public header hands them out: each one block of memory with all that its getters point to. */

#include "latchkey/admin.h"
#include "latchkey/latchkey.h"
#include "latchkey/v1/server.pb-c.h"
#include "latchkey/v1/sessions.pb-c.h"
#include "latchkey/watch.h"

/* What a session is made of. What is not known is NULL or zero. */
struct session_parts {
	enum lk_verdict verdict;
	enum lk_reason reason;
	uint64_t revoked_at_ms;
	const ProtobufCBinaryData *token;
	const ProtobufCBinaryData *successor;
	const Latchkey__V1__SessionInfo *info;
	size_t attribute_count;
	Latchkey__V1__Attribute *const *attributes;
	size_t evicted_count;
	const ProtobufCBinaryData *evicted;
};

/* What an answer to Get says; whatever a later version may answer besides VALID and INVALID is no more known to be dead
 * than it is known to be alive: UNKNOWN. */
struct session_parts session_parts_of(const Latchkey__V1__GetSessionResponse *response);

/* Of one of these, `count`. */
struct list_parts {
	size_t count;
	Latchkey__V1__SessionInfo *const *infos;
	Latchkey__V1__GetSessionResponse *const *answers;
	const ProtobufCBinaryData *next_page; /* NULL: there are no pages */
};

/* All return NULL when memory is out. */
lk_session *session_new(const struct session_parts *parts) __attribute__((warn_unused_result));
lk_sessions *sessions_new(const struct list_parts *parts) __attribute__((warn_unused_result));
lk_events *events_new(const Latchkey__V1__WatchSessionsResponse *response) __attribute__((warn_unused_result));
lk_info *info_new(const Latchkey__V1__ServerInfoResponse *response) __attribute__((warn_unused_result));
lk_stats *stats_new(const Latchkey__V1__ServerStatsResponse *response) __attribute__((warn_unused_result));
lk_policy *policy_new(const Latchkey__V1__ServerPolicyResponse *response) __attribute__((warn_unused_result));
lk_keys *keys_new(const Latchkey__V1__ServerKeysResponse *response) __attribute__((warn_unused_result));
lk_redis_status *redis_status_new(const Latchkey__V1__ServerRedisResponse *response)
    __attribute__((warn_unused_result));

#endif
