#include "ops/harden.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum status_code harden_process(struct status *st)
{
	const struct rlimit no_core = {0};

	if (setrlimit(RLIMIT_CORE, &no_core) != 0)
		return status_set(st, STATUS_INTERNAL, "cannot turn core dumps off: %s", strerror(errno));
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return status_set(st, STATUS_INTERNAL, "cannot keep debuggers off: %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return status_set(st, STATUS_INTERNAL, "cannot give up new privileges: %s", strerror(errno));
	(void)umask(077);
	return STATUS_OK;
}

enum status_code harden_allow_files(uint64_t files, struct status *st)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return status_set(st, STATUS_INTERNAL, "cannot read the limit of open files: %s", strerror(errno));
	if (limit.rlim_cur >= files)
		return STATUS_OK;
	if (limit.rlim_max < files)
		return status_set(
		    st, STATUS_FAILED_PRECONDITION,
		    "connections.max needs %llu open files, and the hard limit is %llu: raise it (ulimit -Hn, "
		    "LimitNOFILE=) or lower connections.max",
		    (unsigned long long)files, (unsigned long long)limit.rlim_max);
	limit.rlim_cur = files;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		return status_set(st, STATUS_INTERNAL, "cannot raise the limit of open files: %s", strerror(errno));
	return STATUS_OK;
}
