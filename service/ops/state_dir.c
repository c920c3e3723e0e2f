#include "ops/state_dir.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Folders in between are made as well, as `mkdir -p` does. 0: made, or was there. */
static int make_all(char *path)
{
	for (char *p = path + 1; *p != 0; p++) {
		int failed;

		if (*p != '/')
			continue;
		*p = 0;
		failed = mkdir(path, 0700) != 0 && errno != EEXIST;
		*p = '/';
		if (failed)
			return -1;
	}
	return mkdir(path, 0700) != 0 && errno != EEXIST ? -1 : 0;
}

enum status_code state_dir_prepare(const char *path, struct status *st)
{
	char copy[PATH_MAX];
	struct stat s;

	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return status_set(st, STATUS_FAILED_PRECONDITION, "state_dir is longer than %d bytes", PATH_MAX - 1);
	if (make_all(copy) != 0 || stat(path, &s) != 0)
		return status_set(st, STATUS_FAILED_PRECONDITION, "state_dir %s cannot be made: %s", path,
				  strerror(errno));
	if (!S_ISDIR(s.st_mode))
		return status_set(st, STATUS_FAILED_PRECONDITION, "state_dir %s is no folder", path);
	/* Who can write to the folder can put a keyring of his own there. */
	if ((s.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return status_set(st, STATUS_FAILED_PRECONDITION,
				  "state_dir %s may be written by others: chmod go-w it", path);
	if (access(path, R_OK | W_OK | X_OK) != 0)
		return status_set(st, STATUS_FAILED_PRECONDITION, "state_dir %s: %s; chown it to the service's user",
				  path, strerror(errno));
	return STATUS_OK;
}

bool path_exists(const char *path)
{
	struct stat s;

	return lstat(path, &s) == 0;
}
