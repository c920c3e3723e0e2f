#ifndef LK_CLIENT_METHODS_H
#define LK_CLIENT_METHODS_H

/* The methods of the wire that this library calls: their names, and how an answer becomes results. */

#include "codec.h"
#include "results.h"

enum method {
	METHOD_CREATE,
	METHOD_GET,
	METHOD_GET_MANY,
	METHOD_UPDATE,
	METHOD_ROTATE,
	METHOD_REVOKE,
	METHOD_REVOKE_USER,
	METHOD_REVOKE_REALM,
	METHOD_LIST,
	METHOD_VERIFY,
	METHOD_WATCH,
	METHOD_HEALTH,
	METHOD_INFO,
	METHOD_STATS,
	METHOD_REDIS,
	METHOD_POLICY,
	METHOD_KEYS,
	METHOD_PROFILE_PUT,
	METHOD_PROFILE_GET,
	METHOD_PROFILE_UPDATE,
	METHOD_PROFILE_DELETE,
	METHOD_PROFILE_CHANGES,
	METHOD_PROFILE_ACK,
	METHOD_PROFILE_DEAD,
	METHOD_VISITORS_RECORD,
	METHOD_VISITORS_COUNT,
	METHOD_AUTH_LOOKUP,
	METHOD_AUTH_FILL,
	METHOD_AUTH_FORGET,
	METHOD_LIMIT_CHECK,
	METHOD_LIMIT_RESET,
	METHOD_LOCK_ACQUIRE,
	METHOD_LOCK_EXTEND,
	METHOD_LOCK_RELEASE,
	METHODS
};

const char *method_path(enum method method);
bool method_is_mutating(enum method method);
/* The server answers late on purpose: see flow.c. */
bool method_is_long_poll(enum method method);

/* Turns a reply into results and an error, which is LK_OK or what the reply, or its body, says. Results that are not
 * given stay zero. */
enum lk_err method_answer(enum method method, const struct reply *reply, struct pool *pool, struct results *results,
			  struct lk_error *error);

#endif
