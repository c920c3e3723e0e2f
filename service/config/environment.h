#ifndef LK_CONFIG_ENVIRONMENT_H
#define LK_CONFIG_ENVIRONMENT_H

#include "config/origin.h"

/* The variables that set keys, over what c holds by now; and names LATCHKEY_... that mean nothing are refused.
 * *ret_listen is LATCHKEY_LISTEN's value, or NULL. */
bool environment_apply(char *const *environment, struct origins *o, struct config *c, const char **ret_listen,
		       struct config_error *error) MUST_CHECK;

/* A variable's value; NULL when it is not set. */
const char *environment_get(char *const *environment, const char *name);

#endif
