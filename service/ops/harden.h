#ifndef LK_OPS_HARDEN_H
#define LK_OPS_HARDEN_H

#include "base/status.h"

/* Makes what the process holds harder to get at: no core dumps, no ptrace by its own user, no new privileges for it or
 * its children, files for its own user only. Once, at start, before secrets are read. INTERNAL when the kernel refuses. */
enum status_code harden_process(struct status *st) MUST_CHECK;

/* Raises the soft limit of open files to `files`. FAILED_PRECONDITION, with the remedy, when the hard limit is below. */
enum status_code harden_allow_files(uint64_t files, struct status *st) MUST_CHECK;

#endif
