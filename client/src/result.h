#ifndef LK_CLIENT_RESULT_H
#define LK_CLIENT_RESULT_H

/* Results as the public header hands them out: each one block of memory with all that its getters point to. */

#include "latchkey/latchkey.h"
#include "latchkey/v1/server.pb-c.h"
#include "latchkey/v1/sessions.pb-c.h"

/* What a session is made of. What is not known is NULL or zero. */
struct session_parts {
	enum lk_verdict verdict;
	enum lk_reason reason;
	uint64_t revoked_at_ms;
	const ProtobufCBinaryData *token;
	const Latchkey__V1__SessionInfo *info;
	size_t attribute_count;
	Latchkey__V1__Attribute *const *attributes;
	size_t evicted_count;
	const ProtobufCBinaryData *evicted;
};

/* All return NULL when memory is out. */
lk_session *session_new(const struct session_parts *parts) __attribute__((warn_unused_result));
lk_sessions *sessions_new(const Latchkey__V1__ListSessionsResponse *list) __attribute__((warn_unused_result));
lk_info *info_new(const Latchkey__V1__ServerInfoResponse *response) __attribute__((warn_unused_result));
lk_stats *stats_new(const Latchkey__V1__ServerStatsResponse *response) __attribute__((warn_unused_result));
lk_redis_status *redis_status_new(const Latchkey__V1__ServerRedisResponse *response)
    __attribute__((warn_unused_result));

#endif
