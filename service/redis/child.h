#ifndef LK_REDIS_CHILD_H
#define LK_REDIS_CHILD_H

#include <stddef.h>
#include <sys/types.h>

#include "base/status.h"

/* argv[0] of the program that `name` means: itself when it has a slash, else the first of that name in PATH that can be
 * executed. FAILED_PRECONDITION. */
enum status_code child_find(const char *name, char *ret, size_t size, struct status *st) MUST_CHECK;

struct child_spec {
	const char *path;
	char *const *argv;  /* NULL-terminated */
	const char *output; /* stdout and stderr are appended to this file */
};

/* Starts a program in a session of its own (a terminal's ^C is not for it), with no inherited descriptor, signal
 * setting or environment, that gets SIGTERM when the calling thread ends, however it ends. -1 and errno. */
pid_t child_start(const struct child_spec *spec) MUST_CHECK;

#endif
