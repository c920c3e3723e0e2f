#ifndef LK_RPC_PROFILES_H
#define LK_RPC_PROFILES_H

/* What the files of the Profiles service share. */

#include "latchkey/v1/profiles.pb-c.h"
#include "profile/profile.h"
#include "rpc/messages.h"
#include "rpc/methods.h"

/* The request message, as its own type. */
#define REQUEST(type, call)    ((const Latchkey__V1__##type *)(call)->request)
#define USE_REALM(call, m, st) call_use_realm((call), (m)->has_realm, (m)->realm, (st))

/* NULL: no memory. */
Latchkey__V1__ProfileField **profile_fields(arena *a, const struct profile_field *from, size_t count);

#endif
