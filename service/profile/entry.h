#ifndef LK_PROFILE_ENTRY_H
#define LK_PROFILE_ENTRY_H

/* A change as the realm's stream has it: what the script knew, in clear, and what the service sealed beforehand.
 *
 *     8 created  8 version  8 stamp  2 length  counters as they are after it, decimal, commas between
 *     1 format  2 number of the key  sealed: kind, user, and what was done, with names and values
 */

#include "profile/state.h"

/* All that a request asks for, the same bytes for the same request. False: the arena is full. */
bool entry_print(const struct plan_env *env, const struct profile_change_request *req, span *ret) MUST_CHECK;

/* text of entry_print, sealed. False: the arena is full. */
bool entry_seal(const struct plan_env *env, span text, span *ret) MUST_CHECK;

enum entry_result { ENTRY_OPEN, ENTRY_UNREADABLE, ENTRY_NO_MEMORY };

/* The stamp of an entry, in us; false: it is none. */
bool entry_stamp(span entry, uint64_t *ret) MUST_CHECK;
/* All of *ret but id and deliveries; in the arena. */
enum entry_result entry_open(const struct plan_env *env, span entry, struct profile_change *ret) MUST_CHECK;

/* The counters' numbers, in the order of names; false: not as many. */
bool entry_counters(span text, size_t count, const struct profile_increment *names,
		    struct profile_field *out) MUST_CHECK;

#endif
