#ifndef LK_FAULT_RUN_H
#define LK_FAULT_RUN_H

#include <stdio.h>

#include "fault/scenario.h"

/* One scenario's outcome: what its row says. Plain numbers and text, for it crosses from the scenario's process to that
 * which prints. */

enum row_state {
	ROW_ABORTED, /* the scenario ended before its end: what it waited for did not come, or it crashed */
	ROW_SKIPPED,
	ROW_KEPT,   /* all bounds hold */
	ROW_BROKEN, /* at least one does not */
};

struct row {
	enum row_state state;
	unsigned rounds;
	uint64_t operations;
	uint64_t acknowledged;
	uint64_t lost;
	uint64_t revived;
	uint64_t stale;
	uint64_t forked;
	uint64_t failed;
	uint64_t unknown;
	uint64_t unaudited;
	uint64_t gap_ms;
	uint64_t took_ms;
	char wrong[STAGE_TEXT_BYTES];
	char note[STAGE_TEXT_BYTES];
};

struct play {
	const struct scenario *scenario;
	unsigned rounds;
	unsigned load_percent;
	const char *trace; /* every operation is appended to this file; NULL: none */
};

/* Plays it, in this process: what cannot be done ends the process. Violations are told on `out`. */
void run_scenario(const struct play *play, FILE *out, struct row *ret);

#endif
