#ifndef LK_SESSION_NOT_BEFORE_H
#define LK_SESSION_NOT_BEFORE_H

/* What this instance knows of the realms' not-before times: sessions of a realm that were created earlier have ended. It
 * hears of one by an announcement, and asks the store once a second, so that one that is deaf learns too. What is known
 * never moves back, whatever a primary that takes over says. Thread-safe, without a lock. */

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "realm/realm.h"
#include "store/store.h"

typedef struct not_before not_before;

/* An instance that has not been able to ask for so long no longer says VALID: another may have revoked the realm. Longer
 * than any failover that is worth waiting for, so that it costs nothing while the realm's key has a primary at all. */
#define NOT_BEFORE_TRUST_MS 30000
/* How far ahead of this instance's clock a moment may be: those that RevokeRealm sets are two minutes at most, and clocks
 * differ by one. One that is further ahead is nobody's: taken for true it would end all sessions, those to come too. */
#define NOT_BEFORE_AHEAD_MS_MAX 180000
/* "lk1:n:{RTAG}" */
#define NOT_BEFORE_KEY_CHARS (8 + REALM_RTAG_CHARS)

/* Of so many realms, which were sealed together. NULL when memory is out. */
not_before *not_before_new(size_t realms) MUST_CHECK;
/* Nulls *n; accepts NULL in it. */
void not_before_free(not_before **n);

/* In ms, 0: none is known. n may be NULL. */
uint64_t not_before_of(const not_before *n, const struct realm *realm);
/* Unless it is as late already. n may be NULL. */
void not_before_raise(not_before *n, const struct realm *realm, uint64_t at_ms);
/* Whether it may be one at all, wall_ms being now. */
bool not_before_is_credible(uint64_t at_ms, uint64_t wall_ms);
/* Whether what is known was all that there was less than NOT_BEFORE_TRUST_MS ago. n may be NULL: true. */
bool not_before_is_confirmed(const not_before *n, const struct realm *realm, uint64_t mono_ms);

void not_before_key(const struct realm *realm, char out[static NOT_BEFORE_KEY_CHARS]);

/* ---- Asking: submit command, and hand in what it is REPLIED. ---- */

struct not_before_query {
	const struct realm *realm;
	char key[NOT_BEFORE_KEY_CHARS];
	struct store_command command; /* borrows the key: the query stays where it is */
};

void not_before_query_plan(const struct realm *realm, struct not_before_query *ret);
/* asked_ms: when it was submitted, monotonic; wall_ms: now. False: the reply is none that this version knows, or no
 * credible moment, and confirms nothing. */
bool not_before_query_answer(not_before *n, const struct not_before_query *q, const struct store_reply *reply,
			     uint64_t asked_ms, uint64_t wall_ms);

#endif
