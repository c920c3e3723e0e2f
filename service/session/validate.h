#ifndef LK_SESSION_VALIDATE_H
#define LK_SESSION_VALIDATE_H

/* Limits of requests. Each check names the field, the limit and, where it is not obvious, the remedy. */

#include "session/session.h"

#define USER_AGENT_BYTES_MAX 512
#define IP_BYTES_MAX	     45
#define LABEL_BYTES_MAX	     64
#define AAL_MAX		     3
/* How far ahead of ours the clock of whoever authenticated the user may be. */
#define CLOCK_SKEW_MS 60000

enum status_code check_user(span user, struct status *st) MUST_CHECK;
enum status_code check_idempotency_key(const struct plan_env *env, struct status *st) MUST_CHECK;
enum status_code check_attributes(const struct session_attribute *attributes, size_t count,
				  struct status *st) MUST_CHECK;
enum status_code check_removals(const span *keys, size_t count, struct status *st) MUST_CHECK;
enum status_code check_device(const struct session_device *d, struct status *st) MUST_CHECK;
enum status_code check_amr(const char *what, const span *amr, size_t count, struct status *st) MUST_CHECK;
enum status_code check_authentication(const struct session_authentication *a, uint64_t now_ms,
				      struct status *st) MUST_CHECK;

#endif
