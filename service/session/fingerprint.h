#ifndef LK_SESSION_FINGERPRINT_H
#define LK_SESSION_FINGERPRINT_H

/* A keyed hash of all that a request asks for: tells a repetition from another request under the same idempotency
 * key. */

#include "plan/fingerprint.h"
#include "session/session.h"

/* False: the arena is full. */
bool fingerprint_create(const struct plan_env *env, const struct session_create_request *req,
			uint8_t out[static FINGERPRINT_BYTES]) MUST_CHECK;
/* name: the session's NAME, so that the same change to another session is another request. */
bool fingerprint_update(const struct plan_env *env, const struct session_update_request *req, span name,
			uint8_t out[static FINGERPRINT_BYTES]) MUST_CHECK;
/* name: of the session as the token has it. */
bool fingerprint_rotate(const struct plan_env *env, const struct session_rotate_request *req, span name,
			uint8_t out[static FINGERPRINT_BYTES]) MUST_CHECK;

#endif
