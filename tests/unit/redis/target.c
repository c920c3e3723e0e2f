#include "target.h"

#include <stdio.h>
#include <string.h>

const struct journal_origin old_primary = {.node = "old", .tenure = 3};
const struct journal_origin new_primary = {.node = "new", .tenure = 1};

struct store_command redo_of(const char *key, const char *text)
{
	return (struct store_command){
	    .script = STORE_SCRIPT_SESSION_RESTORE,
	    .key_count = 1,
	    .argc = 2,
	    .key = span_str(key),
	    .argv = {span_str(key), span_str(text)},
	};
}

void put_into(journal *j, uint16_t slot, const char *key, const char *text, uint64_t now_ms)
{
	struct store_command redo = redo_of(key, text);

	assert_true(journal_put(j, &redo, slot, old_primary, UINT64_MAX, now_ms));
}

void put(journal *j, const char *key, const char *text, uint64_t now_ms)
{
	put_into(j, 0, key, text, now_ms);
}

struct journal_state state_of(journal *j)
{
	struct journal_state s;

	journal_get_state(j, &s);
	return s;
}

const struct store_reply yes = {.type = STORE_STATUS, .string = {(const uint8_t *)"done", 4}};
const struct store_reply again = {.type = STORE_STRING, .string = {(const uint8_t *)"again", 5}};
const struct store_reply no = {.type = STORE_ERROR, .string = {(const uint8_t *)"ERR", 3}};

struct target target_that_answers(enum store_outcome outcome, const struct store_reply *reply)
{
	return (struct target){.answer = {.outcome = outcome, .reply = reply}, .wanted = -1};
}

struct target target_that_holds(void)
{
	return (struct target){.holds = true, .wanted = -1};
}

static bool is_wanted(void *owner, uint16_t slot)
{
	const struct target *t = owner;

	return t->wanted < 0 || slot == t->wanted;
}

static void note(struct target *t, span text)
{
	size_t used = strlen(t->sent);

	t->sends++;
	if (used + text.len + 2 < sizeof(t->sent))
		(void)snprintf(t->sent + used, sizeof(t->sent) - used, "%.*s ", SPAN_FMT(text));
}

void target_submit(struct target *t, struct store_op *op)
{
	struct store_result result = t->answer;

	assert_true(op->command.is_write && op->command.is_repeatable);
	assert_int_equal(op->deadline_ms, 77777);
	note(t, op->command.argv[1]);
	if (t->holds) {
		assert_true(t->held_count < HELD_MAX);
		t->held[t->held_count++] = op;
		return;
	}
	if (t->agains > 0 && span_eq(op->command.argv[1], span_str(t->again_text))) {
		t->agains--;
		result.reply = &again;
	}
	op->done(op, &result);
}

static void submit(void *owner, struct store_op *op)
{
	target_submit(owner, op);
}

static void on_done(void *owner, size_t carried_out, size_t failed)
{
	struct target *t = owner;

	t->done++;
	t->carried_out = carried_out;
	t->failed = failed;
}

void replay(journal *j, struct target *t, struct journal_origin origin, uint64_t now_ms)
{
	const struct journal_replay task = {.is_wanted = is_wanted,
					    .submit = submit,
					    .done = on_done,
					    .owner = t,
					    .origin = origin,
					    .deadline_ms = 77777};

	journal_replay(j, &task, now_ms);
}

/* The held operation whose second argument is this. */
static struct store_op *take_held(struct target *t, const char *text)
{
	for (size_t i = 0; i < t->held_count; i++) {
		struct store_op *op = t->held[i];

		if (!span_eq(op->command.argv[1], span_str(text)))
			continue;
		t->held[i] = t->held[--t->held_count];
		return op;
	}
	fail_msg("not in flight: %s", text);
	return NULL;
}

void answer(struct target *t, const char *text, enum store_outcome outcome, const struct store_reply *reply)
{
	struct store_op *op = take_held(t, text);
	const struct store_result result = {.outcome = outcome, .reply = reply};

	op->done(op, &result);
}

size_t answer_all(struct target *t)
{
	const struct store_result result = {.outcome = STORE_REPLIED, .reply = &yes};
	size_t most = 0;

	while (t->held_count > 0) {
		struct store_op *op = t->held[t->held_count - 1];

		most = t->held_count > most ? t->held_count : most;
		t->held_count--;
		op->done(op, &result);
	}
	return most;
}

void assert_done(const struct target *t, size_t carried_out, size_t failed)
{
	assert_int_equal(t->done, 1);
	assert_int_equal(t->carried_out, carried_out);
	assert_int_equal(t->failed, failed);
}

bool trusts_all(void *owner, struct journal_origin origin)
{
	(void)owner;
	(void)origin;
	return true;
}

bool trusts_only(void *owner, struct journal_origin origin)
{
	const struct journal_origin *only = owner;

	return origin.node == only->node && origin.tenure == only->tenure;
}

void close_journal(journal **j)
{
	journal_expire(*j, trusts_all, NULL, 1);
	journal_expire(*j, trusts_all, NULL, UINT64_MAX / 2);
	assert_int_equal(state_of(*j).entries, 0);
	assert_int_equal(state_of(*j).bytes, 0);
	journal_free(j);
	assert_null(*j);
	journal_free(j);
}

journal *open_journal(size_t room)
{
	journal *j = journal_new(WINDOW, room);

	assert_non_null(j);
	return j;
}
