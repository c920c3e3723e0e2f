#include "bench/cost.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static double spent_us(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &ts) != 0)
		bench_die("a process has no clock of its processor time", NULL);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void read_clocks(const struct stage *s, double out[static COSTS])
{
	out[COST_SERVICE] = spent_us(s->service.process.pid);
	out[COST_REDIS] = spent_us(s->redis.process.pid);
	out[COST_CLIENT] = spent_us(getpid());
}

void cost_start(struct cost *c, const struct stage *s)
{
	read_clocks(s, c->start_us);
}

void cost_stop(struct cost *c, const struct stage *s, double calls)
{
	double now_us[COSTS];

	read_clocks(s, now_us);
	for (unsigned i = 0; i < COSTS; i++)
		c->us[i] += now_us[i] - c->start_us[i];
	c->calls += calls;
}

/* Over the first row. */
static void print_head(void)
{
	static bool is_printed;

	if (is_printed)
		return;
	is_printed = true;
	(void)printf("%-20s %9s %9s %9s %9s %12s\n", "processor us a call", "service", "Redis", "client", "in all",
		     "so at most/s");
}

void cost_print(const struct cost *c, struct bench *b, const char *line)
{
	static const char *const names[COSTS] = {"service us", "Redis us", "client us"};
	double sum = 0;

	if (c->calls <= 0 || line_find(line)->is_unwanted)
		return;
	print_head();
	(void)printf("%-20s", line);
	for (unsigned i = 0; i < COSTS; i++) {
		(void)printf(" %9.2f", c->us[i] / c->calls);
		report_detail(&b->report, line, names[i], c->us[i] / c->calls);
		sum += c->us[i] / c->calls;
	}
	(void)printf(" %9.2f %12.0f\n", sum, (double)sysconf(_SC_NPROCESSORS_ONLN) * 1e6 / sum);
	(void)fflush(stdout);
}
