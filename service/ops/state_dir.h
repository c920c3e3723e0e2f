#ifndef LK_OPS_STATE_DIR_H
#define LK_OPS_STATE_DIR_H

#include <stdbool.h>

#include "base/status.h"

/* Makes the folder, and those above it, for this user only; or checks one that is there. FAILED_PRECONDITION: it is none,
 * cannot be made, or others may write to it. */
enum status_code state_dir_prepare(const char *path, struct status *st) MUST_CHECK;

bool path_exists(const char *path);

#endif
