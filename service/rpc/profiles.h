#ifndef LK_RPC_PROFILES_H
#define LK_RPC_PROFILES_H

/* What the files of the Profiles service share. */

#include "latchkey/v1/profiles.pb-c.h"
#include "profile/profile.h"
#include "rpc/messages.h"
#include "rpc/methods.h"

/* NULL: no memory. */
Latchkey__V1__ProfileField **profile_fields(arena *a, const struct profile_field *from, size_t count);

#endif
