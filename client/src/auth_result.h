#ifndef LK_CLIENT_AUTH_RESULT_H
#define LK_CLIENT_AUTH_RESULT_H

#include "latchkey/auth.h"

/* What an answer is made of. */
struct auth_parts {
	enum lk_auth_state state;
	struct lk_bytes bytes; /* of HIT and STALE; data NULL is empty there */
	struct lk_bytes lease; /* empty: none */
	uint64_t expires_at_ms;
	uint32_t retry_after_ms;
	bool is_early;
	bool is_loaded;
};

/* Copies. NULL when memory is out. */
lk_auth_answer *auth_answer_new(const struct auth_parts *parts) __attribute__((warn_unused_result));
/* One more owner: threads that waited for one load have one answer. */
lk_auth_answer *auth_answer_retain(lk_auth_answer *answer);

#endif
