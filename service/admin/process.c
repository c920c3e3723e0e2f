#include "admin/process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* Seven numbers of 20 digits. */
#define STATM_BYTES 160

static uint64_t us_of(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000U + (uint64_t)t->tv_usec;
}

/* Its first two fields: pages of virtual and of resident memory. */
static void look_at_memory(struct process_state *ret)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	FILE *f = fopen("/proc/self/statm", "re");
	char line[STATM_BYTES];
	char *end;

	if (f == NULL)
		return;
	if (fgets(line, sizeof(line), f) != NULL) {
		ret->virtual_bytes = strtoull(line, &end, 10) * page;
		ret->resident_bytes = strtoull(end, NULL, 10) * page;
	}
	(void)fclose(f);
}

static uint64_t count_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	const struct dirent *entry;
	uint64_t count = 0;

	if (d == NULL)
		return 0;
	while ((entry = readdir(d)) != NULL)
		count += entry->d_name[0] != '.';
	(void)closedir(d);
	/* Without the one that reads them. */
	return count - 1;
}

void process_look(struct process_state *ret)
{
	struct rusage usage;
	struct rlimit limit;

	*ret = (struct process_state){.fds = count_files()};
	look_at_memory(ret);
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		ret->cpu_us = us_of(&usage.ru_utime) + us_of(&usage.ru_stime);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		ret->fds_max = limit.rlim_cur;
}
