#ifndef LK_RPC_SESSIONS_H
#define LK_RPC_SESSIONS_H

/* What the files of the Sessions service share. */

#include "rpc/messages.h"
#include "rpc/methods.h"

/* UNAVAILABLE for an UNKNOWN that will be known in a moment, so that it is asked for again: callers that retry do so by
 * themselves. */
enum status_code sessions_check_settled(const struct session_outcome *o, struct status *st) MUST_CHECK;

/* handle: "" if it is not known. */
void sessions_count_outcome(struct call *call, const struct session_outcome *o, const char *handle);

#endif
