#ifndef LK_PLAN_COMMAND_H
#define LK_PLAN_COMMAND_H

/* Commands for the store: start, keys, arguments, end. What fails on the way is reported by the end. */

#include "plan/plan.h"

struct command_writer {
	arena *arena;
	struct store_command command;
	bool failed;
};

struct command_writer command_start(arena *a, enum store_script script, bool is_write);
void command_key(struct command_writer *w, span key);
void command_arg(struct command_writer *w, span arg);
void command_number(struct command_writer *w, uint64_t n);
enum status_code command_end(struct command_writer *w, struct plan *plan, struct status *st) MUST_CHECK;
/* The command becomes the first of the plan's redos. False: the arena is full. */
bool command_end_redo(struct command_writer *w, uint64_t lifetime_ms, struct plan *plan) MUST_CHECK;

enum status_code no_memory(struct status *st);

#endif
