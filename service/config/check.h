#ifndef LK_CONFIG_CHECK_H
#define LK_CONFIG_CHECK_H

#include "config/origin.h"

/* What no single value shows: addresses, certificates that belong together, timeouts in order, names that are distinct. */
bool check_config(const struct config *c, const struct origins *o, struct config_error *error) MUST_CHECK;

#endif
