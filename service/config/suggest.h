#ifndef LK_CONFIG_SUGGEST_H
#define LK_CONFIG_SUGGEST_H

#include "config/origin.h"

/* The known key nearest to a mistyped path, or the known variable; false when none is near. */
bool suggest_path(const char *path, char out[static ORIGIN_PATH_BYTES]) MUST_CHECK;
bool suggest_variable(const char *variable, char out[static ORIGIN_PATH_BYTES]) MUST_CHECK;

#endif
