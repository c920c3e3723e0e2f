#ifndef LK_RPC_REALM_POLL_H
#define LK_RPC_REALM_POLL_H

/* Asks the store for each realm's not-before time, once a second and until it is first known ten times as often,
 * unless Redis refuses it. */

#include "base/status.h"
#include "crypto/keyring.h"
#include "session/not_before.h"
#include "store/store.h"

struct core;
typedef struct realm_polls realm_polls;

/* Everything is borrowed; `known`, the realms and the store until no question is under way. NULL when memory is out. */
realm_polls *realm_polls_new(const struct realms *realms, const struct store *store, not_before *known) MUST_CHECK;
/* None is under way. Nulls *p; accepts NULL in it. */
void realm_polls_free(realm_polls **p);

/* Submits what is due; core is held until it is answered. One thread at a time. p may be NULL. */
void realm_polls_tick(realm_polls *p, struct core *core, uint64_t now_ms);

/* Whether every realm's time is known; whether that of most is. p may be NULL: true. */
bool realm_polls_know_all(const realm_polls *p, uint64_t now_ms);
bool realm_polls_know_most(const realm_polls *p, uint64_t now_ms);

#endif
