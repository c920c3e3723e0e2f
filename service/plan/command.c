#include "plan/command.h"

#include <assert.h>

enum status_code no_memory(struct status *st)
{
	return status_set(st, STATUS_RESOURCE_EXHAUSTED,
			  "the call needs more than the %d bytes of memory that a call may take; ask for less at once",
			  PLAN_BYTES_MAX);
}

struct command_writer command_start(arena *a, enum store_script script, bool is_write)
{
	return (struct command_writer){.arena = a,
				       .command = {.script = script, .is_write = is_write, .is_repeatable = true}};
}

void command_arg(struct command_writer *w, span arg)
{
	assert(w->command.argc < STORE_ARGS_MAX);
	w->command.argv[w->command.argc++] = arg;
}

void command_key(struct command_writer *w, span key)
{
	assert(w->command.argc == w->command.key_count);
	if (w->command.key_count++ == 0)
		w->command.key = key;
	command_arg(w, key);
}

void command_number(struct command_writer *w, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);
	span text;

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	if (!arena_copy(w->arena, span_of(digits + at, sizeof(digits) - at), &text)) {
		w->failed = true;
		return;
	}
	command_arg(w, text);
}

enum status_code command_end(struct command_writer *w, struct plan *plan, struct status *st)
{
	if (w->failed)
		return no_memory(st);
	plan->has_command = true;
	plan->command = w->command;
	return STATUS_OK;
}

bool command_end_redo(struct command_writer *w, uint64_t lifetime_ms, struct plan *plan)
{
	struct plan_redo *redo = arena_alloc(w->arena, sizeof(*redo));

	if (w->failed || redo == NULL)
		return false;
	*redo = (struct plan_redo){.next = plan->redos, .command = w->command, .lifetime_ms = lifetime_ms};
	plan->redos = redo;
	return true;
}
