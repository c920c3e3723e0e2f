#include "bench_progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static uint64_t count_done(const struct bench_load *load)
{
	uint64_t done = 0;

	for (size_t t = 0; t < BENCH_TALLIES; t++)
		for (size_t k = 0; k < BENCH_MIXED; k++)
			done += atomic_load(&load->tallies[t].in_time[k]);
	return done;
}

static uint64_t count_failed(const struct bench_load *load)
{
	uint64_t failed = 0;

	for (size_t i = 0; i < BENCH_ERRORS; i++)
		failed += atomic_load(&load->errors[i]);
	return failed;
}

struct bench_progress bench_progress_begin(const struct bench_load *load, uint64_t now_ns)
{
	const bool is_terminal = isatty(STDERR_FILENO) == 1;

	return (struct bench_progress){.is_wanted = is_terminal || load->line->bench.progress,
				       .is_terminal = is_terminal,
				       .start_ns = now_ns,
				       .next_ns = now_ns + BENCH_SECOND_NS};
}

/* On a terminal each line takes the place of the one before. */
void bench_progress_show(const struct bench_load *load, struct bench_progress *p, uint64_t now_ns)
{
	const struct bench_line *bench = &load->line->bench;
	uint64_t done;

	if (!p->is_wanted || now_ns < p->next_ns)
		return;
	done = count_done(load);
	(void)fprintf(stderr, "%s%4" PRIu64 " s of %u  ", p->is_terminal ? "\r" : "",
		      (now_ns - p->start_ns) / BENCH_SECOND_NS, bench->warmup_s + bench->seconds);
	/* Of the second that has just ended, which is not in step with the warm-up to the nanosecond. */
	if (p->next_ns <= load->from_ns + BENCH_SECOND_NS / 2)
		(void)fputs("warming up", stderr);
	else
		(void)fprintf(stderr, "%9" PRIu64 " calls/s  %" PRIu64 " failed", done - p->done, count_failed(load));
	if (!p->is_terminal)
		(void)fputc('\n', stderr);
	p->done = done;
	p->next_ns += BENCH_SECOND_NS;
}

void bench_progress_end(const struct bench_progress *p, uint64_t now_ns)
{
	if (p->is_wanted && p->is_terminal && now_ns >= p->start_ns + BENCH_SECOND_NS)
		(void)fputc('\n', stderr);
}
