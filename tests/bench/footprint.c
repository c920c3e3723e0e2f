/* The memory of a service that has just started, and what each client connection that says nothing adds to it. */

#include <math.h>

#include "bench/sections.h"
#include "support/raw.h"
#include "support/wait.h"

#define CONNECTIONS 1000
/* Each connection is accepted and greeted one after the other: a generous bound for the last buffers to settle. */
#define SETTLE_MS 500

struct footprint {
	double rss_kib;
	double pss_kib;
};

static struct footprint footprint_of(pid_t pid)
{
	struct footprint ret = {NAN, NAN};
	char line[128];
	FILE *file;

	(void)snprintf(line, sizeof(line), "/proc/%d/smaps_rollup", (int)pid);
	file = fopen(line, "r");
	if (file == NULL)
		bench_die("this kernel tells no smaps_rollup", NULL);
	while (fgets(line, sizeof(line), file) != NULL) {
		(void)sscanf(line, "Rss: %lf", &ret.rss_kib);
		(void)sscanf(line, "Pss: %lf", &ret.pss_kib);
	}
	(void)fclose(file);
	return ret;
}

void bench_footprint(struct bench *b)
{
	static struct raw callers[CONNECTIONS];
	struct footprint idle, crowded;
	struct stage stage;

	stage_open(&stage, false);
	idle = footprint_of(stage.service.process.pid);
	for (unsigned i = 0; i < CONNECTIONS; i++)
		raw_connect(&callers[i], stage.service.url);
	nap_ms(SETTLE_MS);
	crowded = footprint_of(stage.service.process.pid);
	for (unsigned i = 0; i < CONNECTIONS; i++)
		raw_close(&callers[i]);
	stage_close(&stage);
	report_result(&b->report, "memory-idle", idle.rss_kib / 1024, NAN);
	report_result(&b->report, "memory-idle-pss", idle.pss_kib / 1024, NAN);
	report_result(&b->report, "memory-connection", (crowded.rss_kib - idle.rss_kib) / CONNECTIONS, NAN);
}
